//! One sled database behind a guard: every value carries a CRC32 over its key and itself, every call is caught when it
//! panics, and either comes out as a [`Fault`].
//!
//! Does not know what keys mean. Invariant: a value that is handed out is the value that was put under that key. Only plain
//! inserts and removals are made: sled's batches and transactions take a lock that slows every reader of the process.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// Why the database cannot be believed any more. Only ever answered by building a new one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Fault(pub(crate) String);

/// Bytes of the CRC before each value.
const CRC_BYTES: usize = 4;
/// How many damaged databases are kept for people to look at.
const QUARANTINES_MAX: usize = 3;

/// An open database. Closing it (dropping the last handle) moves it aside if it was condemned.
pub(crate) struct Database {
    /// Which `db-<n>` it is.
    pub(crate) number: u64,
    store: PathBuf,
    /// Taken out when dropped, so that the files are closed before they are moved.
    db: Option<sled::Db>,
    condemned: AtomicBool,
    /// Tests stop the writing after so many writes, as a power cut would.
    #[cfg(test)]
    pub(crate) writes_left: std::sync::atomic::AtomicI64,
}

impl Database {
    /// Opens or makes `db-<number>` in a store's folder.
    pub(crate) fn open(store: &Path, number: u64, cache_bytes_max: u64) -> Result<Self, Fault> {
        let config = sled::Config::new().path(folder(store, number)).cache_capacity(cache_bytes_max);
        let db = guarded(|| config.open())?;
        Ok(Self {
            number,
            store: store.to_owned(),
            db: Some(db),
            condemned: AtomicBool::new(false),
            #[cfg(test)]
            writes_left: i64::MAX.into(),
        })
    }

    /// The value under a key.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Value>, Fault> {
        let stored = self.call(|db| db.get(key))?;
        stored.map(|stored| checked(key, stored)).transpose()
    }

    /// Puts a value under a key.
    pub(crate) fn put(&self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.count_write()?;
        let mut stored = Vec::with_capacity(CRC_BYTES + value.len());
        stored.extend_from_slice(&crc(key, value).to_le_bytes());
        stored.extend_from_slice(value);
        self.call(|db| db.insert(key, stored)).map(drop)
    }

    /// Removes a key.
    pub(crate) fn remove(&self, key: &[u8]) -> Result<(), Fault> {
        self.count_write()?;
        self.call(|db| db.remove(key)).map(drop)
    }

    /// Hands every key and value with a prefix to `each`, in order, until it says no more.
    pub(crate) fn scan(
        &self,
        prefix: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<Scan, Fault>,
    ) -> Result<(), Fault> {
        let mut entries = self.call(|db| Ok(db.scan_prefix(prefix)))?;
        while let Some((key, stored)) = self.call(|_| entries.next().transpose())? {
            let value = checked(&key, stored)?;
            if each(&key, value.as_ref())? == Scan::Stop {
                break;
            }
        }
        Ok(())
    }

    /// Every key and value from `range.0` to before `range.1` (an empty one is no bound), in order or in the opposite one.
    pub(crate) fn walk(&self, range: (Vec<u8>, Vec<u8>), backwards: bool) -> Result<Walk<'_>, Fault> {
        let (from, to) = range;
        let entries = self.call(|db| {
            Ok(match (to.is_empty(), from < to) {
                (true, _) => Some(db.range(from..)),
                (false, true) => Some(db.range(from..to)),
                (false, false) => None,
            })
        })?;
        Ok(Walk { database: self, entries, backwards })
    }

    /// The first key at or after `from`, whatever its value.
    pub(crate) fn first_key_from(&self, from: &[u8]) -> Result<Option<sled::IVec>, Fault> {
        Ok(self.call(|db| db.range(from..).next().transpose())?.map(|(key, _)| key))
    }

    /// Everything written so far is handed to the operating system, and by it to the disk.
    pub(crate) fn sync(&self) -> Result<(), Fault> {
        self.call(|db| db.flush())?;
        // sled's flush is sync_file_range: it says nothing about the disk's cache, nor about new files' metadata.
        sync_files(&folder(&self.store, self.number)).map_err(|error| Fault(format!("syncing the view's files: {error}")))
    }

    /// It is not to be believed: moved aside as soon as its last reader is gone.
    pub(crate) fn condemn(&self) {
        self.condemned.store(true, Ordering::SeqCst);
    }

    /// Whether it was found damaged.
    pub(crate) fn is_condemned(&self) -> bool {
        self.condemned.load(Ordering::SeqCst)
    }

    fn call<T>(&self, operation: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T, Fault> {
        let db = self.db.as_ref().ok_or_else(|| Fault("the database has been closed".into()))?;
        guarded(|| operation(db))
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "only tests count writes")]
    fn count_write(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// Puts bytes as they are, without a CRC.
    #[cfg(test)]
    pub(crate) fn put_unchecked(&self, key: &[u8], stored: &[u8]) {
        self.call(|db| db.insert(key, stored)).unwrap();
    }

    #[cfg(test)]
    fn count_write(&self) -> Result<(), Fault> {
        match self.writes_left.fetch_sub(1, Ordering::SeqCst) {
            1.. => Ok(()),
            _ => Err(Fault("the test stops the writing here".into())),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let db = self.db.take();
        // Closing flushes, which may find the damage again.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
        if self.is_condemned() {
            quarantine(&self.store, &folder(&self.store, self.number));
        }
    }
}

/// A value whose CRC has been found good.
#[derive(Debug)]
pub(crate) struct Value(sled::IVec);

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        self.0.get(CRC_BYTES..).unwrap_or_default()
    }
}

/// A walk over some keys, a step at a time. After a fault there is nothing more to be had.
pub(crate) struct Walk<'a> {
    database: &'a Database,
    entries: Option<sled::Iter>,
    backwards: bool,
}

impl Iterator for Walk<'_> {
    type Item = Result<(sled::IVec, Value), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let entries = self.entries.as_mut()?;
        let backwards = self.backwards;
        let stepped =
            self.database.call(|_| if backwards { entries.next_back() } else { entries.next() }.transpose()).transpose()?;
        let found = stepped.and_then(|(key, stored)| checked(&key, stored).map(|value| (key, value)));
        if found.is_err() {
            self.entries = None;
        }
        Some(found)
    }
}

/// Whether a scan goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The next key and value follow.
    Next,
    Stop,
}

/// The folder of a database.
pub(crate) fn folder(store: &Path, number: u64) -> PathBuf {
    store.join(format!("db-{number}"))
}

/// One thread at a time may use quarantine numbers.
static QUARANTINING: Mutex<()> = Mutex::new(());

/// Moves a damaged database aside; the oldest of too many goes.
pub(crate) fn quarantine(store: &Path, damaged: &Path) {
    let _one_at_a_time = QUARANTINING.lock();
    if !damaged.exists() {
        return;
    }
    let mut kept = quarantines(store);
    let number = kept.last().map_or(1, |last| last + 1);
    let aside = store.join(format!("quarantine-{number}"));
    if let Err(error) = fs::rename(damaged, &aside) {
        tracing::warn!(folder = %damaged.display(), %error, "a damaged view cannot be moved aside; it is removed");
        remove_folder(damaged);
        return;
    }
    kept.push(number);
    for old in kept.iter().rev().skip(QUARANTINES_MAX) {
        remove_folder(&store.join(format!("quarantine-{old}")));
    }
}

/// Removes a folder that is no longer of use; what cannot be removed only takes space.
pub(crate) fn remove_folder(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "an old view cannot be removed");
    }
}

fn quarantines(store: &Path) -> Vec<u64> {
    let names = fs::read_dir(store).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut numbers: Vec<u64> = names.filter_map(|name| name.to_str()?.strip_prefix("quarantine-")?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

fn sync_files(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_files(&path)?;
        } else if let Ok(file) = fs::File::open(&path) {
            file.sync_all()?;
        }
    }
    fs::File::open(folder)?.sync_all()
}

fn guarded<T>(operation: impl FnOnce() -> sled::Result<T>) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(operation)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Fault(format!("the view's database: {error}"))),
        Err(_) => Err(Fault("the view's database panicked".into())),
    }
}

fn crc(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

fn checked(key: &[u8], stored: sled::IVec) -> Result<Value, Fault> {
    let good = stored.split_first_chunk::<CRC_BYTES>().is_some_and(|(sum, value)| *sum == crc(key, value).to_le_bytes());
    if good { Ok(Value(stored)) } else { Err(Fault("a value of the view does not match its CRC".into())) }
}
