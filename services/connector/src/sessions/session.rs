//! One live session: who it is, what waits for its connection, and what policies let it use.

use std::sync::{Arc, Mutex, MutexGuard, atomic::AtomicBool};

use rollcall_domain::{
    authenticate::{Identification, Recognised},
    certificate::{CertificateFacts, path::Proven},
    policy::{Action, TopicScope, Variables, forbids, permits, topic_scope},
    registry::{Configuration, Device, DeviceEntry, Devices},
    time::Timestamp,
};

use rollcall_log::documents::Revision;

use super::{
    ended::will::{KeptWill, SessionWill},
    holder::Holder,
    mailbox::{Bounds, Mailbox},
    persistent::state::Persistence,
};

/// One live session, shared by its connection and everything that may reach it.
#[derive(Debug)]
pub(crate) struct Session {
    /// Unique within the connector's life; rises.
    pub(crate) number: u64,
    pub(crate) device: Recognised,
    pub(crate) client_id: Box<str>,
    pub(crate) user_name: Option<Box<str>>,
    pub(crate) facts: Arc<CertificateFacts>,
    /// By which certificates its chain leads to which CA certificate.
    pub(crate) path: Arc<Proven>,
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
    will: Mutex<OwnWill>,
    /// What of it outlives its connection.
    pub(crate) persistence: Persistence,
}

/// The will of a session.
#[derive(Debug, Default)]
struct OwnWill {
    will: Option<SessionWill>,
    /// The client has said goodbye in a way that discards it.
    discarded: bool,
}

/// What makes a session.
pub(crate) struct Opening<'a> {
    pub(crate) device: Recognised,
    pub(crate) identification: Identification<'a>,
    pub(crate) facts: Arc<CertificateFacts>,
    /// By which certificates its chain leads to which CA certificate.
    pub(crate) path: Arc<Proven>,
    pub(crate) since: Timestamp,
}

impl Session {
    /// A session that nothing waits for yet.
    pub(super) fn new(number: u64, opening: Opening<'_>, bounds: Bounds) -> Self {
        Self {
            number,
            device: opening.device,
            client_id: opening.identification.client_id.into(),
            user_name: opening.identification.user_name.map(Into::into),
            facts: opening.facts,
            path: opening.path,
            since: opening.since,
            mailbox: Mailbox::new(bounds),
            acknowledged: AtomicBool::new(false),
            announced: AtomicBool::new(false),
            record: Mutex::default(),
            filters: Mutex::default(),
            will: Mutex::default(),
            persistence: Persistence::default(),
        }
    }

    pub(super) fn set_will(&self, will: SessionWill) {
        self.own_will().will = Some(will);
    }

    /// The client has said goodbye: its will is not published.
    pub(crate) fn discard_will(&self) {
        self.own_will().discarded = true;
    }

    /// This connector was taken for lost: its will may have been published.
    pub(super) fn doubt_will(&self) {
        if let Some(will) = &mut self.own_will().will {
            will.stored = None;
        }
    }

    /// Whether its will may not be stored.
    pub(super) fn has_unkept_will(&self) -> bool {
        let own = self.own_will();
        !own.discarded && own.will.as_ref().is_some_and(|will| will.stored.is_none())
    }

    /// Its will, if that may not be stored and the client has not said goodbye.
    pub(super) fn unkept_will(&self) -> Option<KeptWill> {
        let own = self.own_will();
        let will = own.will.as_ref().filter(|will| !own.discarded && will.stored.is_none())?;
        Some((*will.will).clone())
    }

    /// Its will is stored again.
    pub(super) fn note_will_kept(&self, revision: Revision) {
        if let Some(will) = &mut self.own_will().will {
            will.stored = Some(revision);
        }
    }

    /// Its will, and whether that is not to be published.
    pub(super) fn take_will(&self) -> (Option<SessionWill>, bool) {
        let mut own = self.own_will();
        (own.will.take(), own.discarded)
    }

    fn own_will(&self) -> MutexGuard<'_, OwnWill> {
        self.will.lock().expect("nothing panics while it holds this lock")
    }

    /// Whom a will of it belongs to; `None` if the view does not know the device (any more).
    pub(super) fn holder(&self, devices: &dyn Devices) -> Option<Holder> {
        self.record(devices).map(|device| Holder::new(&device, &self.identification(), &self.facts, &self.path))
    }

    /// Whom the session belongs to that it goes on from, or that is kept of it.
    pub(super) fn session_holder(&self, devices: &dyn Devices) -> Option<Holder> {
        let device = self.record(devices)?;
        Some(Holder::new(&device, &self.identification(), &self.facts, &self.path).of_session(&device))
    }

    /// The part of CONNECT that identifies the device.
    pub(crate) fn identification(&self) -> Identification<'_> {
        Identification { client_id: &self.client_id, user_name: self.user_name.as_deref() }
    }

    /// Whether policies let the device do this on a custom topic, or with a custom filter.
    pub(crate) fn permits(&self, action: Action, topic: &str, configuration: &Configuration, devices: &dyn Devices) -> bool {
        let Some(record) = self.record(devices) else { return false };
        permits(configuration.policies_of(&record), action, topic, self.variables(&record))
    }

    /// Whether a policy forbids that a message on this custom topic is delivered, whatever filter it came by.
    pub(crate) fn forbids_delivery(&self, topic: &str, configuration: &Configuration, devices: &dyn Devices) -> bool {
        let Some(record) = self.record(devices) else { return true };
        forbids(configuration.policies_of(&record), Action::Subscribe, topic, self.variables(&record))
    }

    fn variables<'a>(&'a self, record: &'a Device) -> Variables<'a> {
        let client_id = self.identification().client_id_of(record);
        let (device_id, product_id) = (&self.device.device, &self.device.product);
        Variables { device_id, node_id: &record.node_id, client_id, product_id }
    }

    /// Whose a topic or filter is, seen from this device.
    pub(crate) fn scope(&self, topic: &str) -> TopicScope {
        topic_scope(topic, &self.device.device)
    }

    /// Drops the cached record; it is read again when it is next needed.
    pub(crate) fn forget_record(&self) {
        *self.record.lock().expect("nothing panics while it holds this lock") = None;
    }

    /// Reads the store under the lock, so that a record that is forgotten meanwhile does not come back.
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

    /// Its custom filters; the tree of its space holds the same.
    pub(super) fn filters(&self) -> MutexGuard<'_, Vec<Box<str>>> {
        self.filters.lock().expect("nothing panics while it holds this lock")
    }
}
