//! Rulings as they are announced, to those that listen in this process. They are not kept.
//!
//! Invariant: a listener gets every ruling announced while it listens, or its channel ends: one that is
//! [`BEHIND_MAX`] behind is cut off rather than skipped, or waited for by the registrar.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use rollcall_domain::ids::LogId;
use rollcall_log::requests::AnnouncedRuling;
use tokio::sync::mpsc;

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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rollcall_domain::ids::RequestId;

    use super::*;

    #[tokio::test]
    async fn a_listener_that_is_too_far_behind_gets_what_it_has_then_its_end() {
        let (hub, log) = (Rulings::default(), LogId::Fleet);
        let (mut slow, mut quick) = (hub.listen(&log), hub.listen(&log));
        let ruling = AnnouncedRuling { id: RequestId::parse("1").unwrap(), ruling: Bytes::new() };
        for _ in 0..=BEHIND_MAX {
            hub.announce(&log, std::slice::from_ref(&ruling));
            assert!(quick.recv().await.is_some());
        }
        let mut heard = 0;
        while slow.recv().await.is_some() {
            heard += 1;
        }
        assert_eq!(heard, BEHIND_MAX, "all but the one that did not fit, and no more after it");
        hub.announce(&log, &[ruling]);
        assert!(quick.recv().await.is_some(), "the others are not cut off with it");
    }
}
