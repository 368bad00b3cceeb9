//! The last committed position of every stream, for followers that wait for the next one.
//!
//! Invariant: a position is set after its commit, never before, so that a reader that is woken finds the row.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::watch;

use super::stream::StreamName;

/// One watch per declared stream.
#[derive(Default)]
pub(crate) struct Tails(Mutex<BTreeMap<StreamName, watch::Sender<u64>>>);

impl Tails {
    /// A stream ends at `last`; declares it if it is new here.
    pub(crate) fn set(&self, stream: &StreamName, last: u64) {
        let mut tails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match tails.get(stream) {
            Some(tail) => {
                tail.send_replace(last);
            }
            None => {
                tails.insert(stream.clone(), watch::Sender::new(last));
            }
        }
    }

    /// Follows the end of a stream; `None` if it was never declared.
    pub(crate) fn watch(&self, stream: &StreamName) -> Option<watch::Receiver<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(stream).map(watch::Sender::subscribe)
    }

    /// The last position of a stream; `None` if it was never declared.
    pub(crate) fn last(&self, stream: &StreamName) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(stream).map(|tail| *tail.borrow())
    }

    /// Every declared stream.
    pub(crate) fn streams(&self) -> Vec<StreamName> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}
