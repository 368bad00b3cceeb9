//! An uplink as it is shown: the payload as what it is, JSON, text or bytes, and the properties that MQTT 5 sent with it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rollcall_domain::time::Timestamp;
use rollcall_log::messages::{MessageProperties, StoredMessage};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;

use super::marker;
use crate::http::times;

/// What a device has sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UplinkShown {
    /// Where it stands: opaque, rises in the order in which messages were stored.
    marker: String,
    /// When it was stored; RFC 3339, UTC.
    time: String,
    /// The device that sent it.
    device_id: String,
    /// The resource space that the device was in.
    app_id: String,
    /// The whole MQTT topic.
    topic: String,
    /// The QoS that it was published with, 0 or 1.
    qos: u8,
    /// What `payload` is.
    payload_encoding: PayloadEncoding,
    /// What it says: a JSON value, a text, or bytes in base64.
    #[schema(value_type = Value)]
    payload: Box<RawValue>,
    /// What MQTT 5 sent with it; absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<PropertiesShown>,
}

/// How a payload is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PayloadEncoding {
    /// It is JSON, and shown as the device wrote it.
    Json,
    /// It is UTF-8 without control characters other than tabs and ends of lines.
    Text,
    /// It is anything else: base64 (RFC 4648, section 4).
    Base64,
}

/// Properties of MQTT 5 PUBLISH (section 3.3.2.3).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PropertiesShown {
    /// 0 for bytes, 1 for UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_format_indicator: Option<u8>,
    /// As the device gave it, seconds (MQTT 5, section 3.3.2.3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    message_expiry_interval: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_topic: Option<String>,
    /// Bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_data: Option<String>,
    /// In the order in which they were sent; a name may come more than once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    user_properties: Vec<UserPropertyShown>,
}

/// One user property.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserPropertyShown {
    name: String,
    value: String,
}

impl UplinkShown {
    pub(super) fn of(stored: &StoredMessage) -> Self {
        let message = &stored.message;
        let (payload_encoding, payload) = payload(&message.payload);
        Self {
            marker: marker::of(stored.position),
            time: times::with_milliseconds(Timestamp::from_unix_ms(stored.stored_at_ms)),
            device_id: message.device.to_string(),
            app_id: message.space.to_string(),
            topic: message.topic.clone(),
            qos: message.qos,
            payload_encoding,
            payload,
            properties: (message.properties != MessageProperties::default()).then(|| properties(&message.properties)),
        }
    }
}

/// JSON is shown as it was written: a number keeps its digits, which no type of ours could promise. It is read all the same,
/// so that what is nested too deeply for those who read the answer is shown as a text.
fn payload(bytes: &[u8]) -> (PayloadEncoding, Box<RawValue>) {
    let quoted = |text: &str| serde_json::value::to_raw_value(text).unwrap_or_default();
    let Ok(text) = str::from_utf8(bytes) else { return (PayloadEncoding::Base64, quoted(&STANDARD.encode(bytes))) };
    if serde_json::from_str::<Value>(text).is_ok()
        && let Ok(json) = RawValue::from_string(text.trim_matches([' ', '\t', '\r', '\n']).to_owned())
    {
        return (PayloadEncoding::Json, json);
    }
    if text.chars().any(|char| char.is_control() && !['\t', '\r', '\n'].contains(&char)) {
        return (PayloadEncoding::Base64, quoted(&STANDARD.encode(bytes)));
    }
    (PayloadEncoding::Text, quoted(text))
}

fn properties(of: &MessageProperties) -> PropertiesShown {
    let user = of.user.iter().map(|(name, value)| UserPropertyShown { name: name.clone(), value: value.clone() });
    PropertiesShown {
        payload_format_indicator: of.payload_format,
        message_expiry_interval: of.expiry_s,
        content_type: of.content_type.clone(),
        response_topic: of.response_topic.clone(),
        correlation_data: of.correlation_data.as_ref().map(|bytes| STANDARD.encode(bytes)),
        user_properties: user.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_shown_as_what_it_is() {
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        let cases: [(&[u8], PayloadEncoding, &str); 12] = [
            (br#"{"t": 21.50, "t": 1}"#, PayloadEncoding::Json, r#"{"t": 21.50, "t": 1}"#),
            (b" 12345678901234567890123 \r\n", PayloadEncoding::Json, "12345678901234567890123"),
            (b"{\"a\":\r\n1}", PayloadEncoding::Json, "{\"a\":\r\n1}"),
            (b"null", PayloadEncoding::Json, "null"),
            (b"12:30", PayloadEncoding::Text, r#""12:30""#),
            (b"", PayloadEncoding::Text, r#""""#),
            (b"a\tb\r\n", PayloadEncoding::Text, r#""a\tb\r\n""#),
            (b"1e999", PayloadEncoding::Text, r#""1e999""#),
            (deep.as_bytes(), PayloadEncoding::Text, &format!("\"{deep}\"")),
            (b"\0\0", PayloadEncoding::Base64, r#""AAA=""#),
            ("\u{feff}{}".as_bytes(), PayloadEncoding::Text, "\"\u{feff}{}\""),
            (&[0xff], PayloadEncoding::Base64, r#""/w==""#),
        ];
        for (bytes, encoding, shown) in cases {
            let (found, json) = payload(bytes);
            assert_eq!((found, json.get()), (encoding, shown), "{bytes:?}");
        }
    }
}
