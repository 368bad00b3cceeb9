//! What an event does to one device, beside its entry: which fingerprints it releases and pins, and how many devices live.
//!
//! Everything that keeps an index of fingerprints or a count of devices follows [`DeviceChange`]. Invariant: a [`PinKey`]
//! leads to the device that pinned it first, until that device releases it; `decide` never grants a second pin of one key.

use crate::{
    ids::DeviceId,
    registry::{retirement::PinKey, state::DeviceEntry},
};

/// The change from one entry of a device to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceChange {
    /// Those that only the entry before has.
    pub released: Vec<PinKey>,
    /// All that the entry after has, those that it keeps included: one of them may have led to another device until now.
    pub pinned: Vec<PinKey>,
    pub was_live: bool,
    pub is_live: bool,
}

impl DeviceChange {
    pub fn between(before: Option<&DeviceEntry>, after: Option<&DeviceEntry>) -> Self {
        let pinned = keys(after);
        let released = keys(before).into_iter().filter(|key| !pinned.contains(key)).collect();
        Self { released, pinned, was_live: is_live(before), is_live: is_live(after) }
    }

    /// The keys that lead elsewhere after the change, each with the device that it leads to then. `holder` says what it leads to
    /// before.
    pub fn holders<'a>(
        &'a self,
        device: &'a DeviceId,
        holder: impl Fn(&PinKey) -> Option<DeviceId>,
    ) -> Vec<(PinKey, Option<DeviceId>)> {
        let released = self.released.iter().filter(|released| holder(released).as_ref() == Some(device));
        let pinned = self.pinned.iter().filter(|pinned| holder(pinned).is_none());
        let released = released.map(|released| (released.clone(), None));
        released.chain(pinned.map(|pinned| (pinned.clone(), Some(device.clone())))).collect()
    }

    /// How many devices live after the change, where `live` did before it.
    pub fn count(&self, live: u64) -> u64 {
        live.saturating_add(u64::from(self.is_live)).saturating_sub(u64::from(self.was_live))
    }
}

fn is_live(entry: Option<&DeviceEntry>) -> bool {
    matches!(entry, Some(DeviceEntry::Live(_)))
}

fn keys(entry: Option<&DeviceEntry>) -> Vec<PinKey> {
    match entry {
        Some(DeviceEntry::Live(device)) => device.pin_keys().map(|(key, _)| key).collect(),
        Some(DeviceEntry::Deleted { .. }) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::Fingerprint,
        registry::{
            Devices as _,
            tests::world::{World, id, pinned},
        },
        time::Timestamp,
    };

    const OLD: Fingerprint = Fingerprint::Sha256([1; 32]);
    const KEPT: Fingerprint = Fingerprint::Sha1([2; 20]);
    const NEW: Fingerprint = Fingerprint::Sha256([3; 32]);

    fn entry(primary: Fingerprint, secondary: Fingerprint) -> DeviceEntry {
        let mut world = World::furnished();
        world.pre_register("dev1", "acme", "meter", pinned(Some(primary), Some(secondary)));
        world.registry.entry(&id("dev1")).unwrap()
    }

    fn key(fingerprint: Fingerprint) -> PinKey {
        PinKey::typed(fingerprint, &id("acme"))
    }

    #[test]
    fn a_fingerprint_that_stays_is_not_released() {
        let (before, after) = (entry(OLD, KEPT), entry(NEW, KEPT));
        let change = DeviceChange::between(Some(&before), Some(&after));
        assert_eq!((change.released, change.pinned), (vec![key(OLD)], vec![key(NEW), key(KEPT)]));
        assert_eq!(DeviceChange::between(Some(&before), Some(&after)).count(7), 7);
    }

    #[test]
    fn a_deleted_device_releases_all_and_a_new_one_counts() {
        let at = Timestamp::from_unix_s(0);
        let (before, gone) = (entry(OLD, KEPT), DeviceEntry::Deleted { at, space: id("acme"), certificates: Vec::new() });
        let deleted = DeviceChange::between(Some(&before), Some(&gone));
        assert_eq!((&*deleted.released, &*deleted.pinned), (&[key(OLD), key(KEPT)][..], &[][..]));
        assert_eq!(deleted.count(7), 6);
        assert_eq!(DeviceChange::between(None, Some(&before)).count(7), 8);
        assert_eq!(DeviceChange::between(Some(&gone), None).count(7), 7, "a readmitted id is no device yet");
    }

    #[test]
    fn a_fingerprint_leads_to_the_device_that_pinned_it_first() {
        let (before, after) = (entry(OLD, KEPT), entry(NEW, KEPT));
        let change = DeviceChange::between(Some(&before), Some(&after));
        let (mine, other) = (id::<DeviceId>("dev1"), id::<DeviceId>("dev2"));
        let moved =
            |holder: fn(&PinKey) -> Option<&'static str>| change.holders(&mine, |key| holder(key).map(id::<DeviceId>));
        let taken = |fingerprint| (key(fingerprint), Some(mine.clone()));
        assert_eq!(moved(|of| (of.fingerprint != NEW).then_some("dev1")), [(key(OLD), None), taken(NEW)]);
        assert_eq!(moved(|_| Some("dev2")), [], "what leads to {other} stays");
        assert_eq!(moved(|_| None), [taken(NEW), taken(KEPT)], "what is free is taken");
    }
}
