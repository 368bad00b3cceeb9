//! `evolve`: applies what happened. Cannot fail: an event that makes no sense for the state changes nothing.
//!
//! "Makes no sense" is read in the direction that admits less: what exists is not made again, a tombstone is lifted by
//! a readmission only (by an operator who enters the device again, too), a pin that one device holds is not taken by another. `decide` never grants such an event; a log
//! that was repaired by hand may still hold one, and every view must read it alike.

mod configuration;
mod device;

pub use device::evolve_device;

use crate::{
    registry::{
        device_change::DeviceChange,
        event::Event,
        retirement_change::RetirementChange,
        state::{Devices as _, Registry},
    },
    time::Timestamp,
};

impl Registry {
    /// Applies an event to the whole registry. `at` is the record's time.
    pub fn evolve(&mut self, event: &Event, at: Timestamp) {
        let Some(id) = event.device() else {
            self.configuration.evolve(event, at);
            self.apply_retirements(&RetirementChange::of(event, None, None, at));
            return;
        };
        let before = self.devices.remove(id);
        let after = evolve_device(before.clone(), event, &self.configuration, at);
        let change = DeviceChange::between(before.as_ref(), after.as_ref());
        for (key, holder) in change.holders(id, |key| self.holder(key)) {
            match holder {
                Some(holder) => self.holders.insert(key, holder),
                None => self.holders.remove(&key),
            };
        }
        self.live = change.count(self.live);
        self.apply_retirements(&RetirementChange::of(event, before.as_ref(), after.as_ref(), at));
        if let Some(after) = after {
            self.devices.insert(id.clone(), after);
        }
    }

    fn apply_retirements(&mut self, change: &RetirementChange) {
        for (key, retired) in change.outcomes(|key| self.retired(key)) {
            match retired {
                Some(retired) => self.retired.insert(key, retired),
                None => self.retired.remove(&key),
            };
        }
    }
}
