//! Reads every packet after CONNECT into one form for all versions, or says how it breaks the standard.
//!
//! The codec does the reading. What it lets pass is checked here, beside the packet that it concerns: packets that only
//! a server sends, bodies where there must be none, reserved bits of a 3.1.1 SUBSCRIBE, DUP at QoS 0, malformed names
//! and filters, control characters, subscription identifiers from a client.

use std::{num::NonZeroU16, ops::Range};

use bytes::Bytes;
use rmqtt_codec::{error::DecodeError, types, v3, v5};
use rollcall_log::messages::MessageProperties;
use tokio_util::codec::Decoder;

use super::{
    frame::Frame,
    interface::{Disconnected, Version},
    properties::{self, Holder},
    topic,
    violation::Violation,
};

/// A packet of a client.
#[derive(Debug)]
pub(super) enum Packet {
    Publish(Box<Published>),
    Puback { packet_id: NonZeroU16 },
    Subscribe { packet_id: NonZeroU16, filters: Vec<Filter> },
    Unsubscribe { packet_id: NonZeroU16, filters: Vec<String> },
    Pingreq,
    Disconnect(Disconnected),
}

/// A PUBLISH, its alias not resolved yet.
#[derive(Debug)]
pub(super) struct Published {
    /// `None` at QoS 0.
    pub(super) packet_id: Option<NonZeroU16>,
    /// Empty only with an alias.
    pub(super) topic: String,
    pub(super) alias: Option<NonZeroU16>,
    pub(super) payload: Bytes,
    pub(super) properties: MessageProperties,
    /// It has the retain flag, which is ignored (before MQTT 5).
    pub(super) retain_ignored: bool,
}

/// One filter of a SUBSCRIBE, well-formed; QoS 2 has become 1.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) filter: String,
    pub(super) qos: u8,
    pub(super) no_local: bool,
}

/// Reads a packet.
pub(super) fn read(version: Version, mut frame: Frame) -> Result<Packet, Violation> {
    let packet = name(version, frame.first_byte())?;
    let malformed = |rule| Violation::Malformed { packet, rule };
    if version == Version::V5 && !frame.is_minimal() {
        return Err(malformed("its length is not written in as few bytes as possible"));
    }
    match version {
        Version::V3_1 | Version::V3_1_1 => {
            if version == Version::V3_1 {
                ignore_unused_bits(packet, &mut frame);
            }
            check_body_v3(packet, frame.body())?;
            let decoded = v3::Codec::default().decode(&mut frame.bytes);
            match decoded.map_err(|error| violation(packet, &error))? {
                Some((decoded, _)) => from_v3(packet, decoded),
                None => Err(malformed("it ends too early")),
            }
        }
        Version::V5 => {
            if packet == PINGREQ && !frame.body().is_empty() {
                return Err(malformed(EMPTY_BODY));
            }
            let noted = if packet == PUBLISH { note_publish_properties(&mut frame)? } else { Noted::default() };
            let decoded = v5::Codec::default().decode(&mut frame.bytes);
            match decoded.map_err(|error| violation(packet, &error))? {
                Some((decoded, _)) => from_v5(packet, decoded).map(|packet| noted.on(packet)),
                None => Err(malformed("it ends too early")),
            }
        }
    }
}

const PUBLISH: &str = "PUBLISH";
const SUBSCRIBE: &str = "SUBSCRIBE";
const UNSUBSCRIBE: &str = "UNSUBSCRIBE";
const PINGREQ: &str = "PINGREQ";
const DISCONNECT: &str = "DISCONNECT";
const EMPTY_BODY: &str = "it must have no body";

/// The name of a packet that a client may send now.
fn name(version: Version, first_byte: u8) -> Result<&'static str, Violation> {
    match (first_byte >> 4, version) {
        (1, _) => Err(Violation::SecondConnect),
        (3, _) => Ok(PUBLISH),
        (4, _) => Ok("PUBACK"),
        (8, _) => Ok(SUBSCRIBE),
        (10, _) => Ok(UNSUBSCRIBE),
        (12, _) => Ok(PINGREQ),
        (14, _) => Ok(DISCONNECT),
        (2, _) => Err(Violation::UnexpectedPacket { packet: "CONNACK" }),
        (5, _) => Err(Violation::UnexpectedPacket { packet: "PUBREC" }),
        (6, _) => Err(Violation::UnexpectedPacket { packet: "PUBREL" }),
        (7, _) => Err(Violation::UnexpectedPacket { packet: "PUBCOMP" }),
        (9, _) => Err(Violation::UnexpectedPacket { packet: "SUBACK" }),
        (11, _) => Err(Violation::UnexpectedPacket { packet: "UNSUBACK" }),
        (13, _) => Err(Violation::UnexpectedPacket { packet: "PINGRESP" }),
        (15, Version::V5) => Err(Violation::UnexpectedPacket { packet: "AUTH" }),
        _ => Err(Violation::Malformed { packet: "packet", rule: "its type is reserved" }),
    }
}

/// MQTT 3.1 has bits that are not used, and what a client puts there is ignored (§2.1, §3.8): flags of other packets than
/// PUBLISH, of which SUBSCRIBE and UNSUBSCRIBE may have DUP, and what is beside a requested QoS.
fn ignore_unused_bits(packet: &'static str, frame: &mut Frame) {
    match packet {
        PUBLISH => return,
        SUBSCRIBE | UNSUBSCRIBE => frame.ignore_flags(0x02),
        _ => frame.ignore_flags(0),
    }
    if packet == SUBSCRIBE {
        let mut at = frame.header_bytes + 2;
        while let Some(&[high, low]) = frame.bytes.get(at..at + 2) {
            at += 2 + usize::from(u16::from_be_bytes([high, low]));
            let Some(qos) = frame.bytes.get_mut(at) else { return };
            *qos &= 0x03;
            at += 1;
        }
    }
}

/// What of a PUBLISH's properties the codec takes for malformed or does not tell.
#[derive(Default)]
struct Noted {
    /// Its Message Expiry Interval is 0: it is for who listens now.
    expires_at_once: bool,
    /// Its Payload Format Indicator is there and 0.
    says_bytes: bool,
}

impl Noted {
    fn on(&self, mut packet: Packet) -> Packet {
        if let Packet::Publish(published) = &mut packet {
            let properties = &mut published.properties;
            properties.expiry_s = if self.expires_at_once { Some(0) } else { properties.expiry_s };
            properties.payload_format = properties.payload_format.or(self.says_bytes.then_some(0));
        }
        packet
    }
}

/// Checks the properties of a PUBLISH and makes them fit for the codec.
fn note_publish_properties(frame: &mut Frame) -> Result<Noted, Violation> {
    // Cut off: the codec says so.
    let Some(properties) = publish_properties(&frame.bytes) else { return Ok(Noted::default()) };
    let (mut noted, mut zero_alias, mut zero_expiry) = (Noted::default(), false, None);
    let bytes = &frame.bytes[properties.clone()];
    properties::walk(bytes, Holder::Publish, |property| {
        let is_zero = bytes[property.value.clone()].iter().all(|byte| *byte == 0);
        match property.id {
            properties::id::TOPIC_ALIAS => zero_alias |= is_zero,
            properties::id::PAYLOAD_FORMAT => noted.says_bytes |= is_zero,
            properties::id::MESSAGE_EXPIRY if is_zero => zero_expiry = Some(properties.start + property.value.end - 1),
            _ => {}
        }
    })?;
    if zero_alias {
        return Err(Violation::TopicAlias);
    }
    if let Some(last) = zero_expiry.and_then(|last| frame.bytes.get_mut(last)) {
        *last = 1;
        noted.expires_at_once = true;
    }
    Ok(noted)
}

/// Where the properties of a whole MQTT 5 PUBLISH are.
pub(super) fn publish_properties(packet: &[u8]) -> Option<Range<usize>> {
    let (_, length_bytes) = properties::length(packet.get(1..)?)?;
    let topic_at = 1 + length_bytes;
    let topic = packet.get(topic_at..topic_at + 2)?;
    let packet_id_bytes = if packet[0] & 0x06 == 0 { 0 } else { 2 };
    let at = topic_at + 2 + usize::from(u16::from_be_bytes([topic[0], topic[1]])) + packet_id_bytes;
    let (length, length_bytes) = properties::length(packet.get(at..)?)?;
    let start = at + length_bytes;
    (start + length <= packet.len()).then_some(start..start + length)
}

/// What the 3.1.1 codec does not look at.
fn check_body_v3(packet: &'static str, body: &[u8]) -> Result<(), Violation> {
    let malformed = |rule| Err(Violation::Malformed { packet, rule });
    match packet {
        PINGREQ | DISCONNECT if !body.is_empty() => malformed(EMPTY_BODY),
        SUBSCRIBE if !has_plain_qos(body) => malformed("a requested QoS is cut off or uses reserved bits"),
        _ => Ok(()),
    }
}

/// Whether every filter of a 3.1.1 SUBSCRIBE is followed by a byte that is a QoS and nothing else (§3.8.3).
fn has_plain_qos(body: &[u8]) -> bool {
    let mut rest = body.get(2..).unwrap_or(&[]);
    while let [high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        match after.get(length) {
            Some(0..=2) => rest = &after[length + 1..],
            _ => return false,
        }
    }
    rest.is_empty()
}

fn violation(packet: &'static str, error: &DecodeError) -> Violation {
    let rule = match error {
        DecodeError::InvalidTopicFilter => return Violation::TopicFilter,
        DecodeError::InvalidTopicName => return Violation::TopicName,
        DecodeError::MaxSizeExceeded { .. } => return Violation::TooLarge,
        DecodeError::Utf8Error => "a text is not UTF-8",
        DecodeError::InvalidLength => "a length does not fit",
        DecodeError::UnsupportedPacketType => "its flags are not the ones reserved for it",
        DecodeError::PacketIdRequired => "it needs a packet id",
        DecodeError::MalformedPacket
        | DecodeError::InvalidProtocol
        | DecodeError::UnsupportedProtocolLevel
        | DecodeError::ConnectReservedFlagSet
        | DecodeError::InvalidConnectFlags
        | DecodeError::ConnAckReservedFlagSet
        | DecodeError::InvalidClientId
        | DecodeError::Io(_) => "a value is not one that the standard allows",
    };
    Violation::Malformed { packet, rule }
}

fn from_v3(packet: &'static str, decoded: v3::Packet) -> Result<Packet, Violation> {
    match decoded {
        v3::Packet::Publish(publish) => published(*publish, false),
        v3::Packet::PublishAck { packet_id } => Ok(Packet::Puback { packet_id }),
        v3::Packet::Subscribe { packet_id, topic_filters } => Ok(Packet::Subscribe {
            packet_id,
            filters: topic_filters.iter().map(|(filter, qos)| well_formed(filter, *qos, false)).collect::<Result<_, _>>()?,
        }),
        v3::Packet::Unsubscribe { packet_id, topic_filters } => Ok(Packet::Unsubscribe {
            packet_id,
            filters: topic_filters.iter().map(|filter| well_formed_text(filter)).collect::<Result<_, _>>()?,
        }),
        v3::Packet::PingRequest => Ok(Packet::Pingreq),
        v3::Packet::Disconnect => Ok(Packet::Disconnect(Disconnected { with_will: false, session_expiry_s: None })),
        v3::Packet::Connect(_)
        | v3::Packet::ConnectAck(_)
        | v3::Packet::PublishReceived { .. }
        | v3::Packet::PublishRelease { .. }
        | v3::Packet::PublishComplete { .. }
        | v3::Packet::SubscribeAck { .. }
        | v3::Packet::UnsubscribeAck { .. }
        | v3::Packet::PingResponse => Err(Violation::UnexpectedPacket { packet }),
    }
}

fn from_v5(packet: &'static str, decoded: v5::Packet) -> Result<Packet, Violation> {
    match decoded {
        v5::Packet::Publish(publish) => published(*publish, true),
        v5::Packet::PublishAck(ack) => Ok(Packet::Puback { packet_id: ack.packet_id }),
        v5::Packet::Subscribe(subscribe) if subscribe.id.is_some() => Err(Violation::SubscriptionIdentifier),
        v5::Packet::Subscribe(subscribe) => Ok(Packet::Subscribe {
            packet_id: subscribe.packet_id,
            filters: subscribe
                .topic_filters
                .iter()
                .map(|(filter, options)| well_formed(filter, options.qos, options.no_local))
                .collect::<Result<_, _>>()?,
        }),
        v5::Packet::Unsubscribe(unsubscribe) => Ok(Packet::Unsubscribe {
            packet_id: unsubscribe.packet_id,
            filters: unsubscribe.topic_filters.iter().map(|filter| well_formed_text(filter)).collect::<Result<_, _>>()?,
        }),
        v5::Packet::PingRequest => Ok(Packet::Pingreq),
        v5::Packet::Disconnect(disconnect) => Ok(Packet::Disconnect(Disconnected {
            with_will: disconnect.reason_code != v5::DisconnectReasonCode::NormalDisconnection,
            session_expiry_s: disconnect.session_expiry_interval_secs,
        })),
        v5::Packet::Connect(_)
        | v5::Packet::ConnectAck(_)
        | v5::Packet::PublishReceived(_)
        | v5::Packet::PublishRelease(_)
        | v5::Packet::PublishComplete(_)
        | v5::Packet::SubscribeAck(_)
        | v5::Packet::UnsubscribeAck(_)
        | v5::Packet::PingResponse
        | v5::Packet::Auth(_) => Err(Violation::UnexpectedPacket { packet }),
    }
}

fn well_formed(filter: &str, qos: types::QoS, no_local: bool) -> Result<Filter, Violation> {
    Ok(Filter { filter: well_formed_text(filter)?, qos: qos.value().min(1), no_local })
}

fn well_formed_text(filter: &str) -> Result<String, Violation> {
    if topic::is_topic_filter(filter) { Ok(filter.to_owned()) } else { Err(Violation::TopicFilter) }
}

/// `retain_told`: the client knows that there is no retain. A 3.1.1 client cannot be told; its message still goes
/// through as an ordinary one, which helps it more than a closed connection without a reason.
fn published(publish: types::Publish, retain_told: bool) -> Result<Packet, Violation> {
    let malformed = |rule| Violation::Malformed { packet: "PUBLISH", rule };
    match publish.qos {
        types::QoS::AtMostOnce if publish.dup => return Err(malformed("DUP at QoS 0")),
        types::QoS::AtMostOnce | types::QoS::AtLeastOnce => {}
        types::QoS::ExactlyOnce => return Err(Violation::Qos2),
    }
    if publish.retain && retain_told {
        return Err(Violation::Retain);
    }
    let given = publish.properties.unwrap_or_default();
    if !given.subscription_ids.is_empty() {
        return Err(malformed("a subscription identifier from a client"));
    }
    let name_is_in_alias = publish.topic.is_empty() && given.topic_alias.is_some();
    if !name_is_in_alias && !topic::is_topic_name(&publish.topic) {
        return Err(Violation::TopicName);
    }
    if given.response_topic.as_ref().is_some_and(|name| !topic::is_topic_name(name)) {
        return Err(Violation::TopicName);
    }
    let texts = given.user_properties.iter().flat_map(|(name, value)| [name, value]).chain(&given.content_type);
    if texts.into_iter().any(|text| text.contains('\0')) {
        return Err(malformed("a text holds U+0000"));
    }
    Ok(Packet::Publish(Box::new(Published {
        packet_id: publish.packet_id,
        topic: publish.topic.to_string(),
        alias: given.topic_alias,
        payload: publish.payload,
        retain_ignored: publish.retain,
        properties: MessageProperties {
            payload_format: given.is_utf8_payload.then_some(1),
            expiry_s: given.message_expiry_interval.map(std::num::NonZeroU32::get),
            content_type: given.content_type.map(|text| text.to_string()),
            response_topic: given.response_topic.map(|text| text.to_string()),
            correlation_data: given.correlation_data,
            user: given.user_properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        },
    })))
}
