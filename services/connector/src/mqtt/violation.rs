//! How a client breaks the standard. Each ends the connection; MQTT 5 clients are told with the reason code here.
//!
//! Not a [`Refusal`] each: an operator does nothing different for one or the other, the developer of the client does,
//! and reads the text.

use rmqtt_codec::v5::DisconnectReasonCode as Reason;
use rollcall_domain::refusal::Refusal;

/// What the client did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub(crate) enum Violation {
    /// The first packet is something else.
    #[error("the first packet is not CONNECT")]
    FirstPacketNotConnect,
    /// No CONNECT in time.
    #[error("no CONNECT came in time")]
    ConnectTooSlow,
    #[error("CONNECT came a second time")]
    SecondConnect,
    /// A packet that only a server sends, or that nothing asked for, or AUTH.
    #[error("{packet} is not for a client to send here")]
    UnexpectedPacket {
        /// Name of the packet.
        packet: &'static str,
    },
    /// A packet that cannot be read.
    #[error("{packet} cannot be read: {rule}")]
    Malformed {
        /// Name of the packet.
        packet: &'static str,
        /// What is wrong with it.
        rule: &'static str,
    },
    /// A property more than once, MQTT 5.
    #[error("{packet} has the property {property} more than once")]
    PropertyRepeated {
        /// Name of the packet.
        packet: &'static str,
        /// Name of the property.
        property: &'static str,
    },
    /// A property that belongs to other packets, MQTT 5.
    #[error("{property} is no property of {packet}")]
    PropertyNotAllowed {
        /// Name of the packet.
        packet: &'static str,
        /// Name of the property.
        property: &'static str,
    },
    /// A value that the standard excludes, MQTT 5.
    #[error("{packet} has a value of the property {property} that the standard does not allow")]
    PropertyValue {
        /// Name of the packet.
        packet: &'static str,
        /// Name of the property.
        property: &'static str,
    },
    /// A larger packet than announced.
    #[error("a packet or payload is larger than this server accepts")]
    TooLarge,
    /// PUBLISH or a will at QoS 2.
    #[error("QoS 2 is not supported: publish at QoS 0 or 1")]
    Qos2,
    /// PUBLISH or a will with the retain flag, MQTT 5 (where CONNACK said that it is not available).
    #[error("retained messages are not supported: publish without the retain flag")]
    Retain,
    /// PUBLISH to something that is not a topic name.
    #[error("the topic name is empty, or holds a wildcard or a control character")]
    TopicName,
    /// SUBSCRIBE or UNSUBSCRIBE with something that is not a topic filter.
    #[error("a topic filter is empty, or has a wildcard out of place, or holds a control character")]
    TopicFilter,
    /// A topic alias that is over the maximum, or was not set.
    #[error("the topic alias is over the maximum or has not been set")]
    TopicAlias,
    /// SUBSCRIBE with a subscription identifier, MQTT 5 (where CONNACK said that they are not available).
    #[error("subscription identifiers are not supported")]
    SubscriptionIdentifier,
    /// DISCONNECT that would keep a session which CONNECT said to end with the connection, MQTT 5 §3.14.2.2.2.
    #[error("DISCONNECT keeps a session that CONNECT said to end with the connection")]
    SessionExpiry,
}

impl Violation {
    /// The refusal that it counts as.
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Self::TooLarge => Refusal::PacketTooLarge,
            Self::FirstPacketNotConnect
            | Self::ConnectTooSlow
            | Self::SecondConnect
            | Self::UnexpectedPacket { .. }
            | Self::Malformed { .. }
            | Self::PropertyRepeated { .. }
            | Self::PropertyNotAllowed { .. }
            | Self::PropertyValue { .. }
            | Self::Qos2
            | Self::Retain
            | Self::TopicName
            | Self::TopicFilter
            | Self::TopicAlias
            | Self::SubscriptionIdentifier
            | Self::SessionExpiry => Refusal::ProtocolError,
        }
    }

    /// The reason code of MQTT 5 DISCONNECT.
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::FirstPacketNotConnect
            | Self::SecondConnect
            | Self::UnexpectedPacket { .. }
            | Self::PropertyRepeated { .. }
            | Self::PropertyValue { .. }
            | Self::SessionExpiry => Reason::ProtocolError,
            Self::ConnectTooSlow => Reason::MaximumConnectTime,
            Self::Malformed { .. } | Self::PropertyNotAllowed { .. } => Reason::MalformedPacket,
            Self::TooLarge => Reason::PacketTooLarge,
            Self::Qos2 => Reason::QosNotSupported,
            Self::Retain => Reason::RetainNotSupported,
            Self::TopicName => Reason::TopicNameInvalid,
            Self::TopicFilter => Reason::TopicFilterInvalid,
            Self::TopicAlias => Reason::TopicAliasInvalid,
            Self::SubscriptionIdentifier => Reason::SubscriptionIdentifiersNotSupported,
        }
    }
}
