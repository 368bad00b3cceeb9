//! The live sessions of one instance at this connector: by device, and by what they have subscribed to.
//!
//! Does not decide whether a session may live on ([`super::reauthorize`]) and does not know the sessions of other
//! connectors ([`super::presence`]). Invariant: one session for each device; opening another closes the one before.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use rollcall_domain::{
    ids::{DeviceId, SpaceId},
    policy::Action,
    refusal::Refusal,
    registry::{Configuration, Devices},
};

use super::{
    mailbox::Bounds,
    session::{Opening, Session},
    subscription_tree::SubscriptionTree,
};
use crate::metrics::metrics;

/// All sessions of one instance.
pub(crate) struct SessionTable {
    bounds: Bounds,
    numbers: Arc<AtomicU64>,
    first_number: u64,
    count: AtomicUsize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    devices: HashMap<DeviceId, Arc<Session>>,
    /// By SHA-256 over the DER of the certificate: asked at every registration, so not by a look through all.
    certificates: HashMap<[u8; 32], Vec<Arc<Session>>>,
    filters: HashMap<SpaceId, SubscriptionTree<Arc<Session>>>,
}

impl SessionTable {
    /// `bounds` are those of each mailbox; `numbers` is the source of session numbers.
    pub(crate) fn new(bounds: Bounds, numbers: Arc<AtomicU64>) -> Self {
        let first_number = numbers.load(Ordering::Relaxed);
        Self { bounds, numbers, first_number, count: AtomicUsize::new(0), table: Mutex::default() }
    }

    /// Sessions of this connector with lower numbers were in the table of an earlier run of the instance.
    pub(crate) fn first_number(&self) -> u64 {
        self.first_number
    }

    /// Opens a session; one of the same device is closed: the newer session wins.
    pub(crate) fn open(&self, opening: Opening<'_>) -> Arc<Session> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(Session::new(number, opening, self.bounds));
        let before = self.table().insert(&session);
        match before {
            Some(before) => before.mailbox.close(Refusal::TakenOver),
            None => {
                self.count.fetch_add(1, Ordering::Relaxed);
                metrics().sessions(1);
            }
        }
        session
    }

    /// Removes a session whose connection has ended. `true` if it still was the device's session: the device is offline
    /// here.
    pub(crate) fn remove(&self, session: &Arc<Session>) -> bool {
        let filters = std::mem::take(&mut *session.filters());
        let mut table = self.table();
        filters.iter().for_each(|filter| table.unsubscribe(session, filter));
        let current = table.devices.get(&session.device.device).is_some_and(|current| current.number == session.number);
        if current {
            table.devices.remove(&session.device.device);
            table.forget_certificate(session);
            self.count.fetch_sub(1, Ordering::Relaxed);
            metrics().sessions(-1);
        }
        current
    }

    pub(crate) fn of(&self, device: &DeviceId) -> Option<Arc<Session>> {
        self.table().devices.get(device).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.table().devices.values().cloned().collect()
    }

    /// The sessions that were opened with one of these certificates (SHA-256 over the DER).
    pub(crate) fn connected_with(&self, certificates: &HashSet<[u8; 32]>) -> Vec<Arc<Session>> {
        let table = self.table();
        certificates.iter().filter_map(|certificate| table.certificates.get(certificate)).flatten().cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Adds a custom filter of a session; idempotent.
    pub(crate) fn subscribe(&self, session: &Arc<Session>, filter: &str) {
        let mut filters = session.filters();
        if filters.iter().any(|known| **known == *filter) {
            return;
        }
        filters.push(filter.into());
        let mut table = self.table();
        let tree = table.filters.entry(session.device.space.clone()).or_default();
        tree.insert(filter, session.number, session.clone());
    }

    /// Removes a custom filter of a session; idempotent.
    pub(crate) fn unsubscribe(&self, session: &Arc<Session>, filter: &str) {
        let mut filters = session.filters();
        filters.retain(|known| **known != *filter);
        self.table().unsubscribe(session, filter);
    }

    /// Drops the custom filters that policies no longer allow, and tells the connection; `true` if there were any.
    pub(crate) fn withdraw_unpermitted(
        &self,
        session: &Arc<Session>,
        configuration: &Configuration,
        devices: &dyn Devices,
    ) -> bool {
        let filters = session.filters().clone();
        let allowed = |filter: &str| session.permits(Action::Subscribe, filter, configuration, devices);
        let withdrawn: Vec<_> = filters.into_iter().filter(|filter| !allowed(filter)).collect();
        withdrawn.iter().for_each(|filter| self.unsubscribe(session, filter));
        let any = !withdrawn.is_empty();
        if any {
            session.mailbox.withdraw(withdrawn);
        }
        any
    }

    /// The sessions of a resource space that have subscribed to a custom topic, each once.
    pub(crate) fn subscribers(&self, space: &SpaceId, topic: &str) -> Vec<Arc<Session>> {
        let mut subscribers = self.table().filters.get(space).map(|filters| filters.subscribers(topic)).unwrap_or_default();
        subscribers.sort_unstable_by_key(|session| session.number);
        subscribers.dedup_by_key(|session| session.number);
        subscribers
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("nothing panics while it holds this lock")
    }
}

impl Table {
    /// The device's session before this one is answered.
    fn insert(&mut self, session: &Arc<Session>) -> Option<Arc<Session>> {
        let before = self.devices.insert(session.device.device.clone(), session.clone());
        before.iter().for_each(|before| self.forget_certificate(before));
        self.certificates.entry(session.facts.sha256).or_default().push(session.clone());
        before
    }

    fn forget_certificate(&mut self, session: &Arc<Session>) {
        let Some(sessions) = self.certificates.get_mut(&session.facts.sha256) else { return };
        sessions.retain(|other| other.number != session.number);
        if sessions.is_empty() {
            self.certificates.remove(&session.facts.sha256);
        }
    }

    fn unsubscribe(&mut self, session: &Arc<Session>, filter: &str) {
        let Some(filters) = self.filters.get_mut(&session.device.space) else { return };
        filters.remove(filter, session.number);
        if filters.is_empty() {
            self.filters.remove(&session.device.space);
        }
    }
}
