//! Messages to devices (`/devices/{device_id}/messages`).

mod schema;

use axum::{Json, extract::Path};
use rollcall_device_model::{
    message::Message,
    message_queue::{MessageState, QueuedMessage},
};
use rollcall_devices::{
    DevicesError,
    messages::{self, NewMessage, StoredMessage},
};
use rollcall_domain::{fleet::Role, text, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{
    ToSchema,
    openapi::schema::{ObjectBuilder, Schema, SchemaType, Type},
};
use utoipa_axum::routes;

use self::schema::{Encoding, PayloadFormat, PublishProperties};
use crate::{
    context::InstanceContext,
    http::{
        error::ApiError,
        errors::Errors,
        extract::Body,
        responses::{Created, NoContent},
        route::Routes,
        times,
    },
};

/// Most characters of a message id.
const MESSAGE_ID_CHARS_MAX: usize = 100;
/// Longest time that a message waits, minutes; also what it waits when nothing is said.
const TTL_MIN_MAX: i64 = 1440;
/// Waiting times are multiples of this, minutes.
const TTL_MIN_STEP: i64 = 5;
/// The code in `error_info` of a message that could not be delivered.
const DELIVERY_FAILED: &str = "IOTDA.014924";

/// A message to a device.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeviceMessageRequest {
    /// Unique for the device; made up when absent. The same id with the same content is the same message.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9_-]+$")]
    message_id: Option<String>,
    /// Its name.
    #[schema(max_length = 128, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]*$")]
    name: Option<String>,
    /// A text or any other JSON value but `null`, up to 256 KB.
    #[schema(schema_with = anything, required = true)]
    message: Option<Value>,
    /// MQTT 5 properties that go with it.
    properties: Option<PublishProperties>,
    /// How `message` is written: `none` (the default) or `base64`; then the device gets the bytes alone.
    encoding: Option<Encoding>,
    /// `standard` (the default): `{"object_device_id", "name", "id", "content"}`; `raw`: the message alone.
    payload_format: Option<PayloadFormat>,
    /// The rest of a topic under `$oc/devices/{device_id}/user/`.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9_/-]+$")]
    topic: Option<String>,
    /// A whole topic, instead of `topic`: a custom one of up to 128 bytes, which reaches the device if it has subscribed to it
    /// and no policy forbids it, or one under `$oc/devices/{device_id}/user/`.
    #[schema(max_length = 256)]
    topic_full_name: Option<String>,
    /// Minutes that it waits for the device, a multiple of 5; 0: it does not wait. 1440 when absent.
    #[schema(minimum = 0, maximum = 1440, multiple_of = 5)]
    #[serde(default, deserialize_with = "crate::http::json_integer::optional")]
    ttl: Option<i64>,
}

fn anything() -> Schema {
    let all = [Type::String, Type::Number, Type::Boolean, Type::Array, Type::Object];
    let text = "A text or any other JSON value but `null`, up to 256 KB.";
    ObjectBuilder::new().schema_type(SchemaType::from_iter(all)).description(Some(text)).examples(["hello"]).into()
}

/// What was made of a request for a message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageCreated {
    /// Its id.
    message_id: String,
    /// How it stands.
    result: MessageResult,
}

/// How a message stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageResult {
    /// `PENDING`, `DELIVERED`, `FAILED` or `TIMEOUT`.
    status: &'static str,
    /// When it was created, UTC.
    created_time: String,
    /// When it was delivered or given up, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_time: Option<String>,
}

/// A message that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceMessage {
    /// Its id.
    message_id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// What it says, as it was given.
    #[schema(value_type = Value)]
    message: Value,
    /// How `message` is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<Encoding>,
    /// What the device gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_format: Option<PayloadFormat>,
    /// The topic that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    /// MQTT 5 properties that go with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<PublishProperties>,
    /// `PENDING`, `DELIVERED`, `FAILED` or `TIMEOUT`.
    status: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_info: Option<MessageErrorInfo>,
    /// When it was created, UTC.
    created_time: String,
    /// When it was delivered or given up, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_time: Option<String>,
}

/// Why a message failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageErrorInfo {
    /// A code.
    error_code: &'static str,
    /// What was wrong.
    error_msg: String,
}

/// The messages of a device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceMessages {
    /// Whose.
    device_id: String,
    /// The last 20, newest first.
    messages: Vec<DeviceMessage>,
}

impl MessageResult {
    fn of(entry: &QueuedMessage, now: Timestamp) -> Self {
        let time = |ms: i64| times::basic(Timestamp::from_unix_ms(ms));
        let (status, finished_ms) = match entry.state_at(now.unix_ms()) {
            MessageState::Pending => ("PENDING", None),
            MessageState::Delivered { at_ms } => ("DELIVERED", Some(at_ms)),
            MessageState::TimedOut { at_ms } => ("TIMEOUT", Some(at_ms)),
            MessageState::Failed { at_ms, .. } => ("FAILED", Some(at_ms)),
        };
        Self { status, created_time: time(entry.created_ms), finished_time: finished_ms.map(time) }
    }
}

impl DeviceMessage {
    fn of(message: StoredMessage, now: Timestamp) -> Self {
        let StoredMessage { entry, content } = message;
        let MessageResult { status, created_time, finished_time } = MessageResult::of(&entry, now);
        let error_info = match entry.state {
            MessageState::Failed { reason, .. } => Some(MessageErrorInfo { error_code: DELIVERY_FAILED, error_msg: reason }),
            MessageState::Pending | MessageState::Delivered { .. } | MessageState::TimedOut { .. } => None,
        };
        let (encoding, payload_format) = (
            content.as_ref().map(|content| content.encoding.into()),
            content.as_ref().map(|content| content.payload_format.into()),
        );
        let (name, topic, properties, message) = content.map_or((None, None, None, Value::Null), |content| {
            (content.name, content.topic.or(content.topic_full_name), content.properties.map(Into::into), content.message)
        });
        Self {
            message_id: entry.id,
            name,
            message,
            encoding,
            payload_format,
            topic,
            properties,
            status,
            error_info,
            created_time,
            finished_time,
        }
    }
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Operator, routes!(create))
        .operation(Role::Viewer, routes!(list))
        .operation(Role::Viewer, routes!(show))
        .operation(Role::Operator, routes!(delete))
}

/// Send a message to a device
#[utoipa::path(post, path = "/v5/iot/{project_id}/devices/{device_id}/messages", tag = "Messages",
    params(("project_id" = String, Path), ("device_id" = String, Path)),
    request_body = DeviceMessageRequest, responses((status = 201, body = MessageCreated), Errors))]
async fn create(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
    Body(wanted): Body<DeviceMessageRequest>,
) -> Result<Created<MessageCreated>, ApiError> {
    let listed = context.device(&device_id)?;
    let has_id_of_key = wanted.message_id.is_none() && context.has_idempotency_key();
    let id = message_id(&context, wanted.message_id)?;
    let ttl_min = wanted.ttl.unwrap_or(TTL_MIN_MAX);
    if !(0..=TTL_MIN_MAX).contains(&ttl_min) || ttl_min % TTL_MIN_STEP != 0 {
        let rule = format!("is {ttl_min}: give 0 to {TTL_MIN_MAX} minutes, in steps of {TTL_MIN_STEP}");
        return Err(ApiError::invalid("ttl", rule));
    }
    let content = Message {
        message: wanted.message.unwrap_or_default(),
        name: wanted.name,
        encoding: wanted.encoding.map(Into::into).unwrap_or_default(),
        payload_format: wanted.payload_format.map(Into::into).unwrap_or_default(),
        topic: wanted.topic,
        topic_full_name: wanted.topic_full_name,
        properties: wanted.properties.map(Into::into),
    };
    let created = messages::create(&context.instance.devices, &listed, NewMessage { id, content, ttl_min }).await;
    let entry = created.map_err(|error| match error {
        // The caller has not chosen the id, so that it is the key that was used before.
        DevicesError::MessageIdTaken(_) if has_id_of_key => DevicesError::KeyUsed,
        other => other,
    })?;
    let result = MessageResult::of(&entry, context.now());
    Ok(Created(MessageCreated { message_id: entry.id, result }))
}

/// List the messages of a device
#[utoipa::path(get, path = "/v5/iot/{project_id}/devices/{device_id}/messages", tag = "Messages",
    params(("project_id" = String, Path), ("device_id" = String, Path)),
    responses((status = 200, body = DeviceMessages), Errors))]
async fn list(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
) -> Result<Json<DeviceMessages>, ApiError> {
    let listed = context.device(&device_id)?;
    let now = context.now();
    let found = messages::list(&context.instance.devices, &listed).await?;
    let messages = found.into_iter().map(|message| DeviceMessage::of(message, now)).collect();
    Ok(Json(DeviceMessages { device_id: listed.device.id.to_string(), messages }))
}

/// Show a message of a device
#[utoipa::path(get, path = "/v5/iot/{project_id}/devices/{device_id}/messages/{message_id}", tag = "Messages",
    params(("project_id" = String, Path), ("device_id" = String, Path), ("message_id" = String, Path)),
    responses((status = 200, body = DeviceMessage), Errors))]
async fn show(
    context: InstanceContext,
    Path((_, device_id, message_id)): Path<(String, String, String)>,
) -> Result<Json<DeviceMessage>, ApiError> {
    let listed = context.device(&device_id)?;
    let message = messages::show(&context.instance.devices, &listed, &message_id).await?;
    Ok(Json(DeviceMessage::of(message, context.now())))
}

/// Delete a message of a device
#[utoipa::path(delete, path = "/v5/iot/{project_id}/devices/{device_id}/messages/{message_id}", tag = "Messages",
    params(("project_id" = String, Path), ("device_id" = String, Path), ("message_id" = String, Path)),
    responses((status = 204), Errors))]
async fn delete(
    context: InstanceContext,
    Path((_, device_id, message_id)): Path<(String, String, String)>,
) -> Result<NoContent, ApiError> {
    let listed = context.device(&device_id)?;
    messages::delete(&context.instance.devices, &listed, &message_id).await?;
    Ok(NoContent)
}

/// The id that was given, or that of the `Idempotency-Key`, or a new one.
fn message_id(context: &InstanceContext, given: Option<String>) -> Result<String, ApiError> {
    match given {
        Some(id) if (1..=MESSAGE_ID_CHARS_MAX).contains(&id.len()) && text::is_id(&id) => Ok(id),
        Some(_) => {
            let rule = format!("give 1 to {MESSAGE_ID_CHARS_MAX} of letters, digits, '_' and '-'");
            Err(ApiError::invalid("message_id", rule))
        }
        None => Ok(context.message_id()),
    }
}
