//! What devices send and are sent. Uplinks and messages between devices are on disk when `publish` returns, so a PUBACK
//! that follows it is true. Bounded by age and size: a message stream is a pipe, not an archive.

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{DeviceId, InstanceId, Position, SpaceId};
use tokio::sync::mpsc;

use crate::BackboneError;

/// Most bytes of messages kept for one instance.
pub const MESSAGES_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// How long a message is kept, seconds.
pub const MESSAGES_AGE_S_MAX: u64 = 24 * 3600;
/// Largest payload, bytes: the service's 1 MB.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// From a device to the platform, on one of its own `$oc` topics.
    Up,
    /// From the platform to one device, on one of its own `$oc` topics.
    Down,
    /// From a device to whichever devices of its resource space have subscribed.
    Lateral,
}

/// One message. Postcard- or JSON-encoded by the implementations; certificate text never reaches a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceMessage {
    /// Which way.
    pub lane: Lane,
    /// The resource space of the device.
    pub space: SpaceId,
    /// The device that sent it (`Up`, `Lateral`), or is to get it (`Down`).
    pub device: DeviceId,
    /// The MQTT topic, whole.
    pub topic: String,
    /// The payload.
    pub payload: Bytes,
    /// QoS 0 or 1, as published.
    pub qos: u8,
    /// MQTT 5 properties that travel with the message.
    pub properties: MessageProperties,
}

/// The properties of MQTT 5 PUBLISH that a server passes on unchanged (MQTT 5 §3.3.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageProperties {
    /// Payload Format Indicator: 0 bytes, 1 UTF-8.
    pub payload_format: Option<u8>,
    /// Message Expiry Interval, seconds.
    pub expiry_s: Option<u32>,
    /// Content Type.
    pub content_type: Option<String>,
    /// Response Topic.
    pub response_topic: Option<String>,
    /// Correlation Data.
    pub correlation_data: Option<Bytes>,
    /// User properties, in order.
    pub user: Vec<(String, String)>,
}

/// A message with its place in its instance's message stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Rises; unique in the instance.
    pub position: Position,
    /// When it was stored, milliseconds since the Unix epoch.
    pub stored_at_ms: i64,
    /// The message.
    pub message: DeviceMessage,
}

/// The message streams of a fleet.
#[async_trait]
pub trait DeviceMessages: Send + Sync {
    /// Declares the message stream of an instance, or checks it against its declaration.
    ///
    /// # Errors
    /// [`BackboneError`] if that cannot be done.
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError>;

    /// Stores a message; it is on disk when this returns. Many calls at a time share one sync. Messages that one caller
    /// publishes one after the other keep their order.
    ///
    /// # Errors
    /// [`BackboneError`]: it may not have been stored.
    async fn publish(&self, instance: &InstanceId, message: DeviceMessage) -> Result<Position, BackboneError>;

    /// The messages of the given lanes: all kept ones after a position, or with `None` those stored from now on.
    /// Bounded channel; ends after the first error.
    ///
    /// # Errors
    /// [`BackboneError`] if following cannot start.
    async fn follow(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        after: Option<Position>,
    ) -> Result<mpsc::Receiver<Result<StoredMessage, BackboneError>>, BackboneError>;
}
