//! Commands to devices (`/devices/{device_id}/commands`): sent, and answered by the device, within one request.

use axum::{Json, extract::Path};
use rollcall_device_model::topics::DeviceRequest;
use rollcall_devices::requests;
use rollcall_domain::fleet::Role;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::services::SERVICE_ID_CHARS_MAX;
use crate::{
    context::InstanceContext,
    http::{codes::Code, error::ApiError, errors::Errors, extract::Body, route::Routes},
};

/// Most characters of a command's name.
const COMMAND_NAME_CHARS_MAX: usize = 128;

/// A command.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeviceCommandRequest {
    /// The service that the command belongs to.
    #[schema(max_length = 64)]
    service_id: Option<String>,
    /// Its name.
    #[schema(max_length = 128)]
    command_name: Option<String>,
    /// Its parameters; as the device knows them.
    #[schema(value_type = Object)]
    paras: Map<String, Value>,
}

/// What a command came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CommandAnswer {
    /// The command, as the device was told it.
    command_id: String,
    /// `{"result_code", "response_name", "paras"}`, or whatever else the device has answered.
    #[schema(value_type = Value)]
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Value>,
    /// IOTDA.014111: the device did not answer in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    /// What was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_msg: Option<String>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Operator, routes!(create))
}

/// Send a command to a device and wait for its answer
#[utoipa::path(post, path = "/v5/iot/{project_id}/devices/{device_id}/commands", tag = "Commands",
    params(("project_id" = String, Path), ("device_id" = String, Path)),
    request_body = DeviceCommandRequest, responses((status = 200, body = CommandAnswer), Errors))]
async fn create(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
    Body(wanted): Body<DeviceCommandRequest>,
) -> Result<Json<CommandAnswer>, ApiError> {
    let listed = context.device(&device_id)?;
    for (field, value, max) in [
        ("service_id", &wanted.service_id, SERVICE_ID_CHARS_MAX),
        ("command_name", &wanted.command_name, COMMAND_NAME_CHARS_MAX),
    ] {
        if value.as_ref().is_some_and(|value| value.chars().count() > max) {
            return Err(ApiError::invalid(field, format!("give at most {max} characters")));
        }
    }
    let command_id = context.device_request_id();
    let payload = json!({
        "object_device_id": listed.device.id.as_str(),
        "service_id": wanted.service_id.unwrap_or_default(),
        "command_name": wanted.command_name.unwrap_or_default(),
        "paras": wanted.paras,
    });
    let deadline = context.api.config.limits.device_answer();
    let answer =
        requests::ask(&context.instance.devices, &listed.device, DeviceRequest::Command, &command_id, payload, deadline)
            .await?;
    Ok(Json(match answer {
        Some(response) => CommandAnswer { command_id, response: Some(response), error_code: None, error_msg: None },
        None => {
            let text = format!("The device did not answer the command within {} ms", deadline.as_millis());
            let code = Code::DeviceTimedOut.as_str();
            CommandAnswer { command_id, response: None, error_code: Some(code), error_msg: Some(text) }
        }
    }))
}
