//! The registry log: one totally ordered stream of records for each instance and one for the fleet.
//!
//! Invariants: positions start at 1 and have no gaps; an append is all or nothing and is on disk when it returns; a
//! follower sees every record once, in order, or an error, never a gap.

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position};
use tokio::sync::mpsc;

use crate::BackboneError;

/// Most records in one append.
pub const BATCH_RECORDS_MAX: usize = 1000;
/// Largest record, bytes.
pub const RECORD_BYTES_MAX: usize = 900 * 1024;
/// Bytes of records after which one reading ends: the caller reads on.
pub const READ_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Tells one stream from another of the same name: a log that was deleted and made again has another identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamIdentity(pub String);

/// One record as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log.
    pub position: Position,
    /// The record, as appended.
    pub record: Bytes,
}

/// What a follower gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The next record.
    Entry(Entry),
    /// Everything up to this position has been handed over; what follows is live. Sent once, also for an empty log, and
    /// once more after each [`Followed::Interrupted`].
    CaughtUp(Position),
    /// The log is out of reach, or was: what has been handed over may be old, until `CaughtUp` comes again. Sent once,
    /// however long it lasts; following goes on by itself, without a gap. Only where the log is another machine's.
    Interrupted {
        /// What happened, for people.
        reason: String,
    },
}

/// Why an append did not happen (or may not have).
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The last position is not the expected one: reload, and look for your request ids.
    #[error("the log ends elsewhere than at the expected position {expected}")]
    Conflict {
        /// What was expected.
        expected: Position,
    },
    /// Anything else; after `Unavailable` it is unknown whether the records are in the log.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
}

/// A bounded channel of what follows; ends after the first error. Dropping it stops the following.
pub type Follower = mpsc::Receiver<Result<Followed, BackboneError>>;

/// The registry logs of a fleet.
#[async_trait]
pub trait RegistryLog: Send + Sync {
    /// Declares the log if it is new, checks it against its declaration otherwise.
    ///
    /// # Errors
    /// [`BackboneError::StreamDiffers`] if it exists with other settings.
    async fn open(&self, log: &LogId) -> Result<StreamIdentity, BackboneError>;

    /// The last position; [`Position::START`] when empty.
    async fn last(&self, log: &LogId) -> Result<Position, BackboneError>;

    /// Whether an append would be taken now, as far as is known without one: an embedded log knows of its disk, a broker's
    /// only whether the broker answers.
    ///
    /// # Errors
    /// [`BackboneError`]: what is in the way.
    async fn writable(&self, log: &LogId) -> Result<(), BackboneError> {
        self.last(log).await.map(|_last| ())
    }

    /// Appends 1 to [`BATCH_RECORDS_MAX`] records, all or none, if the log ends at `expected`. Returns the position of the
    /// last one, when all are on disk.
    ///
    /// # Errors
    /// [`AppendError::Conflict`] if the log ends elsewhere.
    async fn append(&self, log: &LogId, expected: Position, records: Vec<Bytes>) -> Result<Position, AppendError>;

    /// Up to `max` records after a position, oldest first; never more than [`BATCH_RECORDS_MAX`], and no more once
    /// [`READ_BYTES_MAX`] bytes are there, so that fewer than `max` do not mean the end: an empty answer does. Costs no
    /// more than the records it returns.
    ///
    /// # Errors
    /// [`BackboneError::Damaged`] where a record is missing.
    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError>;

    /// Everything after `after`, then live.
    ///
    /// # Errors
    /// [`BackboneError`] if following cannot start; `after` beyond the end is [`BackboneError::Damaged`].
    async fn follow(&self, log: &LogId, after: Position) -> Result<Follower, BackboneError>;
}
