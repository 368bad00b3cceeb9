//! Rulings as they are announced, to whoever listens in this process. Kept by nobody.
//!
//! Invariant: a listener gets every ruling announced while it listens, or its channel ends: one that is
//! [`BEHIND_MAX`] behind is cut off rather than skipped, or waited for by the registrar.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use rollcall_domain::ids::LogId;
use tokio::sync::mpsc;

use crate::requests::AnnouncedRuling;

/// Most rulings that wait for one listener.
const BEHIND_MAX: usize = 65_536;

/// The listeners of every log.
#[derive(Default)]
pub(crate) struct Rulings(Mutex<BTreeMap<LogId, Vec<mpsc::Sender<AnnouncedRuling>>>>);

impl Rulings {
    pub(crate) fn announce(&self, log: &LogId, rulings: &[AnnouncedRuling]) {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listeners) = logs.get_mut(log) {
            listeners.retain(|listener| rulings.iter().all(|ruling| listener.try_send(ruling.clone()).is_ok()));
        }
    }

    pub(crate) fn listen(&self, log: &LogId) -> mpsc::Receiver<AnnouncedRuling> {
        let (listener, rulings) = mpsc::channel(BEHIND_MAX);
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let listeners = logs.entry(log.clone()).or_default();
        listeners.retain(|listener| !listener.is_closed());
        listeners.push(listener);
        rulings
    }
}
