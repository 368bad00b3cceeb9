//! The database of an in-process backbone: reading, and closing it for good.
//!
//! Invariants: a panic inside the database (it trusts its pages) becomes [`BackboneError::Damaged`]; once closed, the
//! file is released, whoever still holds this.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, RwLock},
};

use redb::{Database, ReadTransaction, ReadableDatabase, TableDefinition};

use super::{
    frame::{self, Row},
    stream::StreamName,
};
use crate::BackboneError;

/// What a stream is: its identity, last position, bytes. Rows of a stream that were removed still count in `last`.
pub(crate) const STREAMS: TableDefinition<'static, &'static str, (&'static str, u64, u64)> = TableDefinition::new("streams");

/// Why a step inside a transaction failed. The whole transaction fails with it.
#[derive(Debug)]
pub(crate) enum StoreError {
    Database(redb::Error),
    Backbone(BackboneError),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

impl From<BackboneError> for StoreError {
    fn from(error: BackboneError) -> Self {
        Self::Backbone(error)
    }
}

/// A database, its name in errors, and whether reading it may wait for a disk.
pub(crate) struct Store {
    database: RwLock<Option<Database>>,
    name: String,
    on_disk: bool,
}

/// Most that is read at a time: a reader that is far behind takes many such steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

/// What a chunk held, and how far it reached (rows that were not wanted are passed over).
pub(crate) struct Read {
    pub(crate) rows: Vec<Row>,
    pub(crate) through: u64,
}

impl Store {
    /// `name` stands in errors; `on_disk` moves reads off the runtime's threads.
    pub(crate) fn new(database: Database, name: String, on_disk: bool) -> Self {
        Self { database: RwLock::new(Some(database)), name, on_disk }
    }

    /// Closes the database when reads and writes under way are done.
    pub(crate) fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(database);
    }

    /// Runs a step on the database; what it cannot do becomes an error that says what was `attempted`.
    pub(crate) fn with<T>(
        &self,
        attempted: &str,
        step: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, BackboneError> {
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = guard.as_ref() else { return Err(BackboneError::Closed) };
        match catch_unwind(AssertUnwindSafe(|| step(database))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(StoreError::Backbone(error))) => Err(error),
            Ok(Err(StoreError::Database(error))) => Err(explain(&self.name, attempted, &error)),
            Err(_) => Err(BackboneError::Damaged {
                what: self.name.clone(),
                reason: format!("{attempted} met a page that cannot be right: restore the data folder from a backup"),
            }),
        }
    }

    /// Runs a read transaction, off the runtime's threads if the database is on disk.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        attempted: &'static str,
        step: impl FnOnce(&ReadTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, BackboneError> {
        let read = |store: &Self| store.with(attempted, |database| step(&database.begin_read()?));
        if !self.on_disk {
            return read(self);
        }
        let store = Arc::clone(self);
        tokio::task::spawn_blocking(move || read(&store)).await.unwrap_or(Err(BackboneError::Closed))
    }
}

/// The rows of a stream after a position, up to and including `last`, for which `wanted` says yes to the body.
pub(crate) fn rows(
    transaction: &ReadTransaction,
    stream: &StreamName,
    after: u64,
    last: u64,
    chunk: Chunk,
    wanted: impl Fn(&[u8]) -> bool,
) -> Result<Read, StoreError> {
    let mut read = Read { rows: Vec::new(), through: after };
    if after >= last {
        return Ok(read);
    }
    let table = transaction.open_table(stream.rows())?;
    let mut bytes = 0;
    for (passed, entry) in table.range(after + 1..=last)?.enumerate() {
        if passed >= chunk.rows || bytes >= chunk.bytes {
            return Ok(read);
        }
        let (position, frame) = entry?;
        let (position, frame) = (position.value(), frame.value());
        if frame::peek(frame).is_none_or(|(_, body)| wanted(body)) {
            bytes += frame.len();
            read.rows.push(frame::decode(stream, position, frame)?);
        }
        read.through = position;
    }
    read.through = last;
    Ok(read)
}

/// Says what a failure of the database means for whoever uses the backbone.
pub(crate) fn explain(name: &str, attempted: &str, error: &redb::Error) -> BackboneError {
    match error {
        redb::Error::Corrupted(_)
        | redb::Error::LockPoisoned(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TableIsNotMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableDoesNotExist(_) => BackboneError::Damaged {
            what: name.to_owned(),
            reason: format!("{attempted}: {error}: restore the data folder from a backup"),
        },
        redb::Error::DatabaseClosed => BackboneError::Closed,
        // After one failed write redb takes no other: what is in memory and on disk may differ.
        redb::Error::PreviousIo => BackboneError::Unavailable {
            attempted: format!("{attempted} in {name}"),
            reason: "an earlier write failed: see to the disk (is it full?), then start this process again".to_owned(),
        },
        // The rest is the disk's (full, gone, failing) and means that the outcome is not known.
        error => BackboneError::Unavailable { attempted: format!("{attempted} in {name}"), reason: error.to_string() },
    }
}
