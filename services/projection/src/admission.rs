//! The admission view of one instance: devices by id and by fingerprint, the configuration, how far the log was read.
//!
//! Invariant: what a reader sees is the log's state at the view's position or a stale one that refuses more, never one
//! that admits more. A lookup that meets damage finds nothing, and the view is built again.

use std::sync::Arc;

use rollcall_domain::{
    ids::{DeviceId, Fingerprint, Incarnation, InstanceId, Position, ProductId, RequestId, SpaceId},
    registry::{Configuration, DeviceEntry, Devices, PinKey, Retired},
    time::Timestamp,
};
use rollcall_log::log::RegistryLog;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::views::ViewState;
pub use crate::{
    files::StoreConfig,
    foreign::ForeignSeen,
    views::{Applied, LogProof, Store, ViewError, ViewHealth, ViewStatus},
};

/// What a connector or registrar knows of one instance. Cheap to clone; reads take no lock.
#[derive(Clone)]
pub struct AdmissionView {
    state: Arc<ViewState>,
    /// The view may end once this is dropped.
    _usage: Arc<DropGuard>,
}

impl Store {
    /// The view of this `incarnation` of an instance. It follows its log for as long as it has a user: a caller is one until
    /// its `shutdown` is cancelled or the last clone of its handle is dropped. Asked again for an instance that is followed,
    /// it is the same view, whichever `log` is given then. One that has [ended](AdmissionView::ended) is opened again from
    /// what it left.
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
        let (state, usage) = self.view(instance, incarnation, log, &shutdown)?;
        Ok(AdmissionView { state, _usage: Arc::new(usage) })
    }
}

impl AdmissionView {
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

    /// Returns once the view is not kept up any more ([`ViewHealth::Ended`]). One that still needs it asks the store again.
    pub async fn ended(&self) {
        self.state.ended().await;
    }

    /// The position of the record that an operator's request came to, if it came to one: how a request seen again gets
    /// its earlier ruling.
    pub fn ruled(&self, request: &RequestId) -> Option<Position> {
        self.state.look(|rows| rows.ruled(request)).flatten()
    }

    /// The first request at or after a text, by the order of texts, that came to a record and is known.
    pub fn first_ruled_from(&self, text: &str) -> Option<RequestId> {
        self.state.look(|rows| rows.first_ruled_from(text)).flatten()
    }

    /// Whether the record at a position is not ours. Only of positions that the view has reached; damage counts as yes.
    pub fn is_foreign(&self, position: Position) -> bool {
        self.state.look(|rows| rows.is_foreign(position)).unwrap_or(true)
    }

    /// The last runs of records that were not ours, first and last position of each, at most `max`, the newest first.
    pub fn foreign(&self, max: usize) -> Vec<(Position, Position)> {
        self.state.look(|rows| rows.foreign(max)).unwrap_or_default()
    }

    /// How many lookups have met damage since the view was opened. A caller that decides on "there is none" compares this
    /// before and after: a lookup that met damage found nothing, which is not the same as nothing being there.
    pub fn lookups_damaged(&self) -> u64 {
        self.state.lookups_damaged()
    }
}

impl Devices for AdmissionView {
    fn entry(&self, id: &DeviceId) -> Option<DeviceEntry> {
        self.state.look(|rows| rows.entry(id)).flatten()
    }

    fn holder(&self, key: &PinKey) -> Option<DeviceId> {
        self.state.look(|rows| rows.holder(key)).flatten()
    }

    fn retired(&self, key: &PinKey) -> Option<Retired> {
        self.state.look(|rows| rows.retired(key)).flatten()
    }

    fn retired_and_ended(&self, instant: Timestamp, max: usize) -> Vec<Fingerprint> {
        self.state.look(|rows| rows.retired_and_ended(instant, max)).unwrap_or_default()
    }

    fn retired_count(&self) -> u64 {
        self.state.retired_count()
    }

    fn any_of_product(&self, space: &SpaceId, product: &ProductId) -> bool {
        // Damage counts as "yes": this is asked before a product is deleted.
        self.state.look(|rows| rows.any_of_product(space, product)).unwrap_or(true)
    }

    fn count(&self) -> u64 {
        self.state.count()
    }
}
