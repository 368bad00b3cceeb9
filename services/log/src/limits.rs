//! The limits of a backbone, and the time and ids that one in this process is given.
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
    pub entries: u64,
    /// Most bytes, as stored.
    pub bytes: u64,
    /// Longest age, milliseconds.
    pub age_ms: i64,
}

/// What the instances of a fleet share on a broker: streams that are cut into shards, each with limits of its own.
///
/// A broker reserves a stream's bytes when the stream is made, so these are reserved once for the fleet, at its creation,
/// and an instance that is added reserves nothing. They count when a shard is made; afterwards what the broker holds
/// counts, which an operator may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardLimits {
    /// Shards of each kind of stream, 1 to [`SHARDS_MAX`]; written down with the fleet's log and never changed.
    pub count: u32,
    /// Bytes of waiting requests in one shard.
    pub requests_bytes: u64,
    /// Most requests of one log that wait; other logs of the shard have the rest.
    pub requests_of_log: u64,
    /// Most requests of one log that one submitter has waiting; as many as a registrar leaves there of one that would have more.
    pub requests_of_submitter: u64,
    /// Bytes of rejected attempts in one shard.
    pub attempts_bytes: u64,
    /// Most attempts of one log that are kept of one submitter; its oldest go first, and no other's.
    pub attempts_of_submitter: u64,
    /// Bytes of device messages in one shard.
    pub messages_bytes: u64,
    /// Most messages of one device, in one direction, that are kept; its oldest go first.
    pub messages_of_device: u64,
    /// Bytes of documents in one shard.
    pub documents_bytes: u64,
}

/// Most shards of each kind of stream.
pub const SHARDS_MAX: u32 = 256;

const MIB: u64 = 1024 * 1024;

impl Default for ShardLimits {
    /// 5.25 GiB in all for a fleet of any size.
    fn default() -> Self {
        Self {
            count: 16,
            requests_bytes: 64 * MIB,
            requests_of_log: 8 * 1024,
            requests_of_submitter: 4 * 1024,
            attempts_bytes: 16 * MIB,
            attempts_of_submitter: 2 * 1024,
            messages_bytes: 128 * MIB,
            messages_of_device: 100_000,
            documents_bytes: 128 * MIB,
        }
    }
}

/// Everything of a backbone that may be set differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a taken request may stay unfinished: [`requests::LEASE`].
    pub request_lease: Duration,
    /// Most requests waiting in one queue: [`requests::WAITING_MAX`].
    pub requests_waiting: u64,
    /// Certificate-connect events of one submitter in a second, on a broker: [`requests::CONNECTS_PER_S_MAX`].
    pub connects_per_s: u32,
    /// Certificate-connect events of one submitter at once, on a broker: [`requests::CONNECTS_BURST_MAX`].
    pub connects_burst: u32,
    /// How long a connector may stay silent: [`presence::LEASE`].
    pub presence_lease: Duration,
    /// What is kept of a log's rejected attempts. On a broker only its age counts, with the shard's limits.
    pub attempts: Bounds,
    /// What is kept of an instance's messages.
    pub messages: Bounds,
    /// Most bytes of an instance's documents: [`documents::DOCUMENTS_BYTES_MAX`]. On a broker the shard's limit holds.
    pub documents_bytes: u64,
    /// What instances share, on a broker.
    pub shards: ShardLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_lease: requests::LEASE,
            requests_waiting: requests::WAITING_MAX,
            connects_per_s: requests::CONNECTS_PER_S_MAX,
            connects_burst: requests::CONNECTS_BURST_MAX,
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
            shards: ShardLimits::default(),
        }
    }
}

fn age_ms(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}
