//! A device message as the body of its row: one byte for the lane, the rest in postcard. Read in place.

use bytes::Bytes;
use rollcall_domain::ids::{DeviceId, SpaceId};
use rollcall_log::{
    BackboneError,
    messages::{DeviceMessage, Lane, MessagePosition, MessageProperties, MessagesOf, StoredMessage},
};
use serde::{Deserialize, Serialize};

use super::{frame::Row, stream::StreamName};

#[derive(Serialize, Deserialize)]
struct MessageForm<'a> {
    space: &'a str,
    device: &'a str,
    topic: &'a str,
    qos: u8,
    payload_format: Option<u8>,
    expiry_s: Option<u32>,
    #[serde(borrow)]
    content_type: Option<&'a str>,
    #[serde(borrow)]
    response_topic: Option<&'a str>,
    #[serde(borrow)]
    correlation_data: Option<&'a [u8]>,
    #[serde(borrow)]
    user: Vec<(&'a str, &'a str)>,
    payload: &'a [u8],
}

/// The byte that a lane is stored as. Never reused for another.
const fn tag(lane: Lane) -> u8 {
    match lane {
        Lane::Uplink => 1,
        Lane::Downlink => 2,
        Lane::Peer => 3,
    }
}

/// Whether a body is of one of these lanes and devices, without reading the rest. One that does not say is of all devices:
/// what is wrong with it shows when it is read.
pub(crate) fn is_of(lanes: &[Lane], of: &MessagesOf, body: &[u8]) -> bool {
    let Some((first, rest)) = body.split_first() else { return false };
    if !lanes.iter().any(|lane| tag(*lane) == *first) {
        return false;
    }
    if *of == MessagesOf::Instance {
        return true;
    }
    // The first two fields of the form.
    let ids: Result<((&str, &str), _), _> = postcard::take_from_bytes(rest);
    ids.map_or(true, |((space, device), _)| of.holds(space, device))
}

/// A message as a body.
///
/// # Errors
/// [`BackboneError::LimitReached`] if postcard cannot hold it, which no size within the limits leads to.
pub(crate) fn encode(message: &DeviceMessage) -> Result<Bytes, BackboneError> {
    let properties = &message.properties;
    let form = MessageForm {
        space: message.space.as_str(),
        device: message.device.as_str(),
        topic: &message.topic,
        qos: message.qos,
        payload_format: properties.payload_format,
        expiry_s: properties.expiry_s,
        content_type: properties.content_type.as_deref(),
        response_topic: properties.response_topic.as_deref(),
        correlation_data: properties.correlation_data.as_deref(),
        user: properties.user.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        payload: &message.payload,
    };
    let body = vec![tag(message.lane)];
    postcard::to_extend(&form, body).map(Bytes::from).map_err(|error| BackboneError::LimitReached {
        what: format!("a message that cannot be stored ({error})"),
        max: rollcall_log::messages::PAYLOAD_BYTES_MAX as u64,
    })
}

/// The message in a row.
///
/// # Errors
/// [`BackboneError::Damaged`].
pub(crate) fn decode(stream: &StreamName, row: &Row) -> Result<StoredMessage, BackboneError> {
    let damaged =
        |reason: String| stream.damaged(format!("the message at position {} cannot be read: {reason}", row.position));
    let (first, rest) = row.body.split_first().ok_or_else(|| damaged("it is empty".to_owned()))?;
    let lane = [Lane::Uplink, Lane::Downlink, Lane::Peer].into_iter().find(|lane| tag(*lane) == *first);
    let lane = lane.ok_or_else(|| damaged(format!("lane {first} is not known to this version")))?;
    let form: MessageForm<'_> = postcard::from_bytes(rest).map_err(|error| damaged(error.to_string()))?;
    let message = DeviceMessage {
        lane,
        space: SpaceId::parse(form.space).map_err(|error| damaged(error.to_string()))?,
        device: DeviceId::parse(form.device).map_err(|error| damaged(error.to_string()))?,
        topic: form.topic.to_owned(),
        payload: row.body.slice_ref(form.payload),
        qos: form.qos,
        properties: MessageProperties {
            payload_format: form.payload_format,
            expiry_s: form.expiry_s,
            content_type: form.content_type.map(str::to_owned),
            response_topic: form.response_topic.map(str::to_owned),
            correlation_data: form.correlation_data.map(|data| row.body.slice_ref(data)),
            user: form.user.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        },
    };
    Ok(StoredMessage { position: MessagePosition::own(row.position), stored_at_ms: row.stored_at_ms, message })
}
