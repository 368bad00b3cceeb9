//! Version 2 of the events that have one, frozen. All others are still as in [`super::v1`].
//!
//! What version 1 did not record is absent after upcasting, never made up: a reader can tell "not recorded" from any value.

mod ca;
mod device;
mod fleet;
mod space;

pub use ca::CaDeleted;
pub use device::{
    ChainCertificate, DeviceCertificatePinned, DeviceCertificateReplaced, DevicePreRegistered, DeviceRegistered,
    PresentedCertificate,
};
pub use fleet::{Instance, InstanceCreated, InstanceUpdated};
pub use space::SpaceCreated;
