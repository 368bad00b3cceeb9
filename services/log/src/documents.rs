//! What is kept beside the logs. Of an instance: a device's shadow, messages that wait for it, its MQTT session and wills,
//! and how far a reader of messages has come. Of the fleet: sessions of operators. Small values by key; the registry log
//! stays the only truth about who may connect.
//!
//! Invariants: a write takes effect only over the revision that its writer has read; what was acknowledged is on disk
//! and is what every later reader gets; the revisions of one key rise, also over its deletion, so that one of them never
//! stands for two bodies.

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::{
    ids::{DeviceId, LogId},
    session::Session,
};
use tokio::sync::mpsc;

use crate::error::BackboneError;

/// Largest body, bytes.
pub const DOCUMENT_BYTES_MAX: usize = 900 * 1024;
/// Most bytes of documents kept for one log; beyond it only what does not grow is taken.
pub const DOCUMENTS_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Which document. Each kind is an instance's, but for [`OperatorSession`](Self::OperatorSession).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKey {
    /// The shadow of a device.
    Shadow(DeviceId),
    /// Which messages wait for a device, in order.
    Messages(DeviceId),
    /// One message that waits for a device, by its number there.
    Message(DeviceId, u64),
    /// How far a reader has come.
    Cursor(CursorName),
    /// What is kept of the MQTT session of a device from one connection to the next.
    Session(DeviceId),
    /// The will of one connection of a device.
    Will(DeviceId, Session),
    /// The session of an operator in a browser, by the SHA-256 of its secret; the fleet's.
    OperatorSession([u8; 32]),
}

/// Who reads an instance's messages and remembers how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CursorName {
    /// Whoever writes what devices report into their shadows.
    Reports,
}

/// Tells one body of a document from every other that it has had or will have. Not a count: revisions of one key rise by
/// any step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// There is no document.
    pub const NONE: Self = Self(0);
}

/// A document as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What a write that replaces this body expects.
    pub revision: Revision,
    /// The body, as put.
    pub body: Bytes,
}

/// Why a document was not written (or may not have been).
#[derive(Debug, Clone, thiserror::Error)]
pub enum PutError {
    /// The latest revision is another one: another writer was faster. Read again.
    #[error("the document has been written by somebody else meanwhile")]
    Conflict,
    /// Anything else; after `Unavailable` it is unknown whether the write took effect.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
}

/// A bounded channel of documents of sessions and wills, or of operators' sessions.
pub type SessionDocuments = mpsc::Receiver<Result<(DocumentKey, Document), BackboneError>>;

/// The documents of a fleet.
#[async_trait]
pub trait Documents: Send + Sync {
    /// Declares what documents of a log need, or checks it against its declaration.
    ///
    /// # Errors
    /// [`BackboneError`] if that cannot be done.
    async fn open(&self, log: &LogId) -> Result<(), BackboneError>;

    /// As [`open`](Self::open) for an instance, by a process that uses documents of sessions and wills only, and may have no
    /// right to the others.
    ///
    /// # Errors
    /// [`BackboneError`] if that cannot be done.
    async fn open_sessions(&self, log: &LogId) -> Result<(), BackboneError> {
        self.open(log).await
    }

    /// Every document of a session or a will of an instance, or of an operator's session of the fleet, in no order, then the
    /// channel ends. Each that there is from the call to the end is among them; one that is written or deleted meanwhile
    /// may be or not. Bounded channel; ends after the first error.
    ///
    /// # Errors
    /// [`BackboneError`] if reading cannot start.
    async fn sessions(&self, log: &LogId) -> Result<SessionDocuments, BackboneError>;

    /// The latest body; `None` if there is none, or none any more.
    ///
    /// # Errors
    /// [`BackboneError`] if it cannot be read.
    async fn get(&self, log: &LogId, key: &DocumentKey) -> Result<Option<Document>, BackboneError>;

    /// Puts if the latest revision is `expected` ([`Revision::NONE`]: if there is none); on disk when it returns. Many
    /// calls at a time share one sync.
    ///
    /// # Errors
    /// [`PutError::Conflict`] if it is another one; [`BackboneError::LimitReached`] beyond [`DOCUMENT_BYTES_MAX`], or
    /// [`DOCUMENTS_BYTES_MAX`] together.
    async fn put(&self, log: &LogId, key: &DocumentKey, expected: Revision, body: Bytes) -> Result<Revision, PutError>;

    /// Deletes if the latest revision is `expected`; afterwards there is none, and the next put expects
    /// [`Revision::NONE`].
    ///
    /// # Errors
    /// [`PutError::Conflict`] if it is another one.
    async fn delete(&self, log: &LogId, key: &DocumentKey, expected: Revision) -> Result<(), PutError>;
}

/// Refuses a body that is too large; every implementation asks before it writes.
///
/// # Errors
/// [`BackboneError::LimitReached`] beyond [`DOCUMENT_BYTES_MAX`].
pub fn check_size(body: &Bytes) -> Result<(), BackboneError> {
    if body.len() <= DOCUMENT_BYTES_MAX {
        return Ok(());
    }
    let what = format!("a document of {} bytes", body.len());
    Err(BackboneError::LimitReached { what, max: DOCUMENT_BYTES_MAX as u64 })
}
