//! The database of an in-process backbone: reading, opening it again after a write that failed, closing it for good.
//!
//! Invariants: a panic inside the database (it trusts its pages) becomes [`BackboneError::Damaged`]; once closed, the
//! file is released, even while this is held.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use redb::{Database, ReadTransaction, ReadableDatabase, TableDefinition};
use rollcall_log::BackboneError;

use super::{
    disk::{Disk, Trouble},
    frame::{self, Row},
    stream::StreamName,
};

/// What a stream is: its identity, last position, bytes. Rows of a stream that were removed still count in `last`.
pub(crate) const STREAMS: TableDefinition<'static, &'static str, (&'static str, u64, u64)> = TableDefinition::new("streams");

/// Why a step inside a transaction failed. The whole transaction fails with it.
#[derive(Debug)]
pub(crate) enum StoreError {
    Database(redb::Error),
    Backbone(BackboneError),
}

/// redb has an error type for each kind of step.
macro_rules! of_the_database {
    ($($error:ident),+) => {
        $(impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Database(error.into())
            }
        })+
    };
}
of_the_database!(CommitError, StorageError, TableError, TransactionError);

impl From<BackboneError> for StoreError {
    fn from(error: BackboneError) -> Self {
        Self::Backbone(error)
    }
}

/// A database, its name in errors, and whether reading it may wait for a disk.
pub(crate) struct Store {
    database: RwLock<Slot>,
    name: String,
    /// `None`: in memory, where reading waits for no disk and writing does not fail.
    disk: Option<Disk>,
    trouble: Mutex<Option<Trouble>>,
}

enum Slot {
    Open(Database),
    /// It failed and could not be opened again yet.
    Broken,
    Closed,
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
    /// Rows that fail their checksum.
    pub(crate) damaged: Vec<BackboneError>,
}

impl Read {
    /// For a stream in which a gap is an error.
    ///
    /// # Errors
    /// The first damage.
    pub(crate) fn whole(self) -> Result<Self, BackboneError> {
        match self.damaged.into_iter().next() {
            Some(damage) => Err(damage),
            None => Ok(Self { damaged: Vec::new(), ..self }),
        }
    }

    fn take(&mut self, row: Result<Row, BackboneError>) {
        match row {
            Ok(row) => self.rows.push(row),
            Err(damage) => self.damaged.push(damage),
        }
    }
}

impl Store {
    /// `name` stands in errors; a `disk` moves reads off the runtime's threads.
    pub(crate) fn new(database: Database, name: String, disk: Option<Disk>) -> Self {
        Self { database: RwLock::new(Slot::Open(database)), name, disk, trouble: Mutex::default() }
    }

    /// Closes the database when reads and writes under way are done.
    pub(crate) fn close(&self) {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Slot::Closed;
    }

    /// Whether writes are taken, as far as is known.
    pub(crate) fn writable(&self) -> Result<(), BackboneError> {
        match &*self.trouble() {
            None => Ok(()),
            Some(trouble) => Err(self.unwritable(trouble)),
        }
    }

    /// To be called by who writes, before each write: after one that failed, looks now and then whether there is room.
    /// `Ok(true)`: it was opened again meanwhile, and may hold what was never acknowledged.
    pub(crate) fn ready_to_write(&self) -> Result<bool, BackboneError> {
        let Some(disk) = &self.disk else { return Ok(false) };
        {
            let mut trouble = self.trouble();
            let Some(known) = trouble.as_mut() else { return Ok(false) };
            if !known.is_due() {
                return Err(self.unwritable(known));
            }
        }
        // Without the lock: opening again may take a while, and others ask how things stand.
        let room = disk.has_room().map_err(|error| error.to_string());
        let Err(reason) = room.and_then(|()| self.open_again(disk)) else { return Ok(true) };
        let mut trouble = self.trouble();
        let known = trouble.get_or_insert_with(|| Trouble::new(String::new(), None));
        known.reason = reason;
        Err(self.unwritable(known))
    }

    /// To be called by who writes, after each write that was taken.
    pub(crate) fn written(&self) {
        if self.trouble().take().is_some() {
            tracing::info!(log = self.name, "the disk takes writes again");
        }
    }

    /// To be called by who writes, after each that failed. `true`: the database was opened again, for those who read.
    pub(crate) fn failed(&self, error: &BackboneError) -> bool {
        let (BackboneError::Unwritable { reason, .. }, Some(disk)) = (error, &self.disk) else { return false };
        {
            let mut trouble = self.trouble();
            if trouble.is_none() {
                tracing::error!(log = self.name, reason, "the disk takes no writes; nothing can be changed until it does");
            }
            *trouble = Some(Trouble::new(reason.clone(), trouble.as_ref()));
        }
        match self.open_again(disk) {
            Ok(()) => true,
            Err(reason) => {
                tracing::debug!(log = self.name, reason, "the database cannot be opened again yet");
                false
            }
        }
    }

    fn open_again(&self, disk: &Disk) -> Result<(), String> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*database, Slot::Closed) {
            return Err(BackboneError::Closed.to_string());
        }
        // Closed first: it holds the file's lock.
        *database = Slot::Broken;
        *database = Slot::Open((disk.reopen)().map_err(|error| error.to_string())?);
        Ok(())
    }

    fn unwritable(&self, trouble: &Trouble) -> BackboneError {
        BackboneError::Unwritable { what: self.name.clone(), reason: trouble.reason.clone() }
    }

    fn trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a step on the database; what it cannot do becomes an error that says what was `attempted`.
    pub(crate) fn with<T>(
        &self,
        attempted: &str,
        step: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, BackboneError> {
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = match &*guard {
            Slot::Open(database) => database,
            Slot::Broken => {
                let reason = "its disk has failed a write, and it could not be opened again yet".to_owned();
                return Err(BackboneError::Unavailable { attempted: format!("{attempted} in {}", self.name), reason });
            }
            Slot::Closed => return Err(BackboneError::Closed),
        };
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
        if self.disk.is_none() {
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
    let mut read = Read { rows: Vec::new(), through: after, damaged: Vec::new() };
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
            read.take(frame::decode(stream, position, frame));
        }
        read.through = position;
    }
    read.through = last;
    Ok(read)
}

/// The last rows of a stream before a position for which `wanted` says yes to the body, latest first: at most as many, and
/// no more once they have as many bytes, as `page` says, out of what `looked_at` lets be looked at. `through` is the
/// earliest position looked at, 0 when there is none before.
pub(crate) fn rows_back(
    transaction: &ReadTransaction,
    stream: &StreamName,
    before: u64,
    page: Chunk,
    looked_at: Chunk,
    wanted: impl Fn(&[u8]) -> bool,
) -> Result<Read, StoreError> {
    let mut read = Read { rows: Vec::new(), through: before, damaged: Vec::new() };
    let table = transaction.open_table(stream.rows())?;
    let (mut bytes, mut passed_bytes) = (0, 0);
    for (passed, entry) in table.range(..before)?.rev().enumerate() {
        if passed >= looked_at.rows || passed_bytes >= looked_at.bytes || read.rows.len() >= page.rows || bytes >= page.bytes
        {
            return Ok(read);
        }
        let (position, frame) = entry?;
        let (position, frame) = (position.value(), frame.value());
        passed_bytes += frame.len();
        if frame::peek(frame).is_none_or(|(_, body)| wanted(body)) {
            bytes += frame.len();
            read.take(frame::decode(stream, position, frame));
        }
        read.through = position;
    }
    read.through = 0;
    Ok(read)
}

/// The first position that a stream still has; `None`: it is empty.
pub(crate) fn first(transaction: &ReadTransaction, stream: &StreamName) -> Result<Option<u64>, StoreError> {
    let table = transaction.open_table(stream.rows())?;
    let first = table.range::<u64>(..)?.next().transpose()?;
    Ok(first.map(|(position, _)| position.value()))
}

/// Says what a failure of the database means for a caller of the log.
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
        redb::Error::PreviousIo => {
            BackboneError::Unwritable { what: name.to_owned(), reason: "an earlier access of its file failed".to_owned() }
        }
        // Full, gone, failing: the outcome is not known.
        redb::Error::Io(error) => BackboneError::Unwritable { what: name.to_owned(), reason: error.to_string() },
        error => BackboneError::Unavailable { attempted: format!("{attempted} in {name}"), reason: error.to_string() },
    }
}
