//! Rejected requests, and connections that a connector refused by itself, for people to look at and to replay. Bounded by
//! age and size: the oldest go first. Nothing is decided by them.

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position};

use crate::{BackboneError, log::Entry};

/// Most attempts kept for one log.
pub const ATTEMPTS_MAX: u64 = 100_000;
/// Most bytes kept for one log.
pub const ATTEMPTS_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How long an attempt is kept, seconds.
pub const ATTEMPTS_AGE_S_MAX: u64 = 30 * 24 * 3600;

/// The attempts of a fleet. Positions rise and may have gaps at the old end.
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
