//! `evolve`: applies what happened. Cannot fail: an event that makes no sense for the state changes nothing.
//!
//! "Makes no sense" is read in the direction that admits less: what exists is not made again, a tombstone is lifted by
//! a readmission only, a pin that one device holds is not taken by another. `decide` never grants such an event; a log
//! that was repaired by hand may still hold one, and every view must read it alike.

mod configuration;
mod device;

pub use device::evolve_device;

use crate::{
    ids::{DeviceId, Fingerprint},
    registry::{
        event::Event,
        state::{DeviceEntry, Registry},
    },
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
        let pinned_before = fingerprints(before.as_ref());
        let was_live = matches!(before, Some(DeviceEntry::Live(_)));
        let after = evolve_device(before, event, at);
        let pinned_after = fingerprints(after.as_ref());
        let is_live = matches!(after, Some(DeviceEntry::Live(_)));
        self.reindex(id, &pinned_before, &pinned_after);
        self.live = self.live.saturating_add(u64::from(is_live)).saturating_sub(u64::from(was_live));
        if let Some(after) = after {
            self.devices.insert(id.clone(), after);
        }
    }

    /// A fingerprint leads to the device that pinned it first; `decide` sees to it that there is never a second.
    fn reindex(&mut self, id: &DeviceId, before: &[Fingerprint], after: &[Fingerprint]) {
        for released in before.iter().filter(|fingerprint| !after.contains(fingerprint)) {
            if self.holders.get(released) == Some(id) {
                self.holders.remove(released);
            }
        }
        for pinned in after {
            self.holders.entry(*pinned).or_insert_with(|| id.clone());
        }
    }
}

fn fingerprints(entry: Option<&DeviceEntry>) -> Vec<Fingerprint> {
    match entry {
        Some(DeviceEntry::Live(device)) => device.credential.pins().map(|pin| pin.fingerprint).collect(),
        Some(DeviceEntry::Deleted { .. }) | None => Vec::new(),
    }
}
