//! The admission view of one instance: devices by id and by fingerprint, the configuration, how far the log was read.
//!
//! Invariant: what a reader sees is the log's state at the view's position or a stale one that refuses more, never one
//! that admits more. A lookup that meets damage finds nothing, and the view is built again.

use std::sync::Arc;

use rollcall_backbone::{
    codec::Record,
    seal::{Digest, LastBatch, Point, SealKeys, Sealing},
    signing::KeyId,
};
use rollcall_domain::{
    ids::{DeviceId, Fingerprint, Position, ProductId, RequestId, SpaceId},
    registry::{Configuration, DeviceEntry, Devices},
};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::DropGuard;

use crate::state::ViewState;
pub use crate::store::{Store, StoreConfig, ViewError};

/// How a view stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewStatus {
    /// How far the log has been folded.
    pub position: Position,
    /// Whether everything that was in the log when following began has been folded. A view that was opened again and
    /// cannot reach the log has `caught_up: false`, its earlier position and [`ViewHealth::Stale`]: it may be used.
    pub caught_up: bool,
    /// The log's digest over what was ours, for comparing views at one position.
    pub digest: Digest,
    /// How what follows on the position has to be proven.
    pub sealing: Sealing,
    /// The last batch of ours up to the position.
    pub batch: Option<LastBatch>,
    /// How the log is proven to hold registrars' records and no others'.
    pub proof: LogProof,
    /// Records that were not ours and were stepped over; `None` if there was none.
    pub foreign: Option<ForeignSeen>,
    /// Raised when what lookups are made in was replaced as a whole: the log was another one or had lost records, or the
    /// view was built again. [`AdmissionView::applied`] may leave out what was folded meanwhile, so whoever keeps
    /// anything that was judged by this view judges it again, as soon as the view may be judged by.
    pub generation: u64,
    /// What is happening.
    pub health: ViewHealth,
}

impl ViewStatus {
    /// Where the view stands in its log.
    pub const fn point(&self) -> Point {
        Point { position: self.position, digest: self.digest, sealing: self.sealing, batch: self.batch }
    }
}

/// How a log is proven to hold registrars' records and no others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogProof {
    /// This process has no registrar's public key: everything that stands in the log is taken for ours.
    WithoutKeys,
    /// Version 0.1 began the log and nobody has adopted it: everything that stands in it is taken for ours.
    Unsigned,
    /// The log is to be sealed from its first record on, and holds none yet.
    Awaited,
    /// By seals, the last of them by this key.
    Sealed(KeyId),
}

impl LogProof {
    pub(crate) fn of(sealing: Sealing, keys: &SealKeys) -> Self {
        match sealing {
            Sealing::Unsigned if keys.is_empty() => Self::WithoutKeys,
            Sealing::Unsigned => Self::Unsigned,
            Sealing::Awaited => Self::Awaited,
            Sealing::By(key) => Self::Sealed(key.id()),
        }
    }
}

/// What was stepped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignSeen {
    /// How many records.
    pub count: u64,
    /// Position of the last of them.
    pub last: Position,
}

/// Whether a view moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewHealth {
    /// It follows the log.
    Following,
    /// The log cannot be reached, or the view is being built again; what is known stays in use.
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
    /// The log holds what cannot be proven with the keys of this process; what is known stays in use.
    Unproven {
        /// Why, and what to do.
        reason: String,
    },
    /// Nothing keeps it up any more: nobody uses it, or it failed. It never moves again and nothing may be judged by it;
    /// the store opens it anew.
    Ended,
}

/// A record that has just been folded.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Its position.
    pub position: Position,
    /// The record.
    pub record: Arc<Record>,
}

/// What a connector or registrar knows of one instance. Cheap to clone; reads take no lock.
#[derive(Clone)]
pub struct AdmissionView {
    state: Arc<ViewState>,
    /// The view may end once this is dropped.
    _usage: Arc<DropGuard>,
}

impl AdmissionView {
    pub(crate) fn of(state: Arc<ViewState>, usage: DropGuard) -> Self {
        Self { state, _usage: Arc::new(usage) }
    }

    pub(crate) fn state(&self) -> &ViewState {
        &self.state
    }

    /// The latest configuration.
    pub fn configuration(&self) -> Arc<Configuration> {
        Arc::clone(&self.state.served().configuration)
    }

    /// How the view stands; changes with every folded batch.
    pub fn status(&self) -> watch::Receiver<ViewStatus> {
        self.state.status()
    }

    /// Every record folded from now on, live ones and those of a catch-up alike. A reader that lags gets
    /// `RecvError::Lagged` and must look at the whole state again.
    pub fn applied(&self) -> broadcast::Receiver<Applied> {
        self.state.applied()
    }

    /// Returns once the view has folded `position`.
    ///
    /// # Errors
    /// [`ViewError::Closed`] if the view has ended or ends before.
    pub async fn reached(&self, position: Position) -> Result<(), ViewError> {
        self.state.reached(position).await
    }

    /// Returns once the view is not kept up any more ([`ViewHealth::Ended`]). Whoever still needs it asks the store again.
    pub async fn ended(&self) {
        self.state.ended().await;
    }

    /// The position of the record that an operator's request came to, if it came to one: how a request seen again gets
    /// its earlier ruling.
    pub fn ruled(&self, request: &RequestId) -> Option<Position> {
        self.state.look(|rows| rows.ruled(request)).flatten()
    }

    /// Whether the record at a position is not ours. Only of positions that the view has reached; damage counts as yes.
    pub fn is_foreign(&self, position: Position) -> bool {
        self.state.look(|rows| rows.is_foreign(position)).unwrap_or(true)
    }

    /// The last runs of records that were not ours, first and last position of each, at most `max`, the newest first.
    pub fn foreign(&self, max: usize) -> Vec<(Position, Position)> {
        self.state.look(|rows| rows.foreign(max)).unwrap_or_default()
    }

    /// How many lookups have met damage since the view was opened. Whoever decides on "there is none" compares this
    /// before and after: a lookup that met damage found nothing, which is not the same as nothing being there.
    pub fn lookups_damaged(&self) -> u64 {
        self.state.lookups_damaged()
    }
}

impl Devices for AdmissionView {
    fn entry(&self, id: &DeviceId) -> Option<DeviceEntry> {
        self.state.look(|rows| rows.entry(id)).flatten()
    }

    fn holder(&self, fingerprint: &Fingerprint) -> Option<DeviceId> {
        self.state.look(|rows| rows.holder(fingerprint)).flatten()
    }

    fn any_of_product(&self, space: &SpaceId, product: &ProductId) -> bool {
        // Damage counts as "yes": whoever asks wants to delete the product.
        self.state.look(|rows| rows.any_of_product(space, product)).unwrap_or(true)
    }

    fn count(&self) -> u64 {
        self.state.count()
    }
}
