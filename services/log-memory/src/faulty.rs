//! A backbone that fails as a network and a broker fail, round one that does not.
//!
//! Invariant: no fault breaks a promise of the traits; each is something that a correct caller must live with.

mod documents;
mod requests;
mod streams;

use std::sync::Arc;

use rollcall_log::{Backbone, BackboneError};
use rollcall_log_embedded::in_memory::Redelivery;

use self::{
    documents::FaultyDocuments,
    requests::FaultyRequests,
    streams::{FaultyAttempts, FaultyHeartbeats, FaultyLog, FaultyMessages, FaultyPresence},
};
use super::fault_injection::FaultInjection;

/// Puts the faults round a backbone in memory.
pub(crate) fn wrap(inner: Backbone, redelivery: Redelivery, injection: &Arc<FaultInjection>) -> Backbone {
    let injection = || Arc::clone(injection);
    Backbone {
        log: Arc::new(FaultyLog { inner: inner.log, injection: injection() }),
        requests: Arc::new(FaultyRequests { inner: inner.requests, redelivery, injection: injection() }),
        attempts: Arc::new(FaultyAttempts { inner: inner.attempts, injection: injection() }),
        messages: Arc::new(FaultyMessages { inner: inner.messages, injection: injection() }),
        presence: Arc::new(FaultyPresence { inner: inner.presence, injection: injection() }),
        documents: Arc::new(FaultyDocuments { inner: inner.documents, injection: injection() }),
        heartbeats: Arc::new(FaultyHeartbeats { inner: inner.heartbeats, injection: injection() }),
    }
}

impl FaultInjection {
    /// Fails before anything is done.
    fn reach(&self, attempted: &str) -> Result<(), BackboneError> {
        self.fail_if(self.happens(|faults| faults.unavailable), attempted, "it could not be reached")
    }

    /// Fails after it was done.
    fn acknowledge(&self, attempted: &str) -> Result<(), BackboneError> {
        self.fail_if(self.happens(|faults| faults.lost_ack), attempted, "no answer came")
    }

    fn fail_if(&self, fails: bool, attempted: &str, reason: &str) -> Result<(), BackboneError> {
        if !fails {
            return Ok(());
        }
        self.note_failed(attempted);
        let (attempted, reason) = (attempted.to_owned(), format!("injected fault: {reason}"));
        Err(BackboneError::Unavailable { attempted, reason })
    }
}
