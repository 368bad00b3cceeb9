//! The devices of one instance: what every job of this crate works with.

use std::sync::Arc;

use bytes::Bytes;
use rollcall_chassis::{clock::Clock, entropy::Entropy};
use rollcall_domain::{
    ids::{DeviceId, InstanceId, LogId},
    registry::Device,
};
use rollcall_log::{
    Backbone, BackboneError,
    messages::{DeviceMessage, Lane, MessageProperties},
    repeats::Repeats,
    resume::Resume,
};
use rollcall_projection::directory::{DirectoryView, Listed};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{error::DevicesError, presence::Presence, recheck::Recheck, waiting::Requests};

/// What the devices of an instance are served with.
pub struct Parts {
    pub instance: InstanceId,
    pub view: DirectoryView,
    /// Messages, presence, documents, and the end of the registry log.
    pub backbone: Backbone,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Stops what runs for the instance.
    pub stop: CancellationToken,
    /// Holds what runs for the instance, and what it has begun for one device, so that a caller can wait for its end.
    pub tasks: TaskTracker,
}

/// See the file.
pub struct Devices {
    pub(crate) instance: InstanceId,
    pub(crate) view: DirectoryView,
    pub(crate) backbone: Backbone,
    pub(crate) requests: Requests,
    pub(crate) recheck: Recheck,
    /// What was said of devices that could not be served or sent something: one for all, or each would say it.
    pub(crate) told: Repeats,
    /// Cancelled when no more is to be begun for any device.
    pub(crate) stop: CancellationToken,
    /// What goes on although its caller goes away. It is not cut off in the middle, where it could not be told what a device
    /// has been sent; it ends by itself soon after `stop`.
    pub(crate) tasks: TaskTracker,
    presence: Presence,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Devices {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            instance: parts.instance,
            view: parts.view,
            backbone: parts.backbone,
            requests: Requests::default(),
            recheck: Recheck::default(),
            told: Repeats::default(),
            stop: parts.stop,
            tasks: parts.tasks,
            presence: Presence::default(),
            clock: parts.clock,
            entropy: parts.entropy,
        }
    }

    /// Who is online.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    pub(crate) fn log(&self) -> LogId {
        LogId::Instance(self.instance.clone())
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.unix_ms()
    }

    /// For a loop that follows something of this instance.
    pub(crate) fn resume(&self, what: &'static str) -> Resume {
        Resume::new(what, format_args!("instance {}", self.instance), self.entropy.uuid_v4().as_u64_pair().0)
    }

    pub(crate) fn new_claim(&self) -> String {
        self.entropy.uuid_v4().simple().to_string()
    }

    /// Runs a lookup where it may block.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        lookup: impl FnOnce(&DirectoryView) -> Option<T> + Send + 'static,
    ) -> Result<T, DevicesError> {
        let view = self.view.clone();
        let found = tokio::task::spawn_blocking(move || lookup(&view)).await;
        found.ok().flatten().ok_or(DevicesError::NotReady)
    }

    /// The device as the view has it; one that is online is there, or is just being deleted.
    pub(crate) async fn existing(&self, device: &DeviceId) -> Result<Option<Listed>, DevicesError> {
        let device = device.clone();
        self.look(move |view| view.show(&device)).await
    }

    /// Publishes a message for a device, at QoS 1: sessions that asked for less get it at less.
    pub(crate) async fn publish(
        &self,
        device: &Device,
        topic: String,
        payload: Bytes,
        properties: MessageProperties,
    ) -> Result<(), BackboneError> {
        let message = DeviceMessage {
            lane: Lane::Downlink,
            space: device.space.clone(),
            device: device.id.clone(),
            topic,
            payload,
            qos: 1,
            properties,
        };
        self.backbone.messages.publish(&self.instance, message).await.map(drop)
    }
}
