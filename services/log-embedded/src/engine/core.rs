//! The core of an in-process backbone, and how the seven traits are put on it.
//!
//! Invariant: when the last of the seven is dropped, writing stops, then the database is closed and its file released;
//! followers that are still there end with [`BackboneError::Closed`].

use std::sync::Arc;

use rollcall_backbone::{
    Backbone, BackboneError,
    limits::{Limits, NewId, NowMs},
};

use super::{
    attempts::LocalAttempts,
    batch::Batch,
    documents::LocalDocuments,
    heartbeat::HeartbeatHub,
    job::{Committer, Write},
    log::LocalLog,
    messages::LocalMessages,
    presence::PresenceHub,
    queue::Queues,
    requests::LocalRequests,
    rulings::Rulings,
    store::{STREAMS, Store, StoreError},
    stream::{StreamKind, StreamName},
    tails::Tails,
};

/// What both the traits and the transactions use.
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) tails: Tails,
    pub(crate) queues: Queues,
    pub(crate) limits: Limits,
    pub(crate) now_ms: NowMs,
}

/// [`Shared`], and who may write.
pub(crate) struct Core {
    committer: Box<dyn Committer>,
    pub(crate) shared: Arc<Shared>,
    new_id: NewId,
}

impl Shared {
    /// Loads what is kept in memory of the streams in a store, and checks them.
    ///
    /// # Errors
    /// [`BackboneError::Damaged`]: a log with a gap, a stream that is not one.
    pub(crate) fn load(store: Arc<Store>, limits: Limits, now_ms: NowMs) -> Result<Self, BackboneError> {
        let (tails, queues) = (Tails::default(), Queues::new(limits.request_lease));
        let shared = Self { store, tails, queues, limits, now_ms };
        shared.store.with("reading the list of streams", |database| {
            let transaction = database.begin_write()?;
            transaction.open_table(STREAMS)?;
            transaction.commit()?;
            Ok(())
        })?;
        shared.read_streams()?;
        Ok(shared)
    }

    /// Before a write: whether the disk takes one.
    ///
    /// # Errors
    /// [`BackboneError::Unwritable`].
    pub(crate) fn prepare(&self) -> Result<(), BackboneError> {
        if self.store.ready_to_write()? {
            self.read_streams()?;
        }
        Ok(())
    }

    /// After the database was opened again: what was written and not acknowledged may be there.
    pub(crate) fn agree(&self) {
        if let Err(error) = self.read_streams() {
            tracing::error!(%error, "what the log holds cannot be read after a failed write");
        }
    }

    fn read_streams(&self) -> Result<(), BackboneError> {
        self.store.with("reading the list of streams", |database| {
            let transaction = redb::ReadableDatabase::begin_read(database)?;
            let streams = transaction.open_table(STREAMS)?;
            for entry in redb::ReadableTable::iter(&streams)? {
                let (name, meta) = entry?;
                let (stream, kind) = StreamName::stored(name.value())?;
                let (_, last, _) = meta.value();
                let rows = transaction.open_table(stream.rows())?;
                check(&stream, kind, last, &rows)?;
                if kind == StreamKind::Queue {
                    let waiting: Result<Vec<u64>, redb::StorageError> =
                        redb::ReadableTable::iter(&rows)?.map(|entry| Ok(entry?.0.value())).collect();
                    self.queues.hold(&stream, waiting?);
                }
                self.tails.set(&stream, last);
            }
            Ok(())
        })
    }
}

/// The rows of a stream must agree with what the list of streams says of it; those of a log have no gaps.
fn check(
    stream: &StreamName,
    kind: StreamKind,
    last: u64,
    rows: &redb::ReadOnlyTable<u64, &'static [u8]>,
) -> Result<(), StoreError> {
    let held = redb::ReadableTable::last(rows)?.map_or(0, |(position, _)| position.value());
    let count = redb::ReadableTableMetadata::len(rows)?;
    let agrees = match kind {
        StreamKind::Log => held == last && count == last,
        StreamKind::Queue | StreamKind::Attempts | StreamKind::Messages | StreamKind::Documents => {
            held <= last && count <= last
        }
    };
    if agrees {
        return Ok(());
    }
    Err(stream.damaged(format!("it ends at {held} with {count} rows, and should end at {last}")).into())
}

impl Core {
    pub(crate) fn new(committer: Box<dyn Committer>, shared: Arc<Shared>, new_id: NewId) -> Arc<Self> {
        Arc::new(Self { committer, shared, new_id })
    }

    /// Writes in a transaction of its own or shared; returns when it is on disk.
    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<BackboneError> + Send + 'static,
        F: FnOnce(&mut Batch<'_>) -> Result<Result<T, E>, StoreError> + Send + 'static,
    {
        let (job, answer) = Write::new(work);
        self.committer.submit(Box::new(job)).await?;
        answer.await.unwrap_or_else(|_| Err(BackboneError::Closed.into()))
    }

    /// Makes a stream unless it exists; returns its identity.
    pub(crate) async fn declare(&self, stream: StreamName, kind: StreamKind) -> Result<String, BackboneError> {
        let identity = (self.new_id)().simple().to_string();
        self.write(move |batch| batch.declare(&stream, kind, identity).map(Ok)).await
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.committer.stop();
        self.shared.store.close();
    }
}

/// The requests and presence of an in-process backbone as what they are, for whoever wraps them.
pub(crate) struct Parts {
    pub(crate) log: Arc<LocalLog>,
    pub(crate) requests: Arc<LocalRequests>,
    pub(crate) attempts: Arc<LocalAttempts>,
    pub(crate) messages: Arc<LocalMessages>,
    pub(crate) presence: Arc<PresenceHub>,
    pub(crate) documents: Arc<LocalDocuments>,
    pub(crate) heartbeats: Arc<HeartbeatHub>,
}

/// Puts the seven traits on a core.
pub(crate) fn parts(core: &Arc<Core>) -> Parts {
    Parts {
        log: Arc::new(LocalLog(Arc::clone(core))),
        requests: Arc::new(LocalRequests { core: Arc::clone(core), rulings: Rulings::default() }),
        attempts: Arc::new(LocalAttempts(Arc::clone(core))),
        messages: Arc::new(LocalMessages(Arc::clone(core))),
        presence: PresenceHub::new(core.shared.limits.presence_lease, Arc::clone(&core.shared.now_ms)),
        documents: Arc::new(LocalDocuments(Arc::clone(core))),
        heartbeats: Arc::default(),
    }
}

impl From<Parts> for Backbone {
    fn from(parts: Parts) -> Self {
        Self {
            log: parts.log,
            requests: parts.requests,
            attempts: parts.attempts,
            messages: parts.messages,
            presence: parts.presence,
            documents: parts.documents,
            heartbeats: parts.heartbeats,
        }
    }
}
