//! The admission view of one instance: devices by id and by fingerprint, the configuration, how far the log was read.
//!
//! Invariant: what a reader sees is the log's state at the view's position or a stale one that refuses more, never one
//! that admits more.

use std::{path::PathBuf, sync::Arc};

use rollcall_backbone::{codec::Record, log::RegistryLog};
use rollcall_domain::{
    ids::{DeviceId, Fingerprint, InstanceId, Position, ProductId, RequestId, SpaceId},
    registry::{Configuration, DeviceEntry, Devices},
};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// Where a process keeps its views, and how much memory they may take.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The folder of the database; made if absent.
    pub folder: PathBuf,
    /// sled's cache, bytes; the whole set should fit.
    pub cache_bytes_max: u64,
}

/// One sled database: the views of one process.
#[derive(Clone)]
pub struct Store {}

/// How a view stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewStatus {
    /// How far the log has been folded.
    pub position: Position,
    /// Whether everything that was in the log when following began has been folded.
    pub caught_up: bool,
    /// Running digest over (position, record), for comparing views at one position.
    pub digest: [u8; 32],
    /// What is happening.
    pub health: ViewHealth,
}

/// Whether a view moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewHealth {
    /// It follows the log.
    Following,
    /// The log cannot be reached; what is known stays in use.
    Stale {
        /// Why.
        reason: String,
    },
    /// A record cannot be read; the view stands before it until an operator upgrades or repairs.
    Parked {
        /// Its position.
        at: Position,
        /// Why.
        reason: String,
    },
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
}

/// A record that has just been folded.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Its position.
    pub position: Position,
    /// The record.
    pub record: Arc<Record>,
}

impl Store {
    /// Opens the database; a damaged one is moved aside (`quarantine-<n>`) and an empty one takes its place.
    ///
    /// # Errors
    /// [`ViewError::Open`].
    pub fn open(config: &StoreConfig) -> Result<Self, ViewError> {
        let _ = config;
        todo!()
    }

    /// Opens the view of an instance and follows its log until `shutdown`.
    ///
    /// # Errors
    /// [`ViewError`].
    pub fn admission(
        &self,
        instance: &InstanceId,
        log: Arc<dyn RegistryLog>,
        shutdown: CancellationToken,
    ) -> Result<AdmissionView, ViewError> {
        let _ = (instance, log, shutdown);
        todo!()
    }
}

/// What a connector or registrar knows of one instance. Cheap to clone; reads take no lock.
#[derive(Clone)]
pub struct AdmissionView {}

impl AdmissionView {
    /// The latest configuration.
    pub fn configuration(&self) -> Arc<Configuration> {
        todo!()
    }

    /// How the view stands; changes with every folded batch.
    pub fn status(&self) -> watch::Receiver<ViewStatus> {
        todo!()
    }

    /// Every record folded from now on, live ones and those of a catch-up alike. A reader that lags gets
    /// `RecvError::Lagged` and must look at the whole state again.
    pub fn applied(&self) -> broadcast::Receiver<Applied> {
        todo!()
    }

    /// Returns once the view has folded `position`.
    ///
    /// # Errors
    /// [`ViewError::Closed`] if it will not any more.
    pub async fn reached(&self, position: Position) -> Result<(), ViewError> {
        let _ = position;
        todo!()
    }

    /// The position of the record that an operator's request came to, if it came to one: how a request seen again gets
    /// its earlier ruling.
    pub fn ruled(&self, request: &RequestId) -> Option<Position> {
        let _ = request;
        todo!()
    }
}

impl Devices for AdmissionView {
    fn entry(&self, id: &DeviceId) -> Option<DeviceEntry> {
        let _ = id;
        todo!()
    }

    fn holder(&self, fingerprint: &Fingerprint) -> Option<DeviceId> {
        let _ = fingerprint;
        todo!()
    }

    fn any_of_product(&self, space: &SpaceId, product: &ProductId) -> bool {
        let _ = (space, product);
        todo!()
    }

    fn count(&self) -> u64 {
        todo!()
    }
}
