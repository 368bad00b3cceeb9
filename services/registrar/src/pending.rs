//! What has been decided and is not in the view yet: laid over the view's lookups.
//!
//! Leaves the configuration out, which is small enough to be copied whole. Invariants: its answer is the state
//! after the last pending event about that device, wherever between the first and the last of them the view stands; so a
//! view that moves meanwhile changes no answer.

use std::collections::HashMap;

use rollcall_domain::{
    ids::{DeviceId, Fingerprint, Position, ProductId, RequestId, SpaceId},
    registry::{Configuration, DeviceChange, DeviceEntry, Devices, Event, PinKey, Retired, RetirementChange, evolve_device},
    time::Timestamp,
};

/// Each entry has the position of the event that it is the outcome of.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    entries: HashMap<DeviceId, (Position, Option<DeviceEntry>)>,
    holders: HashMap<PinKey, (Position, Option<DeviceId>)>,
    retired: HashMap<PinKey, (Position, Option<Retired>)>,
    ruled: HashMap<RequestId, Position>,
}

impl Pending {
    /// Forgets what a view at `position` knows itself.
    pub(crate) fn forget(&mut self, position: Position) {
        self.entries.retain(|_, (at, _)| *at > position);
        self.holders.retain(|_, (at, _)| *at > position);
        self.retired.retain(|_, (at, _)| *at > position);
        self.ruled.retain(|_, at| *at > position);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether the view below knows everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.holders.is_empty() && self.retired.is_empty() && self.ruled.is_empty()
    }

    /// Where a request came to a record.
    pub(crate) fn ruled(&self, request: &RequestId) -> Option<Position> {
        self.ruled.get(request).copied()
    }

    /// The request has come to the record at `position`.
    pub(crate) fn rule(&mut self, request: RequestId, position: Position) {
        self.ruled.insert(request, position);
    }
}

/// The devices of a view with what is pending laid over them.
pub(crate) struct PendingDevices<'a, D> {
    pub(crate) below: &'a D,
    pub(crate) pending: &'a mut Pending,
    pub(crate) counts: &'a mut PendingCounts,
}

/// How many devices live and how many certificates are retired, what is pending included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PendingCounts {
    live: u64,
    retired: u64,
}

impl PendingCounts {
    /// With nothing pending.
    pub(crate) fn of(view: &impl Devices) -> Self {
        Self { live: view.count(), retired: view.retired_count() }
    }
}

impl<D: Devices> PendingDevices<'_, D> {
    /// Takes the event to have happened. Fingerprints follow as [`DeviceChange`] says, retirements as [`RetirementChange`] does.
    pub(crate) fn apply_pending(&mut self, event: &Event, configuration: &Configuration, at: Timestamp, position: Position) {
        let Some(id) = event.device() else {
            return self.apply_retirements(&RetirementChange::of(event, None, None, at), position);
        };
        let before = self.entry(id);
        let after = evolve_device(before.clone(), event, configuration, at);
        let change = DeviceChange::between(before.as_ref(), after.as_ref());
        for (key, holder) in change.holders(id, |key| self.holder(key)) {
            self.pending.holders.insert(key, (position, holder));
        }
        self.counts.live = change.count(self.counts.live);
        self.apply_retirements(&RetirementChange::of(event, before.as_ref(), after.as_ref(), at), position);
        self.pending.entries.insert(id.clone(), (position, after));
    }

    fn apply_retirements(&mut self, change: &RetirementChange, position: Position) {
        for (key, retired) in change.outcomes(|key| self.retired(key)) {
            if !key.is_second_digest() {
                let (was, is) = (self.retired(&key).is_some(), retired.is_some());
                self.counts.retired = self.counts.retired.saturating_add(u64::from(is)).saturating_sub(u64::from(was));
            }
            self.pending.retired.insert(key, (position, retired));
        }
    }
}

impl<D: Devices> Devices for PendingDevices<'_, D> {
    fn entry(&self, id: &DeviceId) -> Option<DeviceEntry> {
        self.pending.entries.get(id).map_or_else(|| self.below.entry(id), |(_, entry)| entry.clone())
    }

    fn holder(&self, key: &PinKey) -> Option<DeviceId> {
        self.pending.holders.get(key).map_or_else(|| self.below.holder(key), |(_, id)| id.clone())
    }

    fn retired(&self, key: &PinKey) -> Option<Retired> {
        self.pending.retired.get(key).map_or_else(|| self.below.retired(key), |(_, retired)| retired.clone())
    }

    /// What is pending is not seen here: the caller waits until nothing is.
    fn retired_and_ended(&self, instant: Timestamp, max: usize) -> Vec<Fingerprint> {
        self.below.retired_and_ended(instant, max)
    }

    fn retired_count(&self) -> u64 {
        self.counts.retired
    }

    /// A pending deletion of a product's last device is not seen here: the caller waits until nothing is pending.
    fn any_of_product(&self, space: &SpaceId, product: &ProductId) -> bool {
        let pending = self.pending.entries.values().any(|(_, entry)| {
            matches!(entry, Some(DeviceEntry::Live(device)) if device.space == *space && device.product == *product)
        });
        pending || self.below.any_of_product(space, product)
    }

    fn count(&self) -> u64 {
        self.counts.live
    }
}
