//! What is to be done, by device and by time, within bounds.
//!
//! Invariants: of one document there is one thing to do at most; of one device there are at most [`WILLS_OF_DEVICE_MAX`] wills
//! to publish and as many to delete; wills that may be nowhere else take at most [`UNSTORED_BYTES_MAX`]. What is too much is given
//! up at the cost of the device that adds it, its oldest first.

use std::collections::{BTreeMap, HashMap};

use rollcall_domain::ids::DeviceId;
use rollcall_log::documents::DocumentKey;
use tokio::time::Instant;

use super::work::{Source, Work};

/// Wills of one device that wait to be published, and as many that wait to be deleted. They only add up while the backbone does
/// not take them.
pub(super) const WILLS_OF_DEVICE_MAX: usize = 16;
/// Bytes of the wills of an instance that wait here because they may not be stored.
pub(super) const UNSTORED_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Entry {
    number: u64,
    pub(super) key: DocumentKey,
    pub(super) at: Instant,
    /// It is a will that waits for its delay.
    pub(super) delayed: bool,
    pub(super) work: Work,
}

/// See the file.
#[derive(Debug, Default)]
pub(super) struct Entries {
    numbers: u64,
    of_device: HashMap<DeviceId, Vec<Entry>>,
    order: BTreeMap<(Instant, u64), DeviceId>,
    unstored_bytes: usize,
    given_up: u64,
}

impl Entries {
    /// Replaces what was to be done with the same document.
    pub(super) fn add(&mut self, key: DocumentKey, at: Instant, delayed: bool, work: Work) {
        let Some(device) = device_of(&key).cloned() else { return };
        self.remove(&device, |entry| entry.key == key);
        self.insert(&device, key, at, delayed, work);
        self.bound(&device);
    }

    fn insert(&mut self, device: &DeviceId, key: DocumentKey, at: Instant, delayed: bool, work: Work) {
        self.numbers += 1;
        let number = self.numbers;
        self.unstored_bytes += work.unstored_bytes();
        self.order.insert((at, number), device.clone());
        self.of_device.entry(device.clone()).or_default().push(Entry { number, key, at, delayed, work });
    }

    pub(super) fn remove(&mut self, device: &DeviceId, which: impl Fn(&Entry) -> bool) -> std::vec::IntoIter<Entry> {
        let Some(entries) = self.of_device.get_mut(device) else { return Vec::new().into_iter() };
        let removed: Vec<Entry> = entries.extract_if(.., |entry| which(entry)).collect();
        if entries.is_empty() {
            self.of_device.remove(device);
        }
        for entry in &removed {
            self.order.remove(&(entry.at, entry.number));
            self.unstored_bytes -= entry.work.unstored_bytes();
        }
        removed.into_iter()
    }

    pub(super) fn has(&self, key: &DocumentKey) -> bool {
        let entries = device_of(key).and_then(|device| self.of_device.get(device));
        entries.is_some_and(|entries| entries.iter().any(|entry| entry.key == *key))
    }

    /// When the first of all is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first_key_value().map(|((at, _), _)| *at)
    }

    /// The first of all, if it is due at `now`.
    pub(super) fn take(&mut self, now: Instant) -> Option<Entry> {
        let (&(at, number), device) = self.order.first_key_value()?;
        let device = device.clone();
        if at > now { None } else { self.remove(&device, |entry| entry.number == number).next() }
    }

    /// How many wills have been given up since this was last asked.
    pub(super) fn take_given_up(&mut self) -> u64 {
        std::mem::take(&mut self.given_up)
    }

    fn bound(&mut self, device: &DeviceId) {
        let is_here = |entry: &Entry| matches!(entry.work, Work::Publish(Source::Here(_)));
        let publishes = |entry: &Entry| matches!(entry.work, Work::Publish(_));
        while self.unstored_bytes > UNSTORED_BYTES_MAX && self.give_up_oldest(device, is_here) {}
        while self.count(device, publishes) > WILLS_OF_DEVICE_MAX && self.give_up_oldest(device, publishes) {}
        let deletes = |entry: &Entry| matches!(entry.key, DocumentKey::Will(..)) && !publishes(entry);
        while self.count(device, deletes) > WILLS_OF_DEVICE_MAX && self.give_up_oldest(device, deletes) {}
    }

    fn count(&self, device: &DeviceId, which: impl Fn(&Entry) -> bool) -> usize {
        self.of_device.get(device).map_or(0, |entries| entries.iter().filter(|entry| which(entry)).count())
    }

    /// `false` if the device has none of these. One that was to be published is to be deleted instead.
    fn give_up_oldest(&mut self, device: &DeviceId, which: impl Fn(&Entry) -> bool) -> bool {
        let entries = self.of_device.get(device).into_iter().flatten();
        let oldest = entries.filter(|entry| which(entry)).min_by_key(|entry| (connection_of(&entry.key), entry.number));
        let Some(number) = oldest.map(|oldest| oldest.number) else { return false };
        for entry in self.remove(device, |entry| entry.number == number) {
            self.given_up += 1;
            if let Some(work) = entry.work.given_up() {
                self.insert(device, entry.key, entry.at, false, work);
            }
        }
        true
    }
}

/// The number of the connection that a will is of, which rises.
fn connection_of(key: &DocumentKey) -> Option<u64> {
    if let DocumentKey::Will(_, session) = key { Some(session.number) } else { None }
}

fn device_of(key: &DocumentKey) -> Option<&DeviceId> {
    match key {
        DocumentKey::Will(device, _) | DocumentKey::Session(device) => Some(device),
        DocumentKey::Shadow(_)
        | DocumentKey::Messages(_)
        | DocumentKey::Message(..)
        | DocumentKey::Cursor(_)
        | DocumentKey::OperatorSession(_) => None,
    }
}
