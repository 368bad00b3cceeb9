//! What a message to a device says: its limits, and the PUBLISH that it becomes.
//!
//! Does not say when it is sent ([`crate::message_queue`]). Invariant: what has passed [`Message::check`] can be sent, on a
//! topic of the device itself or a custom one.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rollcall_domain::{ids::DeviceId, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::topics;

/// Largest message, bytes of its JSON.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Most characters of a name.
pub const NAME_CHARS_MAX: usize = 128;
/// Most characters of correlation data, a response topic, and key and value of a user property.
pub const PROPERTY_CHARS_MAX: usize = 128;
/// Most user properties.
pub const USER_PROPERTIES_MAX: usize = 20;
/// Most bytes of a whole topic of the system's.
const TOPIC_BYTES_MAX: usize = 256;
/// Most bytes of a custom topic, as connectors take them.
const CUSTOM_TOPIC_BYTES_MAX: usize = 128;

/// Why a message cannot be sent to a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A field breaks a rule.
    #[error("{field}: {rule}")]
    Invalid {
        /// As the v5 API calls it.
        field: &'static str,
        /// What to give instead.
        rule: String,
    },
    /// `topic_full_name` is a topic of the system's, and not of the device's own.
    #[error("topic_full_name: of topics that begin with '$' messages are sent on those under {own} only")]
    ForeignTopic {
        /// What its own topics begin with.
        own: String,
    },
}

impl MessageError {
    fn invalid(field: &'static str, rule: impl Into<String>) -> Self {
        Self::Invalid { field, rule: rule.into() }
    }
}

/// How the message is written in the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// As it is.
    #[default]
    None,
    /// In Base64; the device gets the bytes.
    Base64,
}

/// What the device gets, unless the message is in Base64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PayloadFormat {
    /// The service's envelope round the message.
    #[default]
    Standard,
    /// The message alone.
    Raw,
}

/// MQTT 5 properties that go with a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishProperties {
    /// Correlation Data: up to 128 letters, digits, `_` and `-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_data: Option<String>,
    /// Response Topic: up to 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_topic: Option<String>,
    /// User properties, at most 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_properties: Option<Vec<UserProperty>>,
}

/// One user property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserProperty {
    pub prop_key: String,
    pub prop_value: String,
}

/// The document: what was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Text or any JSON.
    pub message: Value,
    pub name: Option<String>,
    /// How `message` is written.
    pub encoding: Encoding,
    /// What the device gets.
    pub payload_format: PayloadFormat,
    /// The rest of a custom topic of the device.
    pub topic: Option<String>,
    /// A topic that policies decide about, whole; or a custom topic of the device.
    pub topic_full_name: Option<String>,
    /// MQTT 5 properties.
    pub properties: Option<PublishProperties>,
}

impl Message {
    /// Whether it can be sent to a device.
    ///
    /// # Errors
    /// [`MessageError`]: the first rule that it breaks.
    pub fn check(&self, device: &DeviceId) -> Result<(), MessageError> {
        if self.message.is_null() {
            return Err(MessageError::invalid("message", "give a text or a JSON value"));
        }
        if self.message.to_string().len() > MESSAGE_BYTES_MAX {
            return Err(MessageError::invalid(
                "message",
                format!("at most {MESSAGE_BYTES_MAX} bytes are kept for a device"),
            ));
        }
        if let Some(name) = &self.name
            && (name.chars().count() > NAME_CHARS_MAX || !(name.is_empty() || text::is_name(name)))
        {
            let rule = format!("give up to {NAME_CHARS_MAX} of Chinese characters, letters, digits and _?'#().,&%@!-");
            return Err(MessageError::invalid("name", rule));
        }
        if self.encoding == Encoding::Base64 && self.decoded().is_none() {
            return Err(MessageError::invalid("message", "encoding is base64, but this is not a text in Base64"));
        }
        self.check_topic(device)?;
        self.properties.as_ref().map_or(Ok(()), PublishProperties::check)
    }

    fn check_topic(&self, device: &DeviceId) -> Result<(), MessageError> {
        let (field, topic) = match (&self.topic, &self.topic_full_name) {
            (None, None) => return Ok(()),
            (Some(_), Some(_)) => return Err(MessageError::invalid("topic", "give topic or topic_full_name, not both")),
            (Some(suffix), None) => ("topic", format!("{}{suffix}", topics::user(device))),
            (None, Some(whole)) => ("topic_full_name", whole.clone()),
        };
        let own = topic.strip_prefix(topics::user(device).as_str());
        let (rest, bytes_max) = match own {
            Some(rest) => (rest, TOPIC_BYTES_MAX),
            None if topic.starts_with('$') => return Err(MessageError::ForeignTopic { own: topics::user(device) }),
            // It goes to this device alone, if it has subscribed to it: the connector that has the session sees to that.
            None => (topic.as_str(), CUSTOM_TOPIC_BYTES_MAX),
        };
        let good = !rest.is_empty() && !rest.contains(['+', '#']) && !rest.chars().any(char::is_control);
        if good && topic.len() <= bytes_max {
            return Ok(());
        }
        let rule = format!("a topic has no '+', '#' or control character, and 1 to {bytes_max} bytes in all");
        Err(MessageError::invalid(field, rule))
    }

    /// Tells it from every other, whatever its id.
    pub fn digest(&self, ttl_min: i64) -> String {
        let text = json!([self, ttl_min]).to_string();
        hex::encode(Sha256::digest(text))
    }

    /// The topic that it goes out on.
    pub fn topic(&self, device: &DeviceId) -> String {
        match (&self.topic, &self.topic_full_name) {
            (Some(suffix), _) => format!("{}{suffix}", topics::user(device)),
            (None, Some(whole)) => whole.clone(),
            (None, None) => topics::messages_down(device),
        }
    }

    /// What the device gets.
    pub fn payload(&self, device: &DeviceId, id: &str) -> Vec<u8> {
        match (self.encoding, self.payload_format) {
            (Encoding::Base64, PayloadFormat::Standard | PayloadFormat::Raw) => self.decoded().unwrap_or_default(),
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

    fn decoded(&self) -> Option<Vec<u8>> {
        BASE64.decode(self.message.as_str()?).ok()
    }
}

impl PublishProperties {
    fn user(&self) -> impl Iterator<Item = &UserProperty> {
        self.user_properties.iter().flatten()
    }

    fn check(&self) -> Result<(), MessageError> {
        let long = |text: &str| text.chars().count() > PROPERTY_CHARS_MAX;
        if let Some(data) = &self.correlation_data
            && (long(data) || !(data.is_empty() || text::is_id(data)))
        {
            let rule = format!("give up to {PROPERTY_CHARS_MAX} of letters, digits, '_' and '-'");
            return Err(MessageError::invalid("properties.correlation_data", rule));
        }
        if let Some(topic) = &self.response_topic
            && (long(topic) || topic.contains(['+', '#']) || topic.chars().any(char::is_control))
        {
            let rule = format!("give a topic of up to {PROPERTY_CHARS_MAX} characters, without '+' and '#'");
            return Err(MessageError::invalid("properties.response_topic", rule));
        }
        if self.user().count() > USER_PROPERTIES_MAX {
            return Err(MessageError::invalid("properties.user_properties", format!("give at most {USER_PROPERTIES_MAX}")));
        }
        for property in self.user() {
            if long(&property.prop_key) || !text::is_id(&property.prop_key) {
                let rule = format!("a key has 1 to {PROPERTY_CHARS_MAX} of letters, digits, '_' and '-'");
                return Err(MessageError::invalid("properties.user_properties", rule));
            }
            let words = property.prop_value.replace(' ', "");
            if long(&property.prop_value) || !(words.is_empty() || text::is_name(&words)) {
                let rule = format!(
                    "a value has up to {PROPERTY_CHARS_MAX} of Chinese characters, letters, digits, spaces and _?'#().,&%@!-"
                );
                return Err(MessageError::invalid("properties.user_properties", rule));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(message: Value) -> Message {
        Message {
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
        let raw = Message { payload_format: PayloadFormat::Raw, ..content(json!("plain")) };
        assert_eq!(raw.payload(&device(), "m1"), b"plain");
        let bytes = Message { encoding: Encoding::Base64, ..content(json!("AAEC")) };
        assert_eq!(bytes.payload(&device(), "m1"), [0, 1, 2]);
        assert_eq!(bytes.topic(&device()), "$oc/devices/d1/sys/messages/down");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_its_field() {
        let with_topic = |topic: &str| Message { topic: Some(topic.to_owned()), ..content(json!("x")) };
        let whole = |topic: &str| Message { topic_full_name: Some(topic.to_owned()), ..content(json!("x")) };
        let invalid = |error: &MessageError| matches!(error, MessageError::Invalid { .. });
        let refused = [
            (content(Value::Null), true, "message"),
            (content(json!("x".repeat(MESSAGE_BYTES_MAX))), true, "message"),
            (Message { encoding: Encoding::Base64, ..content(json!("!")) }, true, "message"),
            (with_topic("a/+"), true, "topic"),
            (with_topic(""), true, "topic"),
            (whole("$oc/devices/d2/user/x"), false, "topic_full_name"),
            (whole("$SYS/x"), false, "topic_full_name"),
            (whole(""), true, "topic_full_name"),
            (whole("a/+"), true, "topic_full_name"),
            (whole(&"x".repeat(129)), true, "topic_full_name"),
        ];
        for (content, is_invalid, field) in refused {
            let error = content.check(&device()).unwrap_err();
            assert_eq!(invalid(&error), is_invalid, "{error}");
            assert!(error.to_string().contains(field), "{error}");
        }
        with_topic("a/b").check(&device()).unwrap();
        assert_eq!(with_topic("a/b").topic(&device()), "$oc/devices/d1/user/a/b");
        whole("$oc/devices/d1/user/x").check(&device()).unwrap();
        whole("/aircondition/data/up").check(&device()).unwrap();
        assert_eq!(whole("/aircondition/data/up").topic(&device()), "/aircondition/data/up");
    }
}
