//! The folder of a database: locked by one process at a time, believed only with reason.
//!
//! Layout: `lock`, `marker`, `db-<n>` (sled), `quarantine-<n>`. Invariant: nothing in here is worth keeping at the price of a
//! doubt; the log has it all.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use super::{
    database::{Database, Fault, folder as database_folder, quarantine, remove_folder},
    generations::erase_orphans,
    marker::{Marker, current_boot},
};

/// Keys of forgotten generations that opening removes; the rest waits for the next opening.
const ORPHANS_ERASED_MAX: usize = 100_000;

/// The locked folder's database, and whether it was closed in order.
pub(crate) fn open(folder: &Path, cache_bytes_max: u64) -> Result<(File, Database, bool), String> {
    let lock = lock(folder)?;
    let (database, clean) = believe(folder, cache_bytes_max)?;
    Ok((lock, database, clean))
}

fn lock(folder: &Path) -> Result<File, String> {
    fs::create_dir_all(folder).map_err(|error| format!("making the folder: {error}"))?;
    let lock = File::create(folder.join("lock")).map_err(|error| format!("making its lock file: {error}"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err("another process uses it: give each process a folder of its own".into()),
        Err(TryLockError::Error(error)) => Err(format!("locking it: {error}")),
    }
}

/// Opens what the marker says, if that can be believed, or an empty database. The flag says whether it was clean.
fn believe(folder: &Path, cache_bytes_max: u64) -> Result<(Database, bool), String> {
    let marker = Marker::read(folder);
    let number = marker.as_ref().map_or(1, |marker| marker.database);
    let believable = marker.as_ref().is_some_and(Marker::is_believable);
    clear_away(folder, believable.then_some(number));
    write_marker(folder, number, false)?;
    match open_checked(folder, cache_bytes_max, number) {
        Ok(database) => Ok((database, believable && marker.is_some_and(|marker| marker.clean))),
        Err(fault) => {
            tracing::error!(folder = %folder.display(), reason = %fault, "the views are damaged: starting empty");
            quarantine(folder, &database_folder(folder, number));
            write_marker(folder, number + 1, false)?;
            let database = open_checked(folder, cache_bytes_max, number + 1).map_err(|fault| fault.0)?;
            Ok((database, true))
        }
    }
}

fn open_checked(folder: &Path, cache_bytes_max: u64, number: u64) -> Result<Database, Fault> {
    let database = Database::open(folder, number, cache_bytes_max)?;
    erase_orphans(&database, ORPHANS_ERASED_MAX)?;
    Ok(database)
}

/// Databases other than the believed one: one that a power cut may have torn, one that was being replaced.
fn clear_away(folder: &Path, kept: Option<u64>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("db-")).map(str::parse::<u64>);
        match number {
            Some(Ok(number)) if Some(number) == kept => {}
            Some(_) => remove_folder(&entry.path()),
            None => {}
        }
    }
}

/// Says which database is in use, and whether it was closed in order.
pub(crate) fn write_marker(folder: &Path, database: u64, clean: bool) -> Result<(), String> {
    let marker = Marker { boot: current_boot(), clean, database };
    marker.write(folder).map_err(|error| format!("writing its marker: {error}"))
}
