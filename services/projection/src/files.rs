//! A database's life: opened with its folder, believed only with reason, replaced when it turns out damaged, closed in order.
//!
//! Does not know what is in it. Invariant: a database that has been replaced is never in use again.

mod database;
mod encoding;
mod folder;
pub(crate) mod generations;
mod keys;
mod marker;

use std::{
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rollcall_log::seal::SealKeys;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::{
    database::{Database, Fault, Scan, Value, Walk},
    encoding::{decode, encode, id},
    generations::{StoredGeneration, StoredGenerations},
    keys::{META, META_CONNECTS, META_SEEN, SEPARATOR, key},
};
use self::{folder::write_marker, generations::WITH_DIRECTORY};

/// Where a process keeps its views, and how much memory they may take.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The folder of the database; made if absent.
    pub folder: PathBuf,
    /// sled's cache, bytes; the whole set should fit.
    pub cache_bytes_max: u64,
    /// Whether every view of this store carries the [directory](crate::directory) beside what admission needs: for
    /// processes that look devices up. It takes several times the room and the time to build.
    pub directory: bool,
    /// Whose seals prove a log's records.
    pub keys: SealKeys,
    /// Spreads the delays before a log is followed again: it differs between processes, so that they do not all come back at
    /// once.
    pub retry_seed: u64,
}

/// The database of one process, and the work that goes on in it. Dropped, it is marked clean.
pub(crate) struct Files {
    config: StoreConfig,
    /// The schema that this process writes; a test may be of another version.
    schema: u32,
    /// Which older schemas are served while they are rebuilt.
    served_schemas: Vec<u32>,
    /// Whether the database was closed in order before it was opened now.
    clean: bool,
    current: watch::Sender<Arc<Database>>,
    tasks: TaskTracker,
    /// Cancelled when [`Files::close`] is called.
    closing: CancellationToken,
    generations: Mutex<()>,
    /// Held for as long as the folder is in use, and let go last.
    _lock: File,
}

impl Files {
    /// Opens the database; a damaged one is moved aside (`quarantine-<n>`) and an empty one takes its place. Fails if the
    /// folder cannot be made, written or locked.
    pub(crate) fn open(config: &StoreConfig, schema: u32, served_schemas: &[u32]) -> Result<Self, String> {
        let opened = folder::open(&config.folder, config.cache_bytes_max)?;
        Ok(Self::of(config.clone(), schema, served_schemas, opened))
    }

    /// As [`open`](Self::open), with the directory if the database has it.
    pub(crate) fn open_as_left(mut config: StoreConfig, schema: u32, served_schemas: &[u32]) -> Result<Self, String> {
        let opened = folder::open(&config.folder, config.cache_bytes_max)?;
        config.directory = generations::any_has_directory(&opened.1).unwrap_or_default();
        Ok(Self::of(config, schema, served_schemas, opened))
    }

    fn of(
        config: StoreConfig,
        schema: u32,
        served_schemas: &[u32],
        (lock, database, clean): (File, Database, bool),
    ) -> Self {
        Self {
            schema: if config.directory { schema | WITH_DIRECTORY } else { schema },
            config,
            served_schemas: served_schemas.to_vec(),
            clean,
            current: watch::Sender::new(Arc::new(database)),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            generations: Mutex::default(),
            _lock: lock,
        }
    }

    pub(crate) fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// Waits until everything that was [spawned](Self::spawn) has ended, then marks the folder clean, so that the next start
    /// believes it even after a power cut.
    pub(crate) async fn close(self: Arc<Self>) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let marked = tokio::task::spawn_blocking(move || self.mark_clean()).await;
        if let Err(error) = marked {
            tracing::warn!(%error, "the view store was not marked clean");
        }
    }

    /// Runs something that [`close`](Self::close) waits for, and that is to end soon after the token is cancelled.
    pub(crate) fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(CancellationToken) -> F) {
        self.tasks.spawn(task(self.closing.clone()));
    }

    /// The database in use.
    pub(crate) fn current(&self) -> Arc<Database> {
        Arc::clone(&self.current.borrow())
    }

    /// Tells when another database comes into use.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<Database>> {
        self.current.subscribe()
    }

    /// Whether the database was closed in order before this process opened it.
    pub(crate) fn was_clean(&self) -> bool {
        self.clean
    }

    pub(crate) fn schema(&self) -> u32 {
        self.schema
    }

    /// Whether what was written so may be looked up while it is built anew. With or without the directory admission finds
    /// the same; the directory itself looks whether it is there.
    pub(crate) fn serves(&self, schema: u32) -> bool {
        let of = |schema: u32| schema & !WITH_DIRECTORY;
        of(schema) == of(self.schema) || self.served_schemas.contains(&of(schema))
    }

    /// Generations are made by one thread at a time.
    pub(crate) fn generations(&self) -> MutexGuard<'_, ()> {
        // It protects nothing but the order of calls.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
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
        write_marker(&self.config.folder, number, false).map_err(Fault)?;
        let fresh = Database::open(&self.config.folder, number, self.config.cache_bytes_max)?;
        self.current.send_replace(Arc::new(fresh));
        Ok(())
    }

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

impl Drop for Files {
    fn drop(&mut self) {
        // Every follower holds the files, so nothing writes any more.
        self.mark_clean();
    }
}
