//! The registry log: one totally ordered stream of records for each instance and one for the fleet.
//!
//! Invariants: positions start at 1 and have no gaps; an append is all or nothing and is on disk when it returns; a
//! follower sees every record once, in order, or an error, never a gap.

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position};

pub use rollcall_schemas::seal::Seal;
use tokio::sync::mpsc;

use crate::error::BackboneError;

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
    /// What stands beside it: the seal of the batch that begins here, as far as it can be read. Nothing says that it is
    /// valid; see [`crate::seal`].
    pub seal: Option<Seal>,
    /// What stands beside it: SHA-256 over what was asked ([`crate::codec::request_sha256`]), so that a request id that
    /// comes again with something else can be told. No seal covers it.
    pub request_sha256: Option<[u8; 32]>,
}

impl Entry {
    /// A record with nothing beside it.
    pub const fn bare(position: Position, record: Bytes) -> Self {
        Self { position, record, seal: None, request_sha256: None }
    }
}

/// What one append writes: 1 to [`BATCH_RECORDS_MAX`] records, and what stands beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Stands beside the first record. `None` only in a log that is not sealed (yet).
    pub seal: Option<Seal>,
    /// The records, in order.
    pub records: Vec<NewRecord>,
}

/// One record to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    pub record: Bytes,
    /// Stands beside it; see [`Entry::request_sha256`].
    pub request_sha256: Option<[u8; 32]>,
}

impl From<Bytes> for NewRecord {
    fn from(record: Bytes) -> Self {
        Self { record, request_sha256: None }
    }
}

/// Without a seal.
impl From<Vec<Bytes>> for Batch {
    fn from(records: Vec<Bytes>) -> Self {
        Self { seal: None, records: records.into_iter().map(NewRecord::from).collect() }
    }
}

impl Batch {
    /// Refuses what no log takes. A batch is never split: its records are one decision together, all or none.
    ///
    /// # Errors
    /// [`BackboneError::LimitReached`]: no record, too many, or one that is too large.
    pub fn check(&self) -> Result<(), BackboneError> {
        if self.records.is_empty() || self.records.len() > BATCH_RECORDS_MAX {
            let what = format!("an append of {} records (1 or more)", self.records.len());
            return Err(BackboneError::LimitReached { what, max: BATCH_RECORDS_MAX as u64 });
        }
        match self.records.iter().map(|record| record.record.len()).find(|bytes| *bytes > RECORD_BYTES_MAX) {
            None => Ok(()),
            Some(bytes) => {
                let what = format!("a record of {bytes} bytes");
                Err(BackboneError::LimitReached { what, max: RECORD_BYTES_MAX as u64 })
            }
        }
    }
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

    /// Appends the records of a batch with what stands beside them, all or none, if the log ends at `expected`. Returns the
    /// position of the last one, when all are on disk.
    ///
    /// # Errors
    /// [`AppendError::Conflict`] if the log ends elsewhere.
    async fn append(&self, log: &LogId, expected: Position, batch: Batch) -> Result<Position, AppendError>;

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
