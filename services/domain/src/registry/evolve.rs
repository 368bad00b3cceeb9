//! `evolve`: applies what happened. Cannot fail: an event that makes no sense for the state changes nothing.

use crate::{
    registry::{
        event::Event,
        state::{Configuration, DeviceEntry, Registry},
    },
    time::Timestamp,
};

impl Configuration {
    /// Applies an event; those that are about devices change nothing here. `at` is the record's time.
    pub fn evolve(&mut self, event: &Event, at: Timestamp) {
        let _ = (event, at);
        todo!()
    }
}

/// The entry of the event's device after the event: `None` when there is none (readmitted, or never was).
/// Only called for events that are about a device; for others the entry is returned unchanged.
pub fn evolve_device(entry: Option<DeviceEntry>, event: &Event, at: Timestamp) -> Option<DeviceEntry> {
    let _ = (event, at);
    entry
}

impl Registry {
    /// Applies an event to the whole registry.
    pub fn evolve(&mut self, event: &Event, at: Timestamp) {
        let _ = (event, at);
        todo!()
    }
}
