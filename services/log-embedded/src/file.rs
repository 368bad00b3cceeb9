//! The file of the embedded backbone: opening it, alone, and checking it.
//!
//! Invariants: a new file appears under its name only when it is whole, so that a kill while it is made leaves nothing
//! to repair; the lock is held for as long as anything can be written.

use std::{
    fs::{self, File, TryLockError},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use redb::{Database, DatabaseError, TableDefinition};
use rollcall_log::BackboneError;

use crate::engine::{
    disk::Disk,
    store::{Store, explain},
};

const DATABASE: &str = "backbone.redb";
const UNFINISHED: &str = "backbone.redb.new";
const LOCK: &str = "backbone.lock";

/// How rows are laid out; a file of another format is left alone.
const FORMAT: u64 = 2;
const FORMATS: TableDefinition<'static, &'static str, u64> = TableDefinition::new("format");

/// Below this the repair that follows an unclean stop has found the latest commit unreadable and takes the one before.
const FELL_BACK: f64 = 0.3;

/// An open database and the lock on its folder.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) lock: FolderLock,
}

/// Released when dropped.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

/// Opens the database of a folder; makes both if they do not exist.
pub(crate) fn open(folder: &Path, cache_bytes: usize) -> Result<Opened, BackboneError> {
    let lock = lock(folder)?;
    let path = folder.join(DATABASE);
    let name = format!("the embedded log {}", path.display());
    if !path.try_exists().map_err(|error| unavailable("looking for", &path, &error))? {
        create(folder, cache_bytes, &name)?;
    }
    let database = checked(&path, cache_bytes, &name)?;
    check_format(&database, &name)?;
    let reopened = name.clone();
    let disk = Disk { folder: folder.to_owned(), reopen: Box::new(move || checked(&path, cache_bytes, &reopened)) };
    Ok(Opened { store: Store::new(database, name, Some(disk)), lock })
}

fn lock(folder: &Path) -> Result<FolderLock, BackboneError> {
    fs::create_dir_all(folder).map_err(|error| unavailable("making the folder", folder, &error))?;
    let path = folder.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| unavailable("opening", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(BackboneError::Unavailable {
            attempted: format!("opening the embedded log in {}", folder.display()),
            reason: "another process has it open: stop that one, or give this one another data folder".to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(unavailable("locking", &path, &error)),
    }
}

/// Makes a whole, empty database beside the place where it belongs, and moves it there.
fn create(folder: &Path, cache_bytes: usize, name: &str) -> Result<(), BackboneError> {
    let (unfinished, path) = (folder.join(UNFINISHED), folder.join(DATABASE));
    if let Err(error) = fs::remove_file(&unfinished)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(unavailable("removing", &unfinished, &error));
    }
    let make = || -> Result<(), redb::Error> {
        let database = Database::builder().set_cache_size(cache_bytes).create(&unfinished)?;
        let transaction = database.begin_write()?;
        transaction.open_table(FORMATS)?.insert("rows", FORMAT)?;
        transaction.commit()?;
        Ok(database.close()?)
    };
    make().map_err(|error| explain(name, "making it", &error))?;
    fs::rename(&unfinished, &path).map_err(|error| unavailable("naming", &path, &error))?;
    // The name is an entry of the folder: until the folder is synced too, a power cut may take the file with it.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unavailable("syncing", folder, &error))
}

/// Opens a database after every page of it has been checked.
fn checked(path: &Path, cache_bytes: usize, name: &str) -> Result<Database, BackboneError> {
    let shown = path.display().to_string();
    let open = || {
        let mut builder = Database::builder();
        builder.set_cache_size(cache_bytes).set_check_integrity_on_open(true).set_repair_callback(move |repair| {
            if (repair.progress() - FELL_BACK).abs() < f64::EPSILON {
                tracing::warn!(
                    file = %shown,
                    "the latest commit of the embedded log was not whole; the one before it is used. After a power cut \
                     this is a commit that nobody was told of; otherwise suspect the disk"
                );
            }
        });
        builder.open(path)
    };
    // redb trusts what it has checked, and panics where that turns out to be wrong.
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(error)) => Err(refusal(name, error)),
        Err(_) => Err(damaged(name, "its pages cannot be right")),
    }
}

fn refusal(name: &str, error: DatabaseError) -> BackboneError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => BackboneError::Unavailable {
            attempted: format!("opening {name}"),
            reason: "another process has it open: stop that one".to_owned(),
        },
        DatabaseError::Storage(redb::StorageError::Io(error))
            if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            damaged(name, &error.to_string())
        }
        DatabaseError::UpgradeRequired(version) => {
            damaged(name, &format!("its file format {version} is older than this version reads"))
        }
        error => explain(name, "opening it", &error.into()),
    }
}

fn check_format(database: &Database, name: &str) -> Result<(), BackboneError> {
    let read = || -> Result<Option<u64>, redb::Error> {
        let transaction = redb::ReadableDatabase::begin_read(database)?;
        Ok(transaction.open_table(FORMATS)?.get("rows")?.map(|format| format.value()))
    };
    match read().map_err(|error| explain(name, "reading its format", &error))? {
        Some(FORMAT) => Ok(()),
        Some(other) => Err(BackboneError::StreamDiffers {
            stream: name.to_owned(),
            difference: format!("its rows have format {other}, this version reads {FORMAT}: use the version that wrote it"),
        }),
        None => Err(damaged(name, "it does not say which format it has")),
    }
}

fn damaged(name: &str, reason: &str) -> BackboneError {
    BackboneError::Damaged { what: name.to_owned(), reason: format!("{reason}: restore the data folder from a backup") }
}

fn unavailable(doing: &str, path: &Path, error: &io::Error) -> BackboneError {
    BackboneError::Unavailable { attempted: format!("{doing} {}", path.display()), reason: error.to_string() }
}
