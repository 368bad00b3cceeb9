//! The folder of a process's views: opened once, believed only with reason, replaced when it turns out damaged.
//!
//! Not for what is in a view. Layout: `lock` (one process at a time), `marker`, `db-<n>` (sled), `quarantine-<n>`.
//! Invariant: nothing in here is worth keeping at the price of a doubt; the log has it all.

mod database;
mod marker;

use rollcall_domain::ids::Incarnation;
use std::{
    collections::HashMap,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

pub(crate) use database::{Database, Fault, Scan, Value, Walk};
use database::{folder as database_folder, quarantine, remove_folder};
use marker::{Marker, current_boot};
use rollcall_backbone::{log::RegistryLog, seal::SealKeys};
use rollcall_domain::ids::InstanceId;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{admission::AdmissionView, directory::DirectoryView, follow, rows, state::ViewState, stored};

/// Keys of forgotten generations that opening removes; the rest waits for the next opening.
const ORPHANS_ERASED_MAX: usize = 100_000;

/// Where a process keeps its views, and how much memory they may take.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The folder of the database; made if absent.
    pub folder: PathBuf,
    /// sled's cache, bytes; the whole set should fit.
    pub cache_bytes_max: u64,
    /// Whether every view of this store carries the [directory](crate::directory) beside what admission needs: for whoever
    /// looks devices up. It takes several times the room and the time to build.
    pub directory: bool,
    /// Whose seals prove a log's records.
    pub keys: SealKeys,
}

/// Why a store cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ViewError {
    /// The folder or database cannot be opened, even after quarantine.
    #[error("the view store in {folder} cannot be opened: {reason}")]
    Open {
        /// The folder.
        folder: String,
        /// Why.
        reason: String,
    },
    /// The view has been closed.
    #[error("the view has been closed")]
    Closed,
    /// The store was opened without the directory.
    #[error("the view store in {folder} was opened without the directory: set `directory` where it is opened")]
    WithoutDirectory {
        /// The folder.
        folder: String,
    },
}

/// One sled database: the views of one process. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    config: StoreConfig,
    /// The [`stored::SCHEMA`] of this process; a test may be of another version.
    schema: u32,
    /// Which older schemas are served while they are rebuilt.
    served_schemas: Vec<u32>,
    /// Whether the database was closed in order before it was opened now.
    clean: bool,
    current: watch::Sender<Arc<Database>>,
    views: Mutex<HashMap<(InstanceId, Incarnation), Weak<ViewState>>>,
    tasks: TaskTracker,
    /// Cancelled when [`Store::close`] is called.
    closing: CancellationToken,
    generations: Mutex<()>,
    /// Held for as long as the folder is in use, and let go last.
    _lock: File,
}

impl Store {
    /// Opens the database; a damaged one is moved aside (`quarantine-<n>`) and an empty one takes its place.
    ///
    /// # Errors
    /// [`ViewError::Open`]: the folder cannot be made, written or locked.
    pub fn open(config: &StoreConfig) -> Result<Self, ViewError> {
        Self::open_as(config, stored::SCHEMA, stored::SERVED_SCHEMAS)
    }

    /// Opens the database with or without the directory, as it was left: for whoever wants to see what is there, and not
    /// to have it built again.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_as_left(folder: PathBuf, cache_bytes_max: u64, keys: SealKeys) -> Result<Self, ViewError> {
        let mut config = StoreConfig { folder, cache_bytes_max, directory: false, keys };
        let (lock, database, clean) = believed(&config)?;
        config.directory = rows::any_has_directory(&database).unwrap_or_default();
        Ok(Self::of(&config, stored::SCHEMA, stored::SERVED_SCHEMAS, lock, database, clean))
    }

    /// Opens the database as a process of another version would.
    pub(crate) fn open_as(config: &StoreConfig, schema: u32, served_schemas: &[u32]) -> Result<Self, ViewError> {
        let (lock, database, clean) = believed(config)?;
        Ok(Self::of(config, schema, served_schemas, lock, database, clean))
    }

    fn of(config: &StoreConfig, schema: u32, served_schemas: &[u32], lock: File, database: Database, clean: bool) -> Self {
        Self(Arc::new(Inner {
            config: config.clone(),
            schema: if config.directory { schema | stored::WITH_DIRECTORY } else { schema },
            served_schemas: served_schemas.to_vec(),
            clean,
            current: watch::Sender::new(Arc::new(database)),
            views: Mutex::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            generations: Mutex::default(),
            _lock: lock,
        }))
    }

    /// The view of an instance, of that one of this id which has this `incarnation`. It follows its log for as long as anybody uses it: whoever asks does so until their
    /// `shutdown` is cancelled or the last clone of their handle is dropped. Asked again for an instance that is
    /// followed, it is the same view, whichever `log` is given then. One that has [ended](AdmissionView::ended) is opened
    /// again from what it left.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ViewError::Closed`] if the view ends while it is being opened. A view that cannot be read starts empty and is
    /// built again.
    pub fn admission(
        &self,
        instance: &InstanceId,
        incarnation: Incarnation,
        log: Arc<dyn RegistryLog>,
        shutdown: CancellationToken,
    ) -> Result<AdmissionView, ViewError> {
        let mut views = locked(&self.0.views);
        if let Some(state) = views.get(&(instance.clone(), incarnation)).and_then(Weak::upgrade)
            && let Some(usage) = state.used_until(&shutdown)
        {
            return Ok(AdmissionView::of(state, usage));
        }
        let (state, follower) = follow::open(self.clone(), instance.clone(), incarnation, log);
        let usage = state.used_until(&shutdown).ok_or(ViewError::Closed)?;
        views.retain(|_, view| view.strong_count() > 0);
        views.insert((instance.clone(), incarnation), Arc::downgrade(&state));
        self.0.tasks.spawn(follower.run());
        Ok(AdmissionView::of(state, usage))
    }

    /// The directory of an instance: the same view as that of [`admission`](Self::admission), for whoever looks things up.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ViewError::WithoutDirectory`] if the store was opened without; else as for [`admission`](Self::admission).
    pub fn directory(
        &self,
        instance: &InstanceId,
        incarnation: Incarnation,
        log: Arc<dyn RegistryLog>,
        shutdown: CancellationToken,
    ) -> Result<DirectoryView, ViewError> {
        if !self.0.config.directory {
            return Err(ViewError::WithoutDirectory { folder: self.0.config.folder.display().to_string() });
        }
        let view = self.admission(instance, incarnation, log, shutdown)?;
        Ok(DirectoryView::of(view, instance.clone(), incarnation))
    }

    /// Waits until every view has stopped following (nobody may use one any more), then marks the folder
    /// clean, so that the next start believes it even after a power cut.
    pub async fn close(self) {
        self.0.closing.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        let marked = tokio::task::spawn_blocking(move || self.0.mark_clean()).await;
        if let Err(error) = marked {
            tracing::warn!(%error, "the view store was not marked clean");
        }
    }

    /// Runs something that [`close`](Self::close) waits for, and that is to end soon after the token is cancelled.
    pub(crate) fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(CancellationToken) -> F) {
        self.0.tasks.spawn(task(self.0.closing.clone()));
    }

    /// The database in use.
    pub(crate) fn current(&self) -> Arc<Database> {
        Arc::clone(&self.0.current.borrow())
    }

    /// Tells when another database comes into use.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<Database>> {
        self.0.current.subscribe()
    }

    /// Whether the database was closed in order before this process opened it.
    pub(crate) fn was_clean(&self) -> bool {
        self.0.clean
    }

    /// Whose seals prove the logs of this store.
    pub fn keys(&self) -> &SealKeys {
        &self.0.config.keys
    }

    pub(crate) fn schema(&self) -> u32 {
        self.0.schema
    }

    /// Whether what was written so may be looked up while it is built anew. With or without the directory admission finds
    /// the same; the directory itself looks whether it is there.
    pub(crate) fn serves(&self, schema: u32) -> bool {
        let of = |schema: u32| schema & !stored::WITH_DIRECTORY;
        of(schema) == of(self.0.schema) || self.0.served_schemas.contains(&of(schema))
    }

    /// Generations are made by one thread at a time.
    pub(crate) fn generations(&self) -> MutexGuard<'_, ()> {
        locked(&self.0.generations)
    }

    /// Puts an empty database in the place of a damaged one. Views move when they notice, and serve the old one as far
    /// as it can be read until they have built again.
    pub(crate) fn replace(&self, damaged: &Database, reason: &Fault) -> Result<(), Fault> {
        damaged.condemn();
        let _one_at_a_time = self.generations();
        let current = self.current();
        if current.number != damaged.number {
            return Ok(());
        }
        tracing::error!(database = damaged.number, %reason, "the views are damaged: rebuilding them from the log");
        let number = damaged.number + 1;
        write_marker(&self.0.config.folder, number, false).map_err(Fault)?;
        let fresh = Database::open(&self.0.config.folder, number, self.0.config.cache_bytes_max)?;
        self.0.current.send_replace(Arc::new(fresh));
        Ok(())
    }
}

impl Inner {
    fn mark_clean(&self) {
        let current = Arc::clone(&self.current.borrow());
        if current.is_condemned() {
            return;
        }
        let marked = current.sync().map_err(|fault| fault.0);
        let marked = marked.and_then(|()| write_marker(&self.config.folder, current.number, true));
        if let Err(reason) = marked {
            tracing::warn!(folder = %self.config.folder.display(), reason, "the view store was not marked clean");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Every follower holds the store, so nothing writes any more.
        self.mark_clean();
    }
}

/// The locked folder's database, and whether it was clean.
fn believed(config: &StoreConfig) -> Result<(File, Database, bool), ViewError> {
    let refused = |reason: String| ViewError::Open { folder: config.folder.display().to_string(), reason };
    let lock = lock(&config.folder).map_err(refused)?;
    let (database, clean) = believe(config).map_err(refused)?;
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
fn believe(config: &StoreConfig) -> Result<(Database, bool), String> {
    let folder = &config.folder;
    let marker = Marker::read(folder);
    let number = marker.as_ref().map_or(1, |marker| marker.database);
    let believable = marker.as_ref().is_some_and(Marker::is_believable);
    clear_away(folder, believable.then_some(number));
    write_marker(folder, number, false)?;
    match open_checked(config, number) {
        Ok(database) => Ok((database, believable && marker.is_some_and(|marker| marker.clean))),
        Err(fault) => {
            tracing::error!(folder = %folder.display(), reason = %fault, "the views are damaged: starting empty");
            quarantine(folder, &database_folder(folder, number));
            write_marker(folder, number + 1, false)?;
            let database = open_checked(config, number + 1).map_err(|fault| fault.0)?;
            Ok((database, true))
        }
    }
}

fn open_checked(config: &StoreConfig, number: u64) -> Result<Database, Fault> {
    let database = Database::open(&config.folder, number, config.cache_bytes_max)?;
    rows::erase_orphans(&database, ORPHANS_ERASED_MAX)?;
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

fn write_marker(folder: &Path, database: u64, clean: bool) -> Result<(), String> {
    let marker = Marker { boot: current_boot(), clean, database };
    marker.write(folder).map_err(|error| format!("writing its marker: {error}"))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these protect is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
