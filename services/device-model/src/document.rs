//! A document that belongs to one device, from its creation to its deletion.
//!
//! Invariant: a device that is created again under the id of a deleted one has none of its documents: each says at which
//! record its device was created.

use serde::{Serialize, de::DeserializeOwned};

/// See the file.
pub trait DeviceDocument: Serialize + DeserializeOwned + Clone + Send {
    /// As it is before anything has happened. `created_at` is the position of the record that created the device.
    fn new(created_at: u64) -> Self;

    /// The position of the record that created the device it belongs to.
    fn created_at(&self) -> u64;
}
