//! The will of a CONNECT: it keeps to what a PUBLISH keeps to, so that it can be one when it is due.
//!
//! Whether the device may publish it is asked then, and not here: policies may change while it waits. Its size is bounded
//! by the packet's.

use rmqtt_codec::{types, v3, v5};
use rollcall_log::messages::MessageProperties;

use crate::mqtt::{interface::Will, topic, violation::Violation};

/// Of MQTT 3.1 and 3.1.1. Retain cannot be refused there: as with a PUBLISH, the message goes through as an ordinary one.
pub(super) fn read_v3(will: v3::LastWill) -> Result<Will, Violation> {
    checked(Will {
        topic: will.topic.to_string(),
        payload: will.message,
        qos: qos(will.qos)?,
        properties: MessageProperties::default(),
        delay_s: 0,
    })
}

/// Of MQTT 5 (§3.1.3.2).
pub(super) fn read_v5(will: v5::LastWill) -> Result<Will, Violation> {
    if will.retain {
        return Err(Violation::Retain);
    }
    let properties = MessageProperties {
        payload_format: will.is_utf8_payload.map(u8::from),
        expiry_s: will.message_expiry_interval.map(std::num::NonZeroU32::get),
        content_type: will.content_type.map(|text| text.to_string()),
        response_topic: will.response_topic.map(|text| text.to_string()),
        correlation_data: will.correlation_data,
        user: will.user_properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
    };
    checked(Will {
        topic: will.topic.to_string(),
        payload: will.message,
        qos: qos(will.qos)?,
        properties,
        delay_s: will.will_delay_interval_sec.unwrap_or(0),
    })
}

fn qos(qos: types::QoS) -> Result<u8, Violation> {
    match qos {
        types::QoS::AtMostOnce | types::QoS::AtLeastOnce => Ok(qos.value()),
        types::QoS::ExactlyOnce => Err(Violation::Qos2),
    }
}

fn checked(will: Will) -> Result<Will, Violation> {
    let properties = &will.properties;
    let names = [Some(&will.topic), properties.response_topic.as_ref()];
    if !topic::is_within_limit(&will.topic) || names.into_iter().flatten().any(|name| !topic::is_topic_name(name)) {
        return Err(Violation::TopicName);
    }
    let texts = properties.user.iter().flat_map(|(name, value)| [name, value]).chain(&properties.content_type);
    if texts.into_iter().any(|text| text.contains('\0')) {
        return Err(Violation::Malformed { packet: "CONNECT", rule: "a text of its will holds U+0000" });
    }
    Ok(will)
}
