//! The views of one process: each instance's is followed once, for as long as anything uses it.
//!
//! Does not know what is in a view. Invariant: of one incarnation of an instance there is one view that moves.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use rollcall_domain::ids::{Incarnation, InstanceId};
use rollcall_log::{log::RegistryLog, seal::SealKeys};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{follow, state::ViewState, view_error::ViewError};
use crate::{
    files::{Files, StoreConfig},
    rows::{SCHEMA, SERVED_SCHEMAS},
};

/// The views that are followed, and some that have ended.
type Views = HashMap<(InstanceId, Incarnation), Weak<ViewState>>;

/// One sled database: the views of one process. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    files: Arc<Files>,
    views: Arc<Mutex<Views>>,
}

impl Store {
    /// Opens the database; a damaged one is moved aside (`quarantine-<n>`) and an empty one takes its place.
    ///
    /// # Errors
    /// [`ViewError::Open`]: the folder cannot be made, written or locked.
    pub fn open(config: &StoreConfig) -> Result<Self, ViewError> {
        Self::open_as(config, SCHEMA, SERVED_SCHEMAS)
    }

    /// Opens the database with or without the directory, as it was left, so that it can be looked at without being built
    /// again.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_as_left(folder: PathBuf, cache_bytes_max: u64, keys: SealKeys) -> Result<Self, ViewError> {
        let config = StoreConfig { folder, cache_bytes_max, directory: false, keys, retry_seed: 0 };
        let refused = ViewError::open(&config);
        Files::open_as_left(config, SCHEMA, SERVED_SCHEMAS).map(Self::of).map_err(refused)
    }

    /// Opens the database as a process of another version would.
    pub(crate) fn open_as(config: &StoreConfig, schema: u32, served_schemas: &[u32]) -> Result<Self, ViewError> {
        Files::open(config, schema, served_schemas).map(Self::of).map_err(ViewError::open(config))
    }

    fn of(files: Files) -> Self {
        Self { files: Arc::new(files), views: Arc::default() }
    }

    /// Whose seals prove the logs of this store.
    pub fn keys(&self) -> &SealKeys {
        &self.files.config().keys
    }

    /// Waits until every view has stopped following (nothing may use one any more), then marks the folder clean, so that the
    /// next start believes it even after a power cut.
    pub async fn close(self) {
        self.files.close().await;
    }

    #[cfg(test)]
    pub(crate) fn database(&self) -> Arc<crate::files::Database> {
        self.files.current()
    }

    pub(crate) fn config(&self) -> &StoreConfig {
        self.files.config()
    }

    /// The view of an incarnation of an instance, used until the guard is dropped or `shutdown` is cancelled.
    pub(crate) fn view(
        &self,
        instance: &InstanceId,
        incarnation: Incarnation,
        log: Arc<dyn RegistryLog>,
        shutdown: &CancellationToken,
    ) -> Result<(Arc<ViewState>, DropGuard), ViewError> {
        // A map is whole between any two statements.
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = views.get(&(instance.clone(), incarnation)).and_then(Weak::upgrade)
            && let Some(usage) = state.used_until(shutdown)
        {
            return Ok((state, usage));
        }
        let (state, follower) = follow::open(Arc::clone(&self.files), instance.clone(), incarnation, log);
        let usage = state.used_until(shutdown).ok_or(ViewError::Closed)?;
        views.retain(|_, view| view.strong_count() > 0);
        views.insert((instance.clone(), incarnation), Arc::downgrade(&state));
        self.files.spawn(|_| follower.run());
        Ok((state, usage))
    }
}
