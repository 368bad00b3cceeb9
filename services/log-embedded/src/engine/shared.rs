//! What the traits and the transactions of an in-process log both use: the store, and what is known of its streams.

use std::sync::Arc;

use rollcall_log::{
    BackboneError,
    limits::{Limits, NowMs},
};

use super::{
    queue::Queues,
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
