//! Version 2 of the requests that have one, frozen. All others are still as in [`super::v1`].

mod device;
mod fleet;

pub use device::PreRegisterDevice;
pub use fleet::{CreateInstance, InstanceDraft, UpdateInstance};
