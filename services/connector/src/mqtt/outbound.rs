//! Writes the server's packets, in the client's version and within its Maximum Packet Size.
//!
//! A packet is in the output whole or not at all. What MQTT 5 lets a server leave out (reason strings, user properties)
//! is left out where the client asked so or has no room for it. The codec's own size limit is not used: it computes
//! with what is left of it and underflows for a client that announces a few bytes.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::{Bytes, BytesMut};
use rmqtt_codec::{
    types::{Publish, QoS},
    v3, v5,
};
use rollcall_domain::refusal::Refusal;
use rollcall_log::messages::MessageProperties;
use tokio_util::codec::Encoder;

use super::{
    connect::Peer,
    inbound,
    interface::{Grant, Version},
    limits::Limits,
    properties::{self, Holder},
    reason_codes::{codes, reason_string},
    violation::Violation,
};

/// CONNACK for an accepted client. `false`: the packet exceeds its Maximum Packet Size.
pub(super) fn accepted(output: &mut BytesMut, peer: &Peer, grant: &Grant, limits: &Limits) -> bool {
    if peer.version != Version::V5 {
        // MQTT 3.1 has no session present: its byte is reserved.
        let session_present = grant.session.present && peer.version == Version::V3_1_1;
        let ack = v3::ConnectAck { return_code: v3::ConnectAckReason::ConnectionAccepted, session_present };
        return put_v3(output, v3::Packet::ConnectAck(ack));
    }
    let ack = v5::ConnectAck {
        session_present: grant.session.present,
        session_expiry_interval_secs: (peer.session_expiry_s != grant.session.expiry_s).then_some(grant.session.expiry_s),
        receive_max: NonZeroU16::new(limits.receive_maximum).unwrap_or(NonZeroU16::MIN),
        max_qos: QoS::AtLeastOnce,
        max_packet_size: Some(limits.packet_bytes_max()),
        server_keepalive_sec: peer.wants_keep_alive.then_some(peer.keep_alive_s),
        assigned_client_id: peer.wants_client_id.then(|| grant.device.as_str().into()),
        topic_alias_max: limits.topic_alias_maximum,
        retain_available: false,
        subscription_identifiers_available: false,
        shared_subscription_available: false,
        user_properties: vec![
            ("device_id".into(), grant.device.as_str().into()),
            ("space_id".into(), grant.space.as_str().into()),
            ("product_id".into(), grant.product.as_str().into()),
        ],
        ..v5::ConnectAck::default()
    };
    let bare = v5::ConnectAck { user_properties: Vec::new(), ..ack.clone() };
    put_v5(output, peer, ack.into()) || put_v5(output, peer, bare.into())
}

/// CONNACK for a refused client, if its version has a code for the refusal.
pub(super) fn refused(output: &mut BytesMut, peer: &Peer, refusal: &Refusal, retry_after_s: Option<u32>) {
    if peer.version == Version::V5 {
        let reason = reason_string(refusal.code(), refusal);
        return put_connack_5(output, peer, codes(refusal).connack_5, Some(reason), retry_after_s);
    }
    if let Some(return_code) = codes(refusal).connack_3 {
        put_v3(output, v3::Packet::ConnectAck(v3::ConnectAck { return_code, session_present: false }));
    }
}

/// CONNACK for a CONNECT that breaks the standard: only MQTT 5 has one.
pub(super) fn violated(output: &mut BytesMut, peer: &Peer, violation: Violation) {
    if peer.version == Version::V5 {
        let code = match violation {
            Violation::Malformed { .. } | Violation::PropertyNotAllowed { .. } => v5::ConnectAckReason::MalformedPacket,
            Violation::Qos2 => v5::ConnectAckReason::QosNotSupported,
            Violation::Retain => v5::ConnectAckReason::RetainNotSupported,
            Violation::TopicName => v5::ConnectAckReason::TopicNameInvalid,
            _ => codes(&violation.refusal()).connack_5,
        };
        let reason = reason_string(violation.refusal().code(), &violation);
        put_connack_5(output, peer, code, Some(reason), None);
    }
}

fn put_connack_5(
    output: &mut BytesMut,
    peer: &Peer,
    reason_code: v5::ConnectAckReason,
    reason: Option<String>,
    retry_after_s: Option<u32>,
) {
    let bare = v5::ConnectAck { reason_code, max_qos: QoS::ExactlyOnce, ..v5::ConnectAck::default() };
    let full = v5::ConnectAck {
        reason_string: reason.filter(|_| peer.problem_information).map(Into::into),
        user_properties: retry_after_s.iter().map(|s| ("retry_after_s".into(), s.to_string().into())).collect(),
        ..bare.clone()
    };
    let _fits = put_v5(output, peer, full.into()) || put_v5(output, peer, bare.into());
}

/// DISCONNECT, which only MQTT 5 lets a server send.
pub(super) fn disconnect(output: &mut BytesMut, peer: &Peer, reason_code: v5::DisconnectReasonCode, reason: String) {
    if peer.version == Version::V5 {
        let bare = v5::Disconnect::new(reason_code);
        let full = v5::Disconnect { reason_string: peer.problem_information.then(|| reason.into()), ..bare.clone() };
        let _fits = put_v5(output, peer, full.into()) || put_v5(output, peer, bare.into());
    }
}

/// PUBACK. Before MQTT 5 it has no reason code.
pub(super) fn puback(
    output: &mut BytesMut,
    peer: &Peer,
    packet_id: NonZeroU16,
    refused: Option<(v5::PublishAckReason, &str)>,
) {
    if peer.version != Version::V5 {
        put_v3(output, v3::Packet::PublishAck { packet_id });
        return;
    }
    let bare = v5::PublishAck {
        packet_id,
        reason_code: refused.map_or(v5::PublishAckReason::Success, |(code, _)| code),
        ..v5::PublishAck::default()
    };
    let reason = refused.filter(|_| peer.problem_information).map(|(_, reason)| reason.into());
    let full = v5::PublishAck { reason_string: reason, ..bare.clone() };
    let _fits = put_v5(output, peer, full.into()) || put_v5(output, peer, bare.into());
}
pub(super) fn suback(output: &mut BytesMut, peer: &Peer, packet_id: NonZeroU16, status: Vec<v5::SubscribeAckReason>) {
    if peer.version == Version::V5 {
        let ack = v5::SubscribeAck { packet_id, properties: Vec::new(), reason_string: None, status };
        put_v5(output, peer, ack.into());
        return;
    }
    let status = status.into_iter().map(|reason| match reason {
        v5::SubscribeAckReason::GrantedQos0 => v3::SubscribeReturnCode::Success(QoS::AtMostOnce),
        v5::SubscribeAckReason::GrantedQos1 => v3::SubscribeReturnCode::Success(QoS::AtLeastOnce),
        _ => v3::SubscribeReturnCode::Failure,
    });
    put_v3(output, v3::Packet::SubscribeAck { packet_id, status: status.collect() });
}
pub(super) fn unsuback(output: &mut BytesMut, peer: &Peer, packet_id: NonZeroU16, status: Vec<v5::UnsubscribeAckReason>) {
    if peer.version == Version::V5 {
        let ack = v5::UnsubscribeAck { packet_id, properties: Vec::new(), reason_string: None, status };
        put_v5(output, peer, ack.into());
    } else {
        put_v3(output, v3::Packet::UnsubscribeAck { packet_id });
    }
}
pub(super) fn pingresp(output: &mut BytesMut) {
    put_v3(output, v3::Packet::PingResponse);
}

/// PUBLISH, at QoS 1 if it has a packet id. `false`: it exceeds the client's Maximum Packet Size, or what MQTT can carry.
pub(super) fn publish(
    output: &mut BytesMut,
    peer: &Peer,
    packet_id: Option<NonZeroU16>,
    topic: &str,
    payload: &Bytes,
    properties: &MessageProperties,
) -> bool {
    let publish = |properties| Publish {
        dup: false,
        retain: false,
        qos: if packet_id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce },
        topic: topic.into(),
        packet_id,
        payload: payload.clone(),
        properties,
    };
    if peer.version != Version::V5 {
        return put_v3(output, publish(None).into());
    }
    let says_bytes = properties.payload_format == Some(0);
    let at = output.len();
    let properties = v5::PublishProperties {
        topic_alias: None,
        correlation_data: properties.correlation_data.clone(),
        message_expiry_interval: properties.expiry_s.and_then(NonZeroU32::new),
        content_type: properties.content_type.as_deref().map(Into::into),
        user_properties: properties.user.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect(),
        is_utf8_payload: properties.payload_format.is_some(),
        response_topic: properties.response_topic.as_deref().map(Into::into),
        subscription_ids: Vec::new(),
    };
    let is_put = put_v5(output, peer, publish(Some(properties)).into());
    if is_put && says_bytes {
        say_bytes(&mut output[at..]);
    }
    is_put
}

/// Lowers the Payload Format Indicator of an encoded PUBLISH to 0. The codec writes only 1, although a server passes on what
/// the publisher has said (§3.3.2.3.2).
fn say_bytes(packet: &mut [u8]) {
    let _found = inbound::publish_properties(packet).map(|properties| {
        let mut indicator = None;
        let walked = properties::walk(&packet[properties.clone()], Holder::Publish, |property| {
            if property.id == properties::id::PAYLOAD_FORMAT {
                indicator = Some(properties.start + property.value.start);
            }
        });
        if let (Ok(()), Some(indicator)) = (walked, indicator) {
            packet[indicator] = 0;
        }
    });
}

fn put_v3(output: &mut BytesMut, packet: v3::Packet) -> bool {
    let before = output.len();
    let written = v3::Codec::default().encode(packet, output).is_ok();
    keep_if(output, before, written)
}

fn put_v5(output: &mut BytesMut, peer: &Peer, packet: v5::Packet) -> bool {
    let before = output.len();
    let written = v5::Codec::default().encode(packet, output).is_ok();
    let fits = output.len() - before <= peer.packet_bytes_max as usize;
    keep_if(output, before, written && fits)
}

fn keep_if(output: &mut BytesMut, before: usize, keep: bool) -> bool {
    if !keep {
        output.truncate(before);
    }
    keep
}
