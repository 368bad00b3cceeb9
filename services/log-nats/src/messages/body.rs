//! How a device message is written into a NATS message: one version byte, the length of a JSON head, the head, and the
//! payload as it came.
//!
//! Topic and properties are the device's own text, so they are kept out of subjects and of NATS headers, which have a
//! size limit below MQTT's and characters of their own. The payload is not touched: it may be a megabyte of anything.

use bytes::{BufMut, Bytes, BytesMut};
use rollcall_domain::ids::{DeviceId, SpaceId};
use rollcall_log::messages::{DeviceMessage, Lane, MessageProperties};
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
/// Version and length.
const PREFIX_BYTES: usize = 5;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    lane: HeadLane,
    space: String,
    device: String,
    topic: String,
    qos: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload_format: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response_topic: Option<String>,
    /// In hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_data: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    user: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
enum HeadLane {
    #[serde(rename = "up")]
    Uplink,
    #[serde(rename = "down")]
    Downlink,
    #[serde(rename = "lateral")]
    Peer,
}

/// Writes a message.
pub(super) fn write(message: &DeviceMessage) -> Result<Bytes, String> {
    let properties = &message.properties;
    let head = Head {
        lane: match message.lane {
            Lane::Uplink => HeadLane::Uplink,
            Lane::Downlink => HeadLane::Downlink,
            Lane::Peer => HeadLane::Peer,
        },
        space: message.space.to_string(),
        device: message.device.to_string(),
        topic: message.topic.clone(),
        qos: message.qos,
        payload_format: properties.payload_format,
        expiry_s: properties.expiry_s,
        content_type: properties.content_type.clone(),
        response_topic: properties.response_topic.clone(),
        correlation_data: properties.correlation_data.as_ref().map(hex::encode),
        user: properties.user.clone(),
    };
    let head = serde_json::to_vec(&head).map_err(|error| error.to_string())?;
    let length = u32::try_from(head.len()).map_err(|error| error.to_string())?;
    let mut body = BytesMut::with_capacity(PREFIX_BYTES + head.len() + message.payload.len());
    body.put_u8(VERSION);
    body.put_u32(length);
    body.put_slice(&head);
    body.put_slice(&message.payload);
    Ok(body.freeze())
}

/// Reads a message.
pub(super) fn read(body: &Bytes) -> Result<DeviceMessage, String> {
    let (prefix, rest) = body.split_at_checked(PREFIX_BYTES).ok_or("shorter than its own prefix")?;
    let [version, length @ ..] = prefix else { return Err("shorter than its own prefix".to_owned()) };
    if *version != VERSION {
        return Err(format!("version {version}, but this program reads {VERSION}"));
    }
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    let (head, _payload) = rest.split_at_checked(length).ok_or("shorter than its head")?;
    let head: Head = serde_json::from_slice(head).map_err(|error| error.to_string())?;
    let correlation_data = head.correlation_data.map(hex::decode).transpose().map_err(|error| error.to_string())?;
    Ok(DeviceMessage {
        lane: match head.lane {
            HeadLane::Uplink => Lane::Uplink,
            HeadLane::Downlink => Lane::Downlink,
            HeadLane::Peer => Lane::Peer,
        },
        space: SpaceId::parse(&head.space).map_err(|error| error.to_string())?,
        device: DeviceId::parse(&head.device).map_err(|error| error.to_string())?,
        topic: head.topic,
        payload: body.slice(PREFIX_BYTES + length..),
        qos: head.qos,
        properties: MessageProperties {
            payload_format: head.payload_format,
            expiry_s: head.expiry_s,
            content_type: head.content_type,
            response_topic: head.response_topic,
            correlation_data: correlation_data.map(Bytes::from),
            user: head.user,
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(topic: String, payload: Vec<u8>, user: Vec<(String, String)>) -> DeviceMessage {
        DeviceMessage {
            lane: Lane::Peer,
            space: SpaceId::parse("space").unwrap(),
            device: DeviceId::parse("device").unwrap(),
            topic,
            payload: payload.into(),
            qos: 1,
            properties: MessageProperties {
                correlation_data: Some(Bytes::from_static(&[0, 255])),
                user,
                ..MessageProperties::default()
            },
        }
    }

    proptest! {
        #[test]
        fn whatever_a_device_sends_comes_back_as_it_was(topic: String, payload: Vec<u8>, user: Vec<(String, String)>) {
            let message = message(topic, payload, user);
            prop_assert_eq!(read(&write(&message).unwrap()).unwrap(), message);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, tail: Vec<u8>) {
            let _ = read(&Bytes::from(bytes.clone()));
            let _ = read(&Bytes::from([&[1, 0, 0, 0, 2, b'{', b'}'][..], &tail].concat()));
        }
    }

    #[test]
    fn another_version_is_said_to_be_one() {
        assert!(read(&Bytes::from_static(&[2, 0, 0, 0, 0])).unwrap_err().contains("version 2"));
    }
}
