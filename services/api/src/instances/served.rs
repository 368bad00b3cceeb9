//! One instance as the API sees it: its view, the way to its registrar, who is online, what devices answer.
//!
//! Not for HTTP. Invariant: whatever is read here is the log's state at the view's position, and a caller whose change was
//! granted finds it.

use std::sync::Arc;

use rollcall_backbone::{Backbone, BackboneError, presence::ConnectorBeat, seal::SealedLog};
use rollcall_devices::Devices;
use rollcall_domain::{
    ids::{InstanceId, LogId},
    registry::{Configuration, Device},
    time::Timestamp,
};
use rollcall_projection::{
    directory::{DeviceStatus, DirectoryView},
    freshness::{Freshness, Seen},
    readiness::{Unready, unready},
};
use tokio_util::sync::CancellationToken;

use crate::{change_client::ChangeClient, http::error::ApiError, instances::recent_attempts::RecentAttempts};

/// See the file.
pub(crate) struct ServedInstance {
    /// Which instance.
    pub(crate) id: InstanceId,
    /// Which of the instances of this id it is.
    pub(crate) sealed: SealedLog,
    /// What is known of it.
    pub(crate) view: DirectoryView,
    /// The way to its registrar.
    pub(crate) changes: ChangeClient,
    /// Who is online, and what goes on with its devices.
    pub(crate) devices: Arc<Devices>,
    /// What is known of its refused attempts.
    pub(crate) attempts: RecentAttempts,
    /// How old the view is.
    pub(crate) freshness: Freshness,
    /// For what the view does not hold: messages, documents, attempts, records.
    pub(crate) backbone: Backbone,
    /// Stops everything that runs for this instance when the realm goes.
    pub(crate) stop: CancellationToken,
}

impl ServedInstance {
    /// The latest configuration.
    pub(crate) fn configuration(&self) -> Arc<Configuration> {
        self.view.admission().configuration()
    }

    /// Its log.
    pub(crate) fn log(&self) -> LogId {
        LogId::Instance(self.id.clone())
    }

    /// Whether the view may be read: it has caught up with its log once.
    pub(crate) fn is_ready(&self) -> bool {
        self.view.admission().status().borrow().caught_up
    }

    /// How old the view is, and whether it agrees with registrars'.
    pub(crate) fn seen(&self) -> Seen {
        self.freshness.of_log(&self.log())
    }

    /// Why the view is not to be relied upon; it may be read all the same.
    pub(crate) fn unready(&self) -> Option<Unready> {
        unready(&self.view.admission().status().borrow(), &self.seen())
    }

    /// What every connector has said of itself last, and remembers who that was.
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
        if device.frozen {
            return DeviceStatus::Frozen;
        }
        if self.devices.presence().is_online(&device.id) {
            return DeviceStatus::Online;
        }
        // A certificate that was proven has connected, and with it the device; one that was only typed in has perhaps not.
        let proven = device.credential.pins().any(|pin| pin.ca.is_some());
        if proven || self.view.seen(&device.id).is_some() { DeviceStatus::Offline } else { DeviceStatus::Inactive }
    }

    /// Runs a lookup where it may take its time; `None` from the view means that it is being rebuilt.
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

impl Drop for ServedInstance {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Opens log, queue, messages, presence and documents of an instance; whoever comes second finds them there.
///
/// # Errors
/// [`BackboneError`] of the first that cannot be opened.
pub(crate) async fn open(backbone: &Backbone, instance: &InstanceId) -> Result<(), BackboneError> {
    let log = LogId::Instance(instance.clone());
    backbone.log.open(&log).await?;
    backbone.requests.open(&log).await?;
    backbone.messages.open(instance).await?;
    backbone.presence.open(instance).await?;
    backbone.documents.open(instance).await
}
