//! The live sessions of one instance at this connector: by device, and by what they have subscribed to.
//!
//! Not its job: whether a session may live on ([`crate::sessions::judge`]) and what other connectors hold ([`crate::sessions::presence`]).
//! Invariant: one session for each device; opening another closes the one before.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use rollcall_domain::{
    authenticate::{Identification, Recognised},
    certificate::CertificateFacts,
    ids::{CaId, DeviceId, SpaceId},
    policy::{Action, TopicScope, Variables, forbids, permits, topic_scope},
    refusal::Refusal,
    registry::{Configuration, Device, DeviceEntry, Devices},
    time::Timestamp,
};

use crate::{
    metrics::metrics,
    sessions::{
        filters::Filters,
        mailbox::{Bounds, Mailbox},
    },
};

/// One live session, shared by its connection and everything that may reach it.
#[derive(Debug)]
pub(crate) struct Session {
    /// Unique within the connector's life, and rising.
    pub(crate) number: u64,
    /// Who it is.
    pub(crate) device: Recognised,
    /// As sent in CONNECT.
    pub(crate) client_id: Box<str>,
    /// As sent in CONNECT.
    pub(crate) user_name: Option<Box<str>>,
    /// What the device's certificate says.
    pub(crate) facts: Arc<CertificateFacts>,
    /// The CA certificate that it was proven by.
    pub(crate) ca: CaId,
    /// Since when.
    pub(crate) since: Timestamp,
    /// What waits for its connection.
    pub(crate) mailbox: Mailbox,
    /// Whether presence has taken its announcement.
    pub(crate) acknowledged: AtomicBool,
    /// Whether presence has shown it to everybody: from then on a foreign session is a newer one.
    pub(crate) announced: AtomicBool,
    /// The device as the policies need it; read when first needed, read again after a record about it.
    record: Mutex<Option<Arc<Device>>>,
    /// Its custom filters; the tree of its space holds the same.
    filters: Mutex<Vec<Box<str>>>,
}

/// What makes a session.
pub(crate) struct Opening<'a> {
    /// Who it is.
    pub(crate) device: Recognised,
    /// As sent in CONNECT.
    pub(crate) identification: Identification<'a>,
    /// What the device's certificate says.
    pub(crate) facts: Arc<CertificateFacts>,
    /// The CA certificate that it was proven by.
    pub(crate) ca: CaId,
    /// Now.
    pub(crate) since: Timestamp,
}

/// All sessions of one instance.
pub(crate) struct Sessions {
    bounds: Bounds,
    numbers: Arc<AtomicU64>,
    count: AtomicUsize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    devices: HashMap<DeviceId, Arc<Session>>,
    filters: HashMap<SpaceId, Filters<Arc<Session>>>,
}

impl Session {
    /// What of CONNECT matters to who it is.
    pub(crate) fn identification(&self) -> Identification<'_> {
        Identification { client_id: &self.client_id, user_name: self.user_name.as_deref() }
    }

    /// Whether policies let the device do this on a custom topic, or with a custom filter.
    pub(crate) fn permits(&self, action: Action, topic: &str, configuration: &Configuration, devices: &dyn Devices) -> bool {
        let Some(record) = self.record(devices) else { return false };
        permits(configuration.policies_of(&record), action, topic, self.variables())
    }

    /// Whether a policy forbids that a message on this custom topic is delivered, whatever filter it came by.
    pub(crate) fn forbids_delivery(&self, topic: &str, configuration: &Configuration, devices: &dyn Devices) -> bool {
        let Some(record) = self.record(devices) else { return true };
        forbids(configuration.policies_of(&record), Action::Subscribe, topic, self.variables())
    }

    fn variables(&self) -> Variables<'_> {
        Variables { device_id: &self.device.device, client_id: &self.client_id, product_id: &self.device.product }
    }

    /// Whose a topic or filter is, seen from this device.
    pub(crate) fn scope(&self, topic: &str) -> TopicScope {
        topic_scope(topic, &self.device.device)
    }

    /// The device's record has changed: read it again when it is next needed.
    pub(crate) fn forget_record(&self) {
        *self.record.lock().expect("nothing panics while it holds this lock") = None;
    }

    /// The lock is held while the store is read: a record that is forgotten meanwhile must not come back.
    fn record(&self, devices: &dyn Devices) -> Option<Arc<Device>> {
        let mut record = self.record.lock().expect("nothing panics while it holds this lock");
        if record.is_none() {
            *record = match devices.entry(&self.device.device) {
                Some(DeviceEntry::Live(device)) => Some(Arc::new(device)),
                Some(DeviceEntry::Deleted { .. }) | None => None,
            };
        }
        record.clone()
    }

    fn filters(&self) -> MutexGuard<'_, Vec<Box<str>>> {
        self.filters.lock().expect("nothing panics while it holds this lock")
    }
}

impl Sessions {
    /// None yet. `bounds` are each mailbox's; `numbers` is where sessions get theirs.
    pub(crate) fn new(bounds: Bounds, numbers: Arc<AtomicU64>) -> Self {
        Self { bounds, numbers, count: AtomicUsize::new(0), table: Mutex::default() }
    }

    /// Opens a session; one of the same device is closed: the newer wins.
    pub(crate) fn open(&self, opening: Opening<'_>) -> Arc<Session> {
        let session = Arc::new(Session {
            number: self.numbers.fetch_add(1, Ordering::Relaxed),
            device: opening.device,
            client_id: opening.identification.client_id.into(),
            user_name: opening.identification.user_name.map(Into::into),
            facts: opening.facts,
            ca: opening.ca,
            since: opening.since,
            mailbox: Mailbox::new(self.bounds),
            acknowledged: AtomicBool::new(false),
            announced: AtomicBool::new(false),
            record: Mutex::default(),
            filters: Mutex::default(),
        });
        let before = self.table().devices.insert(session.device.device.clone(), session.clone());
        match before {
            Some(before) => before.mailbox.close(Refusal::TakenOver),
            None => {
                self.count.fetch_add(1, Ordering::Relaxed);
                metrics().sessions(1);
            }
        }
        session
    }

    /// The connection of a session has ended. `true` if it still was the device's session: the device is offline here.
    pub(crate) fn remove(&self, session: &Arc<Session>) -> bool {
        let held = std::mem::take(&mut *session.filters());
        let mut table = self.table();
        held.iter().for_each(|filter| table.unsubscribe(session, filter));
        let current = table.devices.get(&session.device.device).is_some_and(|current| current.number == session.number);
        if current {
            table.devices.remove(&session.device.device);
            self.count.fetch_sub(1, Ordering::Relaxed);
            metrics().sessions(-1);
        }
        current
    }

    /// The session of a device.
    pub(crate) fn of(&self, device: &DeviceId) -> Option<Arc<Session>> {
        self.table().devices.get(device).cloned()
    }

    /// All of them, at this instant.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.table().devices.values().cloned().collect()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// A session holds a custom filter that it may hold.
    pub(crate) fn subscribe(&self, session: &Arc<Session>, filter: &str) {
        let mut held = session.filters();
        if held.iter().any(|known| **known == *filter) {
            return;
        }
        held.push(filter.into());
        let mut table = self.table();
        let filters = table.filters.entry(session.device.space.clone()).or_default();
        filters.insert(filter, session.number, session.clone());
    }

    /// It no longer does.
    pub(crate) fn unsubscribe(&self, session: &Arc<Session>, filter: &str) {
        let mut held = session.filters();
        held.retain(|known| **known != *filter);
        self.table().unsubscribe(session, filter);
    }

    /// Drops the custom filters that policies no longer allow, and tells the connection; `true` if there were any.
    pub(crate) fn withdraw_unpermitted(
        &self,
        session: &Arc<Session>,
        configuration: &Configuration,
        devices: &dyn Devices,
    ) -> bool {
        let held = session.filters().clone();
        let allowed = |filter: &str| session.permits(Action::Subscribe, filter, configuration, devices);
        let withdrawn: Vec<_> = held.into_iter().filter(|filter| !allowed(filter)).collect();
        withdrawn.iter().for_each(|filter| self.unsubscribe(session, filter));
        let any = !withdrawn.is_empty();
        if any {
            session.mailbox.withdraw(withdrawn);
        }
        any
    }

    /// The sessions of a resource space that have subscribed to a custom topic, each once.
    pub(crate) fn subscribers(&self, space: &SpaceId, topic: &str) -> Vec<Arc<Session>> {
        let mut holders = self.table().filters.get(space).map(|filters| filters.holders(topic)).unwrap_or_default();
        holders.sort_unstable_by_key(|session| session.number);
        holders.dedup_by_key(|session| session.number);
        holders
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("nothing panics while it holds this lock")
    }
}

impl Table {
    fn unsubscribe(&mut self, session: &Arc<Session>, filter: &str) {
        let Some(filters) = self.filters.get_mut(&session.device.space) else { return };
        filters.remove(filter, session.number);
        if filters.is_empty() {
            self.filters.remove(&session.device.space);
        }
    }
}
