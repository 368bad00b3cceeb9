//! What a message to a device says: its limits, and the PUBLISH that it becomes.
//!
//! Not for when it is sent. Invariant: what has passed [`Content::check`] can be sent, on a topic of the device itself.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use rollcall_backbone::messages::MessageProperties;
use rollcall_domain::{ids::DeviceId, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::topics;
use crate::{codes::Code, error::ApiError};

/// Largest message, bytes of its JSON.
pub(crate) const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Most characters of a name.
pub(crate) const NAME_CHARS_MAX: usize = 128;
/// Most characters of correlation data, a response topic, and key and value of a user property.
pub(crate) const PROPERTY_CHARS_MAX: usize = 128;
/// Most user properties.
pub(crate) const USER_PROPERTIES_MAX: usize = 20;
/// Most bytes of a whole topic of the system's.
const TOPIC_BYTES_MAX: usize = 256;

/// How the message is written in the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// As it is.
    #[default]
    None,
    /// In Base64; the device gets the bytes.
    Base64,
}

/// What the device gets, unless the message is in Base64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PayloadFormat {
    /// The service's envelope round the message.
    #[default]
    Standard,
    /// The message alone.
    Raw,
}

/// MQTT 5 properties that go with a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct PublishProperties {
    /// Correlation Data: up to 128 letters, digits, `_` and `-`.
    #[schema(max_length = 128, pattern = "^[A-Za-z0-9_-]*$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_data: Option<String>,
    /// Response Topic: up to 128 characters.
    #[schema(max_length = 128, pattern = "^[^+#\\u0000-\\u001f\\u007f-\\u009f]*$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response_topic: Option<String>,
    /// User properties, at most 20.
    #[schema(max_items = 20)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_properties: Option<Vec<UserProperty>>,
}

/// One user property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct UserProperty {
    /// Its key.
    #[schema(max_length = 128, min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    prop_key: String,
    /// Its value.
    #[schema(max_length = 128, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]*$")]
    prop_value: String,
}

/// The document: what was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// Text or any JSON.
    pub(crate) message: Value,
    /// Its name.
    pub(crate) name: Option<String>,
    /// How `message` is written.
    pub(crate) encoding: Encoding,
    /// What the device gets.
    pub(crate) payload_format: PayloadFormat,
    /// The rest of a custom topic of the device.
    pub(crate) topic: Option<String>,
    /// A custom topic of the device, whole.
    pub(crate) topic_full_name: Option<String>,
    /// MQTT 5 properties.
    pub(crate) properties: Option<PublishProperties>,
}

impl Content {
    /// Whether it can be sent to a device.
    ///
    /// # Errors
    /// [`Code::InvalidInput`] names the field, [`Code::NotOffered`] a topic that is not the device's own.
    pub(crate) fn check(&self, device: &DeviceId) -> Result<(), ApiError> {
        if self.message.is_null() {
            return Err(ApiError::invalid("message", "give a text or a JSON value"));
        }
        if self.message.to_string().len() > MESSAGE_BYTES_MAX {
            return Err(ApiError::invalid("message", format!("at most {MESSAGE_BYTES_MAX} bytes are kept for a device")));
        }
        if let Some(name) = &self.name
            && (name.chars().count() > NAME_CHARS_MAX || !(name.is_empty() || text::is_name(name)))
        {
            let rule = format!("give up to {NAME_CHARS_MAX} of Chinese characters, letters, digits and _?'#().,&%@!-");
            return Err(ApiError::invalid("name", rule));
        }
        if self.encoding == Encoding::Base64 && self.decoded().is_none() {
            return Err(ApiError::invalid("message", "encoding is base64, but this is not a text in Base64"));
        }
        self.check_topic(device)?;
        self.properties.as_ref().map_or(Ok(()), PublishProperties::check)
    }

    fn check_topic(&self, device: &DeviceId) -> Result<(), ApiError> {
        let (field, topic) = match (&self.topic, &self.topic_full_name) {
            (None, None) => return Ok(()),
            (Some(_), Some(_)) => return Err(ApiError::invalid("topic", "give topic or topic_full_name, not both")),
            (Some(suffix), None) => ("topic", format!("{}{suffix}", topics::user(device))),
            (None, Some(whole)) => ("topic_full_name", whole.clone()),
        };
        let own = topic.strip_prefix(topics::user(device).as_str());
        let good = |rest: &str| !rest.is_empty() && !rest.contains(['+', '#']) && !rest.chars().any(char::is_control);
        match own {
            Some(rest) if good(rest) && topic.len() <= TOPIC_BYTES_MAX => Ok(()),
            Some(_) => {
                let rule =
                    format!("a topic has no '+', '#' or control character, and at most {TOPIC_BYTES_MAX} bytes in all");
                Err(ApiError::invalid(field, rule))
            }
            // Other topics reach whoever has subscribed, not one device.
            None => {
                let text = format!("topic_full_name: messages are sent on topics under {} only", topics::user(device));
                Err(ApiError::new(Code::NotOffered, text))
            }
        }
    }

    /// Tells it from every other, whatever its id.
    pub(crate) fn digest(&self, ttl_min: i64) -> String {
        let text = json!([self, ttl_min]).to_string();
        hex::encode(Sha256::digest(text))
    }

    /// The topic that it goes out on.
    pub(crate) fn topic(&self, device: &DeviceId) -> String {
        match (&self.topic, &self.topic_full_name) {
            (Some(suffix), _) => format!("{}{suffix}", topics::user(device)),
            (None, Some(whole)) => whole.clone(),
            (None, None) => topics::messages_down(device),
        }
    }

    /// What the device gets.
    pub(crate) fn payload(&self, device: &DeviceId, id: &str) -> Bytes {
        match (self.encoding, self.payload_format) {
            (Encoding::Base64, PayloadFormat::Standard | PayloadFormat::Raw) => self.decoded().unwrap_or_default().into(),
            (Encoding::None, PayloadFormat::Standard) => {
                let name = self.name.as_deref().unwrap_or_default();
                let envelope = json!({"object_device_id": device.as_str(), "name": name, "id": id, "content": self.message});
                envelope.to_string().into()
            }
            (Encoding::None, PayloadFormat::Raw) => match &self.message {
                Value::String(text) => text.clone().into(),
                other => other.to_string().into(),
            },
        }
    }

    /// The MQTT 5 properties that it goes out with.
    pub(crate) fn publish_properties(&self) -> MessageProperties {
        let Some(given) = &self.properties else { return MessageProperties::default() };
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        MessageProperties {
            response_topic: some(&given.response_topic),
            correlation_data: some(&given.correlation_data).map(Bytes::from),
            user: given.user().map(|property| (property.prop_key.clone(), property.prop_value.clone())).collect(),
            ..MessageProperties::default()
        }
    }

    fn decoded(&self) -> Option<Vec<u8>> {
        BASE64.decode(self.message.as_str()?).ok()
    }
}

impl PublishProperties {
    fn user(&self) -> impl Iterator<Item = &UserProperty> {
        self.user_properties.iter().flatten()
    }

    fn check(&self) -> Result<(), ApiError> {
        let long = |text: &str| text.chars().count() > PROPERTY_CHARS_MAX;
        if let Some(data) = &self.correlation_data
            && (long(data) || !(data.is_empty() || text::is_id(data)))
        {
            let rule = format!("give up to {PROPERTY_CHARS_MAX} of letters, digits, '_' and '-'");
            return Err(ApiError::invalid("properties.correlation_data", rule));
        }
        if let Some(topic) = &self.response_topic
            && (long(topic) || topic.contains(['+', '#']) || topic.chars().any(char::is_control))
        {
            let rule = format!("give a topic of up to {PROPERTY_CHARS_MAX} characters, without '+' and '#'");
            return Err(ApiError::invalid("properties.response_topic", rule));
        }
        if self.user().count() > USER_PROPERTIES_MAX {
            return Err(ApiError::invalid("properties.user_properties", format!("give at most {USER_PROPERTIES_MAX}")));
        }
        for property in self.user() {
            if long(&property.prop_key) || !text::is_id(&property.prop_key) {
                let rule = format!("a key has 1 to {PROPERTY_CHARS_MAX} of letters, digits, '_' and '-'");
                return Err(ApiError::invalid("properties.user_properties", rule));
            }
            let words = property.prop_value.replace(' ', "");
            if long(&property.prop_value) || !(words.is_empty() || text::is_name(&words)) {
                let rule = format!(
                    "a value has up to {PROPERTY_CHARS_MAX} of Chinese characters, letters, digits, spaces and _?'#().,&%@!-"
                );
                return Err(ApiError::invalid("properties.user_properties", rule));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(message: Value) -> Content {
        Content {
            message,
            name: Some("greeting".to_owned()),
            encoding: Encoding::None,
            payload_format: PayloadFormat::Standard,
            topic: None,
            topic_full_name: None,
            properties: None,
        }
    }

    fn device() -> DeviceId {
        DeviceId::parse("d1").unwrap()
    }

    #[test]
    fn a_message_becomes_the_payload_that_was_asked_for() {
        let standard = content(json!({"hello": 1}));
        let envelope: Value = serde_json::from_slice(&standard.payload(&device(), "m1")).unwrap();
        assert_eq!(envelope, json!({"object_device_id": "d1", "name": "greeting", "id": "m1", "content": {"hello": 1}}));
        let raw = Content { payload_format: PayloadFormat::Raw, ..content(json!("plain")) };
        assert_eq!(raw.payload(&device(), "m1"), "plain");
        let bytes = Content { encoding: Encoding::Base64, ..content(json!("AAEC")) };
        assert_eq!(bytes.payload(&device(), "m1"), [0, 1, 2].as_slice());
        assert_eq!(bytes.topic(&device()), "$oc/devices/d1/sys/messages/down");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_its_field() {
        let with_topic = |topic: &str| Content { topic: Some(topic.to_owned()), ..content(json!("x")) };
        let whole = |topic: &str| Content { topic_full_name: Some(topic.to_owned()), ..content(json!("x")) };
        let refused = [
            (content(Value::Null), Code::InvalidInput, "message"),
            (content(json!("x".repeat(MESSAGE_BYTES_MAX))), Code::InvalidInput, "message"),
            (Content { encoding: Encoding::Base64, ..content(json!("!")) }, Code::InvalidInput, "message"),
            (with_topic("a/+"), Code::InvalidInput, "topic"),
            (with_topic(""), Code::InvalidInput, "topic"),
            (whole("$oc/devices/d2/user/x"), Code::NotOffered, "topic_full_name"),
            (whole("elsewhere"), Code::NotOffered, "topic_full_name"),
        ];
        for (content, code, field) in refused {
            let error = content.check(&device()).unwrap_err();
            assert_eq!(error.code, code, "{}", error.message);
            assert!(error.message.contains(field), "{}", error.message);
        }
        with_topic("a/b").check(&device()).unwrap();
        assert_eq!(with_topic("a/b").topic(&device()), "$oc/devices/d1/user/a/b");
        whole("$oc/devices/d1/user/x").check(&device()).unwrap();
    }
}
