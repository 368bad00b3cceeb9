//! Version 2 of the requests that have one, frozen. All others are still as in [`super::v1`].

mod ca;
mod configuration;
mod device;
mod fleet;

pub use ca::{DeleteCa, Distrust};
pub use configuration::CreateSpace;
pub use device::PreRegisterDevice;
pub use fleet::{CreateInstance, InstanceDraft, UpdateInstance};
