//! What devices send and are sent. Uplinks and messages between devices are on disk when `publish` returns, so a PUBACK
//! that follows it is true. Bounded by age and size: a message stream is a pipe, not an archive.

mod damaged;
mod reading;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{DeviceId, InstanceId, SpaceId};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

pub use self::{
    damaged::step_over,
    reading::{KeptMessages, LATEST_BYTES_MAX, LATEST_MAX, LatestMessages, MessagesOf},
};
use crate::error::BackboneError;

/// Most bytes of messages kept for one instance; on a broker a shard's limit holds, for all its instances together.
pub const MESSAGES_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// How long a message is kept, seconds.
pub const MESSAGES_AGE_S_MAX: u64 = 24 * 3600;
/// Largest payload, bytes: the service's 1 MB.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// Most messages of one call of [`DeviceMessages::publish_in_order`].
pub const PUBLISHED_TOGETHER_MAX: usize = 256;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// From a device to the platform, on one of its own `$oc` topics.
    Uplink,
    /// From the platform to one device, on one of its own `$oc` topics.
    Downlink,
    /// From a device to whichever devices of its resource space have subscribed.
    Peer,
}

/// One message. Postcard- or JSON-encoded by the implementations; certificate text never reaches a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceMessage {
    pub lane: Lane,
    /// The resource space of the device.
    pub space: SpaceId,
    /// The device that sent it (an uplink, or to peers), or is to get it (a downlink).
    pub device: DeviceId,
    /// The MQTT topic, whole.
    pub topic: String,
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
    pub content_type: Option<String>,
    pub response_topic: Option<String>,
    pub correlation_data: Option<Bytes>,
    /// User properties, in order.
    pub user: Vec<(String, String)>,
}

/// Where a message of an instance is. Rises in the order in which the instance's messages are to be read; other than that
/// opaque: a sequence means nothing without its stream.
///
/// An instance's messages are in a stream of its own or, on a broker, in a shard that it shares with other instances. One
/// that version 0.1 has kept on a broker has both: what its own stream holds comes before what its shard holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessagePosition {
    /// Which shard; `None`: the instance's own stream. First, for it decides the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shard: Option<u32>,
    /// The sequence in that stream. Called as version 0.1 called it in what it wrote down, which knew no shards.
    position: u64,
}

impl MessagePosition {
    /// In the instance's own stream.
    pub const fn own(sequence: u64) -> Self {
        Self { shard: None, position: sequence }
    }

    /// In a shard.
    pub const fn sharded(shard: u32, sequence: u64) -> Self {
        Self { shard: Some(shard), position: sequence }
    }

    /// The shard; `None`: the instance's own stream. For what keeps a position in a form of its own.
    pub const fn shard(&self) -> Option<u32> {
        self.shard
    }

    /// The sequence in the stream; means nothing without [`Self::shard`].
    pub const fn sequence(&self) -> u64 {
        self.position
    }
}

impl fmt::Display for MessagePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shard {
            None => write!(f, "{}", self.position),
            Some(shard) => write!(f, "~{shard:02}:{}", self.position),
        }
    }
}

/// How far a reader of an instance's messages has come, in each stream that they are in. The default is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCursor {
    /// In the instance's own stream; called as version 0.1 called it.
    #[serde(default)]
    position: u64,
    /// In the instance's shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sharded: Option<MessagePosition>,
}

impl MessageCursor {
    /// Before every message that is kept.
    pub const START: Self = Self { position: 0, sharded: None };

    /// The message at this position has been read, and those before it in its stream.
    pub fn advance(&mut self, read: MessagePosition) {
        match read.shard {
            None => self.position = read.position,
            Some(_) => self.sharded = Some(read),
        }
    }

    /// The message at this position has not been read, nor what follows it in its stream.
    pub fn step_back(&mut self, unread: MessagePosition) {
        let before = unread.position.saturating_sub(1);
        match unread.shard {
            None => self.position = self.position.min(before),
            Some(_) if self.sharded.is_some_and(|read| read >= unread) => {
                self.sharded = Some(MessagePosition { position: before, ..unread });
            }
            Some(_) => {}
        }
    }

    /// As far as readers at both have come.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        Self { position: self.position.min(other.position), sharded: self.sharded.min(other.sharded) }
    }

    /// As far as any of the readers at both has come, in each stream.
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        Self { position: self.position.max(other.position), sharded: self.sharded.max(other.sharded) }
    }

    /// Whether a reader that has come here has read all that one at `other` has.
    pub fn covers(&self, other: &Self) -> bool {
        self.position >= other.position && self.sharded >= other.sharded
    }

    /// The last sequence read of the instance's own stream.
    pub const fn own(&self) -> u64 {
        self.position
    }

    /// The last sequence read of this shard.
    pub fn sharded(&self, shard: u32) -> u64 {
        self.sharded.filter(|read| read.shard == Some(shard)).map_or(0, |read| read.position)
    }
}

impl From<MessagePosition> for MessageCursor {
    /// After this message, and what was before it in its stream.
    fn from(read: MessagePosition) -> Self {
        let mut cursor = Self::START;
        cursor.advance(read);
        cursor
    }
}

/// Encodes messages up to the first that is over a limit by itself; that one's error follows them.
///
/// # Errors
/// [`Unstored`]: the first is over a limit.
pub fn encode_up_to_limit<T>(
    messages: &[DeviceMessage],
    encode: impl Fn(&DeviceMessage) -> Result<T, BackboneError>,
) -> Result<(Vec<T>, Option<Unstored>), Unstored> {
    let limit =
        |stored, what: String, max: usize| Unstored { stored, error: BackboneError::LimitReached { what, max: max as u64 } };
    if messages.len() > PUBLISHED_TOGETHER_MAX {
        let what = format!("{} messages in one call", messages.len());
        return Err(limit(0, what, PUBLISHED_TOGETHER_MAX));
    }
    let mut encoded = Vec::with_capacity(messages.len());
    for message in messages {
        let bytes = message.payload.len();
        let next = if bytes > PAYLOAD_BYTES_MAX {
            Err(limit(encoded.len(), format!("a payload of {bytes} bytes"), PAYLOAD_BYTES_MAX))
        } else {
            encode(message).map_err(|error| Unstored { stored: encoded.len(), error })
        };
        match next {
            Ok(next) => encoded.push(next),
            Err(over) if encoded.is_empty() => return Err(over),
            Err(over) => return Ok((encoded, Some(over))),
        }
    }
    Ok((encoded, None))
}

/// A message with its place among its instance's messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Rises; unique in the instance.
    pub position: MessagePosition,
    /// When it was stored, milliseconds since the Unix epoch.
    pub stored_at_ms: i64,
    pub message: DeviceMessage,
}

/// What a replay hands over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    Message(StoredMessage),
    /// All of it has been handed over: what comes after this cursor was stored after the replay began.
    End(MessageCursor),
}

/// Why [`DeviceMessages::publish_in_order`] has not stored everything.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{stored} messages were stored, the next one was not")]
pub struct Unstored {
    /// So many messages at the front are on disk.
    pub stored: usize,
    /// What happened to the next one.
    #[source]
    pub error: BackboneError,
}

/// The message streams of a fleet.
#[async_trait]
pub trait DeviceMessages: Send + Sync {
    /// Declares the message stream of an instance, or checks it against its declaration.
    ///
    /// # Errors
    /// [`BackboneError`] if that cannot be done.
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError>;

    /// Stores up to [`PUBLISHED_TOGETHER_MAX`] messages of one sender, in their order; they are on disk when this returns.
    /// Returns the position of the last. Calls of many senders share one sync.
    ///
    /// One call with a sequence, not a call for each message: calls that are under way at the same time have no order. A
    /// sender has one call under way, and its messages are in order whatever the scheduler does.
    ///
    /// # Errors
    /// [`Unstored`]. With [`BackboneError::LimitReached`] the next message is over a limit by itself, and those behind it
    /// were not tried. With any other error each of the rest may have been stored: a sender that keeps its order hands in
    /// the whole rest again.
    async fn publish_in_order(&self, instance: &InstanceId, messages: &[DeviceMessage])
    -> Result<MessagePosition, Unstored>;

    /// Stores one message, as [`Self::publish_in_order`] does.
    ///
    /// # Errors
    /// [`BackboneError`]: it may not have been stored.
    async fn publish(&self, instance: &InstanceId, message: DeviceMessage) -> Result<MessagePosition, BackboneError> {
        self.publish_in_order(instance, &[message]).await.map_err(|unstored| unstored.error)
    }

    /// The messages of the given lanes: all kept ones after a cursor, or with `None` those stored from now on.
    /// Bounded channel; ends after the first error. A message that cannot be read is stepped over ([`step_over`]).
    ///
    /// # Errors
    /// [`BackboneError`] if following cannot start.
    async fn follow(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        after: Option<MessageCursor>,
    ) -> Result<mpsc::Receiver<Result<StoredMessage, BackboneError>>, BackboneError> {
        self.follow_of(instance, lanes, &MessagesOf::Instance, after).await
    }

    /// As [`follow`](Self::follow), of some devices only: what is not asked for is left where it is, as far as the
    /// implementation can.
    ///
    /// # Errors
    /// [`BackboneError`] if following cannot start.
    async fn follow_of(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        of: &MessagesOf,
        after: Option<MessageCursor>,
    ) -> Result<mpsc::Receiver<Result<StoredMessage, BackboneError>>, BackboneError>;

    /// The end of what is stored now.
    ///
    /// # Errors
    /// [`BackboneError`] if it cannot be looked for.
    async fn end(&self, instance: &InstanceId) -> Result<MessageCursor, BackboneError>;

    /// The messages of some devices of the given lanes after a cursor, up to the end that there is now or later, then
    /// [`Replayed::End`], with which the channel ends. Bounded channel; ends after the first error. What version 0.1 keeps in a stream of the
    /// instance's own is not among them.
    ///
    /// # Errors
    /// [`BackboneError`] if reading cannot start.
    async fn replay(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        of: &MessagesOf,
        after: MessageCursor,
    ) -> Result<mpsc::Receiver<Result<Replayed, BackboneError>>, BackboneError>;

    /// The latest messages of a lane, newest first: at most `max` and [`LATEST_MAX`] of those stored before a position, or
    /// of all. The work for a page is bounded, so that it may be short, even empty, before the oldest is reached.
    ///
    /// # Errors
    /// [`BackboneError`] if the stream cannot be read.
    async fn latest(
        &self,
        instance: &InstanceId,
        lane: Lane,
        of: &MessagesOf,
        before: Option<MessagePosition>,
        max: usize,
    ) -> Result<LatestMessages, BackboneError>;

    /// From where to where messages are kept now.
    ///
    /// # Errors
    /// [`BackboneError`] if the stream cannot be looked at.
    async fn kept(&self, instance: &InstanceId) -> Result<KeptMessages, BackboneError>;
}

#[cfg(test)]
mod tests {
    use super::{MessageCursor, MessagePosition};

    #[test]
    fn what_version_0_1_wrote_down_is_of_the_stream_of_its_own() {
        let cursor: MessageCursor = serde_json::from_str(r#"{"position":77}"#).unwrap();
        assert_eq!((cursor.own(), cursor.sharded(5)), (77, 0));
        let position: MessagePosition = serde_json::from_str(r#"{"position":77}"#).unwrap();
        assert_eq!(position, MessagePosition::own(77));
        assert_eq!(serde_json::to_string(&position).unwrap(), r#"{"position":77}"#);
    }

    #[test]
    fn a_cursor_steps_back_before_what_was_not_read() {
        let mut cursor = MessageCursor::from(MessagePosition::own(77));
        cursor.advance(MessagePosition::sharded(5, 30));
        let far = cursor;
        cursor.step_back(MessagePosition::sharded(5, 31));
        assert_eq!(cursor, far, "it has not come so far");
        cursor.step_back(MessagePosition::sharded(5, 30));
        cursor.step_back(MessagePosition::own(70));
        assert_eq!((cursor.own(), cursor.sharded(5)), (69, 29));
        cursor.step_back(MessagePosition::sharded(5, 1));
        assert_eq!(cursor.sharded(5), 0);
        assert!(!cursor.covers(&MessagePosition::sharded(5, 1).into()));
        assert_eq!(far.earlier(cursor), cursor);
        assert_eq!(far.earlier(MessageCursor::START), MessageCursor::START);
        assert_eq!((far.later(cursor), cursor.later(MessageCursor::START)), (far, cursor));
        let apart = (MessagePosition::own(3).into(), MessagePosition::sharded(5, 4));
        assert_eq!(MessageCursor::later(apart.0, apart.1.into()).own(), 3);
        assert_eq!(MessageCursor::later(apart.0, apart.1.into()).sharded(5), 4);
    }

    #[test]
    fn a_cursor_carries_its_streams() {
        let mut cursor = MessageCursor::from(MessagePosition::own(77));
        cursor.advance(MessagePosition::sharded(5, 3));
        assert_eq!((cursor.own(), cursor.sharded(5), cursor.sharded(6)), (77, 3, 0));
        let written = serde_json::to_string(&cursor).unwrap();
        assert_eq!(serde_json::from_str::<MessageCursor>(&written).unwrap(), cursor);
        assert!(cursor.covers(&MessageCursor::START) && cursor.covers(&cursor));
        assert!(!MessageCursor::from(MessagePosition::own(78)).covers(&cursor));
        assert!(!cursor.covers(&MessagePosition::sharded(5, 4).into()));
        assert!(MessagePosition::own(u64::MAX) < MessagePosition::sharded(0, 1), "what is in a shard came later");
    }
}
