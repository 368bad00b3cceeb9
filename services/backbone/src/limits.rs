//! The limits of a backbone that runs in this process, and the time and ids that it is given.
//!
//! Not a tuning page: the defaults are the constants beside the traits, and a deployment keeps them. A test shortens
//! leases and bounds here instead of waiting for them.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use crate::{attempts, documents, messages, presence, requests};

/// The wall clock, milliseconds since the Unix epoch. The backbone has none of its own.
pub type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Unpredictable ids, for the identities of new streams. The backbone draws none of its own.
pub type NewId = Arc<dyn Fn() -> Uuid + Send + Sync>;

/// How much of a stream is kept; the oldest entries go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most entries.
    pub entries: u64,
    /// Most bytes, as stored.
    pub bytes: u64,
    /// Longest age, milliseconds.
    pub age_ms: i64,
}

/// Everything of an in-process backbone that may be set differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a taken request may stay unfinished: [`requests::LEASE`].
    pub request_lease: Duration,
    /// Most requests waiting in one queue: [`requests::WAITING_MAX`].
    pub requests_waiting: u64,
    /// How long a connector may stay silent: [`presence::LEASE`].
    pub presence_lease: Duration,
    /// What is kept of a log's rejected attempts.
    pub attempts: Bounds,
    /// What is kept of an instance's messages.
    pub messages: Bounds,
    /// Most bytes of an instance's documents: [`documents::DOCUMENTS_BYTES_MAX`].
    pub documents_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_lease: requests::LEASE,
            requests_waiting: requests::WAITING_MAX,
            presence_lease: presence::LEASE,
            attempts: Bounds {
                entries: attempts::ATTEMPTS_MAX,
                bytes: attempts::ATTEMPTS_BYTES_MAX,
                age_ms: age_ms(attempts::ATTEMPTS_AGE_S_MAX),
            },
            messages: Bounds {
                entries: u64::MAX,
                bytes: messages::MESSAGES_BYTES_MAX,
                age_ms: age_ms(messages::MESSAGES_AGE_S_MAX),
            },
            documents_bytes: documents::DOCUMENTS_BYTES_MAX,
        }
    }
}

fn age_ms(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}
