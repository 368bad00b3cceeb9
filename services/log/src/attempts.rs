//! Rejected requests, and connections that a connector refused by itself, for people to look at and to replay. Bounded by
//! age and size: the oldest go first. Nothing is decided by them.
//!
//! On a broker a submitter (see [`crate::requests`]) has a share of its own in each log, so one that forges attempts pushes out
//! its own. Readers see those of all, in the order in which they were kept.

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position};

use crate::{error::BackboneError, log::Entry};

/// Most attempts kept for one log, where there is one submitter; on a broker
/// [`attempts_of_submitter`](crate::limits::ShardLimits::attempts_of_submitter) of each, as far as the shard has room.
pub const ATTEMPTS_MAX: u64 = 100_000;
/// Most bytes kept for one log; on a broker the shard's limit holds.
pub const ATTEMPTS_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How long an attempt is kept, seconds.
pub const ATTEMPTS_AGE_S_MAX: u64 = 30 * 24 * 3600;

/// The attempts of a fleet. Positions rise and have gaps where others have been forgotten.
#[async_trait]
pub trait Attempts: Send + Sync {
    /// Keeps some rejected attempts.
    ///
    /// # Errors
    /// [`BackboneError`] if they cannot be kept.
    async fn keep(&self, log: &LogId, attempts: Vec<Bytes>) -> Result<(), BackboneError>;

    /// Up to `max` attempts after a position, oldest first.
    ///
    /// # Errors
    /// [`BackboneError`] if they cannot be read.
    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError>;
}
