//! How the v5 API writes a message's encoding, format and MQTT 5 properties.

use rollcall_device_model::message;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the message is written in the request.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// As it is.
    None,
    /// In Base64; the device gets the bytes.
    Base64,
}

/// What the device gets, unless the message is in Base64.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PayloadFormat {
    /// The service's envelope round the message.
    Standard,
    /// The message alone.
    Raw,
}

/// MQTT 5 properties that go with a message.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct UserProperty {
    /// Its key.
    #[schema(max_length = 128, min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    prop_key: String,
    /// Its value.
    #[schema(max_length = 128, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]*$")]
    prop_value: String,
}

impl From<Encoding> for message::Encoding {
    fn from(given: Encoding) -> Self {
        match given {
            Encoding::None => Self::None,
            Encoding::Base64 => Self::Base64,
        }
    }
}

impl From<message::Encoding> for Encoding {
    fn from(kept: message::Encoding) -> Self {
        match kept {
            message::Encoding::None => Self::None,
            message::Encoding::Base64 => Self::Base64,
        }
    }
}

impl From<PayloadFormat> for message::PayloadFormat {
    fn from(given: PayloadFormat) -> Self {
        match given {
            PayloadFormat::Standard => Self::Standard,
            PayloadFormat::Raw => Self::Raw,
        }
    }
}

impl From<message::PayloadFormat> for PayloadFormat {
    fn from(kept: message::PayloadFormat) -> Self {
        match kept {
            message::PayloadFormat::Standard => Self::Standard,
            message::PayloadFormat::Raw => Self::Raw,
        }
    }
}

impl From<PublishProperties> for message::PublishProperties {
    fn from(given: PublishProperties) -> Self {
        let user = |UserProperty { prop_key, prop_value }| message::UserProperty { prop_key, prop_value };
        Self {
            correlation_data: given.correlation_data,
            response_topic: given.response_topic,
            user_properties: given.user_properties.map(|properties| properties.into_iter().map(user).collect()),
        }
    }
}

impl From<message::PublishProperties> for PublishProperties {
    fn from(kept: message::PublishProperties) -> Self {
        let user = |message::UserProperty { prop_key, prop_value }| UserProperty { prop_key, prop_value };
        Self {
            correlation_data: kept.correlation_data,
            response_topic: kept.response_topic,
            user_properties: kept.user_properties.map(|properties| properties.into_iter().map(user).collect()),
        }
    }
}
