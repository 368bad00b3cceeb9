//! Version 2 of the events that have one, frozen. All others are still as in [`super::v1`].

mod device;

pub use device::DevicePreRegistered;
