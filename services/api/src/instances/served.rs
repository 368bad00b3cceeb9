//! One instance as the API sees it: its view, the way to its registrar, its online devices and what they answer.
//!
//! Knows no HTTP. Invariant: what is read here is the log's state at the view's position, and a caller whose change was accepted
//! finds it.

use std::{convert::Infallible, sync::Arc};

use rollcall_devices::Devices;
use rollcall_domain::{
    ids::{InstanceId, LogId},
    registry::{Configuration, Device},
    time::Timestamp,
};
use rollcall_log::{Backbone, BackboneError, presence::ConnectorBeat};
use rollcall_projection::{
    directory::{DeviceStatus, DirectoryView},
    freshness::{Freshness, Seen},
    readiness::{Unready, unready},
};

use crate::{change_client::ChangeClient, http::error::ApiError, instances::recent_attempts::RecentAttempts};

pub(crate) struct ServedInstance {
    pub(crate) id: InstanceId,
    pub(crate) view: DirectoryView,
    /// Submits changes to its registrar.
    pub(crate) changes: ChangeClient,
    /// Presence, messages, shadows and requests of its devices.
    pub(crate) devices: Arc<Devices>,
    /// An index of its refused attempts.
    pub(crate) attempts: RecentAttempts,
    pub(crate) freshness: Freshness,
    /// Holds what the view does not: messages, documents, attempts, records.
    pub(crate) backbone: Backbone,
}

impl ServedInstance {
    /// The configuration at the view's latest position.
    pub(crate) fn configuration(&self) -> Arc<Configuration> {
        self.view.admission().configuration()
    }

    pub(crate) fn log(&self) -> LogId {
        LogId::Instance(self.id.clone())
    }

    /// Whether the view may be read: it has caught up with its log once.
    pub(crate) fn is_ready(&self) -> bool {
        self.view.admission().status().borrow().caught_up
    }

    /// The age of the view, and whether its digest is that of the registrars.
    pub(crate) fn seen(&self) -> Seen {
        self.freshness.of_log(&self.log())
    }

    /// Why the view cannot be relied upon, although it can be read; `None`: it can.
    pub(crate) fn unready(&self) -> Option<Unready> {
        unready(&self.view.admission().status().borrow(), &self.seen())
    }

    /// The last heartbeat of every connector. Remembers which connectors those were, to notice one that goes silent.
    ///
    /// # Errors
    /// [`BackboneError`].
    pub(crate) async fn connectors(&self, now: Timestamp) -> Result<Vec<ConnectorBeat>, BackboneError> {
        let heard = self.backbone.presence.connectors(&self.id).await?;
        self.devices.presence().silent().note(heard.iter().map(|heard| heard.connector.clone()), now);
        Ok(heard)
    }

    /// What the v5 API calls the status of a device.
    pub(crate) fn status_of(&self, device: &Device) -> DeviceStatus {
        let online = self.devices.presence().is_online(&device.id);
        let Ok(status) = DeviceStatus::of(device, online, || Ok::<_, Infallible>(self.view.seen(&device.id).is_some()));
        status
    }

    /// Runs a lookup where blocking is allowed; `None` from the view means that it is being rebuilt.
    ///
    /// # Errors
    /// [`ApiError::not_ready`].
    pub(crate) async fn lookup<T: Send + 'static>(
        self: &Arc<Self>,
        lookup: impl FnOnce(&Self) -> Option<T> + Send + 'static,
    ) -> Result<T, ApiError> {
        let instance = Arc::clone(self);
        let found = tokio::task::spawn_blocking(move || lookup(&instance)).await;
        found.ok().flatten().ok_or_else(ApiError::not_ready)
    }
}

/// Opens log, queue, messages, presence and documents of an instance. Idempotent.
///
/// # Errors
/// [`BackboneError`] of the first that cannot be opened.
pub(crate) async fn open(backbone: &Backbone, instance: &InstanceId) -> Result<(), BackboneError> {
    let log = LogId::Instance(instance.clone());
    backbone.log.open(&log).await?;
    backbone.requests.open(&log).await?;
    backbone.messages.open(instance).await?;
    backbone.presence.open(instance).await?;
    backbone.documents.open(&log).await
}
