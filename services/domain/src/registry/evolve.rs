//! `evolve`: applies what happened. Cannot fail: an event that makes no sense for the state changes nothing.
//!
//! "Makes no sense" is read in the direction that admits less: what exists is not made again, a tombstone is lifted by
//! a readmission only, a pin that one device holds is not taken by another. `decide` never grants such an event; a log
//! that was repaired by hand may still hold one, and every view must read it alike.

mod configuration;
mod device;

pub use device::evolve_device;

use crate::{
    registry::{device_change::DeviceChange, event::Event, state::Registry},
    time::Timestamp,
};

impl Registry {
    /// Applies an event to the whole registry. `at` is the record's time.
    pub fn evolve(&mut self, event: &Event, at: Timestamp) {
        let Some(id) = event.device() else {
            self.configuration.evolve(event, at);
            return;
        };
        let before = self.devices.remove(id);
        let after = evolve_device(before.clone(), event, &self.configuration, at);
        let change = DeviceChange::between(before.as_ref(), after.as_ref());
        for (fingerprint, holder) in change.holders(id, |fingerprint| self.holders.get(fingerprint).cloned()) {
            match holder {
                Some(holder) => self.holders.insert(fingerprint, holder),
                None => self.holders.remove(&fingerprint),
            };
        }
        self.live = change.count(self.live);
        if let Some(after) = after {
            self.devices.insert(id.clone(), after);
        }
    }
}
