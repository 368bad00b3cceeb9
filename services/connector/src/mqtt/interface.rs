//! What the state machine of one connection and its owner, which has the sockets and the rules, exchange.
//!
//! Everything here is independent of the MQTT version: what 3.1.1 cannot express is left out where packets are written.

use bytes::Bytes;
use rollcall_domain::{
    ids::{DeviceId, ProductId, SpaceId},
    refusal::Refusal,
};
use rollcall_log::messages::{MessagePosition, MessageProperties};

use super::{subscriptions::Subscription, violation::Violation};

/// The MQTT version that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    /// MQTT 3.1: protocol name `MQIsdp`, level 3.
    V3_1,
    /// MQTT 3.1.1: level 4.
    V3_1_1,
    /// MQTT 5.0: level 5.
    V5,
}

impl Version {
    /// As people write it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V3_1 => "3.1",
            Self::V3_1_1 => "3.1.1",
            Self::V5 => "5.0",
        }
    }
}

/// What the owner has to do or to know, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A CONNECT that keeps the standard and the service's limits: answer with `accept` or `refuse`.
    /// Nothing more is read from the client until then.
    Connect(Box<Connect>),
    /// A message: store it, or not, and answer with `published`, at QoS 0 too (the answer makes room for the next).
    Publish(Box<Publish>),
    /// Filters to authorize: answer with `subscribed`. Nothing more is read from the client until then.
    Subscribe(Subscribe),
    /// Filters that this session had and no longer has. The client's answer is in the output, or sent.
    Unsubscribed(Vec<String>),
    /// The client has sent DISCONNECT; [`Effect::Close`] follows.
    Disconnected(Disconnected),
    /// A message of the client that the machine itself did not pass on; the session goes on.
    Dropped(Dropped),
    /// The client asked for something that it does not get, and its version has no way to say so; the session goes on. At
    /// most once for a session's will and once for its messages.
    Ignored(Ignored),
    /// Write what is left of the output, then close the connection. No effect follows. The messages that were taken before
    /// have been answered, unless their time ran out.
    Close(Closing),
}

/// What of a CONNECT matters to the owner. A password is ignored and not even kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connect {
    /// The client's MQTT version.
    pub(crate) version: Version,
    /// Client identifier as sent; empty if the client leaves the choice to the server, which then chooses the device id.
    pub(crate) client_id: String,
    /// User name as sent.
    pub(crate) user_name: Option<String>,
    /// Clean Start (5.0) or Clean Session: nothing of an earlier session goes on.
    pub(crate) clean_start: bool,
    /// How long the session is to outlive this connection, seconds; `u32::MAX`: for ever.
    pub(crate) session_expiry_s: u32,
    pub(crate) will: Option<Box<Will>>,
    /// Keep-alive in seconds, within the limits.
    pub(crate) keep_alive_s: u16,
}

/// A message that is published when the connection ends without a DISCONNECT that says otherwise (MQTT 5 §3.1.2.5). Its
/// topic is a well-formed topic name of allowed length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    /// 0 or 1.
    pub(crate) qos: u8,
    pub(crate) properties: MessageProperties,
    /// How long after the connection's end it is due, at the latest when the session ends; seconds.
    pub(crate) delay_s: u32,
}

/// What a client says with DISCONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disconnected {
    /// Its will is to be published all the same: it gave another reason than 0x00, MQTT 5.
    pub(crate) with_will: bool,
    /// How long its session is to outlive the connection, if it says that now.
    pub(crate) session_expiry_s: Option<u32>,
}

/// What goes on of an earlier session, and what is to outlive the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionGrant {
    /// An earlier session goes on.
    pub(crate) present: bool,
    /// How long the session outlives the connection, seconds.
    pub(crate) expiry_s: u32,
    /// The subscriptions that go on; the device may have them still.
    pub(crate) subscriptions: Vec<Subscription>,
}

/// The device that has been accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The device: user property `device_id`, and the Assigned Client Identifier of a client that sent none (a device
    /// has one connection at a time, so its id is unique).
    pub(crate) device: DeviceId,
    /// Its resource space: user property `space_id`.
    pub(crate) space: SpaceId,
    /// Its product: user property `product_id`.
    pub(crate) product: ProductId,
    pub(crate) session: SessionGrant,
}

/// Names a [`Publish`] until it has been answered. It does not leave the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PublishRef(pub(super) u64);

/// A message from the client. Its topic is a well-formed topic name of allowed length; whether this device may use it
/// has not been asked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) publish: PublishRef,
    /// 0 or 1.
    pub(crate) qos: u8,
    /// The topic name; a topic alias is resolved already.
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    /// MQTT 5 properties; empty for older versions.
    pub(crate) properties: MessageProperties,
}

/// What became of a message of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PublishOutcome {
    /// It is on disk: acknowledge it.
    Stored,
    /// The device may not publish to this topic: MQTT 5 PUBACK 0x87; before MQTT 5, which cannot say so, acknowledged.
    Denied,
    /// It could not be stored. At QoS 1 the connection is closed without an acknowledgement, because that alone makes
    /// a client of either version send the message again; at QoS 0 it is lost.
    Failed,
}

/// A SUBSCRIBE for the owner to authorize.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscribe {
    /// Well-formed filters of allowed length, in the packet's order. Filters that the machine itself refuses (shared,
    /// too long, over the limit) are not among them.
    pub(crate) filters: Vec<FilterRequest>,
}

/// One filter of a SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilterRequest {
    /// The filter as sent, wildcards included.
    pub(crate) filter: String,
    /// The QoS that will be granted, 0 or 1; a request for 2 gets 1.
    pub(crate) qos: u8,
}

/// The owner's decision on one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilterOutcome {
    Granted,
    /// The device may not: SUBACK 0x87 in MQTT 5, 0x80 before.
    Denied,
}

/// A message for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery<'a> {
    /// The topic name.
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a Bytes,
    /// The QoS that it was published with, 0 or 1; the subscription may lower it.
    pub(crate) qos: u8,
    /// MQTT 5 properties; left out for older versions. `expiry_s` is what remains of it now.
    pub(crate) properties: &'a MessageProperties,
    /// A system topic of this device, which needs no subscription: without one it is delivered at QoS 0.
    pub(crate) implicit: bool,
    /// This very client published it: No Local subscriptions do not get it.
    pub(crate) own: bool,
    /// Where it is in the message stream; the machine says which of these the client has not acknowledged.
    pub(crate) position: MessagePosition,
}

/// What became of a [`Delivery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// It is in the output, at this QoS.
    Sent {
        /// 0 or 1.
        qos: u8,
    },
    /// QoS 1; it waits until the client has acknowledged earlier ones.
    Queued,
    /// The client does not get it.
    Not(Undelivered),
}

/// Why a message is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Undelivered {
    /// The session is not open (any more).
    NotOpen,
    /// No subscription matches.
    NotSubscribed,
    /// Larger than the Maximum Packet Size of the client (MQTT 5 §3.1.2.11.4), or than MQTT can carry.
    TooLarge,
    /// Its Message Expiry Interval has passed.
    Expired,
    /// The client does not take what it has been sent already. A QoS 0 message is lost; a QoS 1 message closes the
    /// connection with [`Refusal::SlowConsumer`].
    Full,
}

/// Why the machine did not pass on a message of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dropped {
    /// The topic is longer than the service allows: MQTT 5 PUBACK 0x90; before MQTT 5 acknowledged.
    TopicTooLong,
}

/// What a client asked for in vain without being told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    /// The retain flag of a message or will, before MQTT 5: it is published as an ordinary one.
    Retain {
        /// Well-formed and of allowed length.
        topic: String,
    },
}

/// Why a connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// The client sent DISCONNECT.
    Client,
    /// The client's bytes ended without DISCONNECT.
    Gone,
    /// The owner refused the CONNECT or closed the session, or a limit of the service did.
    Refused(Refusal),
    /// The client broke the standard.
    Violated(Violation),
}

impl Closing {
    /// The refusal that this counts as, if it is one.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Client | Self::Gone => None,
            Self::Refused(refusal) => Some(refusal.clone()),
            Self::Violated(violation) => Some(violation.refusal()),
        }
    }
}
