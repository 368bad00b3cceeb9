//! The seven traits on one core.

use std::sync::Arc;

use rollcall_log::Backbone;

use super::{
    attempts::LocalAttempts, core::Core, documents::LocalDocuments, heartbeat::HeartbeatHub, log::LocalLog,
    messages::LocalMessages, presence::PresenceHub, requests::LocalRequests, rulings::Rulings,
};

/// The seven parts as what they are: a simulation needs more of the request queue than its trait.
pub(crate) struct Parts {
    pub(crate) log: Arc<LocalLog>,
    pub(crate) requests: Arc<LocalRequests>,
    pub(crate) attempts: Arc<LocalAttempts>,
    pub(crate) messages: Arc<LocalMessages>,
    pub(crate) presence: Arc<PresenceHub>,
    pub(crate) documents: Arc<LocalDocuments>,
    pub(crate) heartbeats: Arc<HeartbeatHub>,
}

/// Puts the seven traits on a core.
pub(crate) fn parts(core: &Arc<Core>) -> Parts {
    Parts {
        log: Arc::new(LocalLog(Arc::clone(core))),
        requests: Arc::new(LocalRequests { core: Arc::clone(core), rulings: Rulings::default() }),
        attempts: Arc::new(LocalAttempts(Arc::clone(core))),
        messages: Arc::new(LocalMessages::new(core)),
        presence: PresenceHub::new(core.shared.limits.presence_lease, Arc::clone(&core.shared.now_ms)),
        documents: Arc::new(LocalDocuments(Arc::clone(core))),
        heartbeats: Arc::default(),
    }
}

impl From<Parts> for Backbone {
    fn from(parts: Parts) -> Self {
        Self {
            log: parts.log,
            requests: parts.requests,
            attempts: parts.attempts,
            messages: parts.messages,
            presence: parts.presence,
            documents: parts.documents,
            heartbeats: parts.heartbeats,
        }
    }
}
