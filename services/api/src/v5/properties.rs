//! Properties of devices (`/devices/{device_id}/properties`): read from and set at the device itself, within one request.

use axum::{Json, extract::Path};
use rollcall_device_model::topics::DeviceRequest;
use rollcall_devices::requests;
use rollcall_domain::fleet::Role;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::services::{self, SERVICES_MAX};
use crate::{
    context::InstanceContext,
    http::{
        codes::Code,
        error::ApiError,
        errors::Errors,
        extract::{Body, Query},
        route::Routes,
    },
};

/// Whose properties to read.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichService {
    /// The service.
    #[param(min_length = 1, max_length = 64)]
    service_id: String,
}

/// Properties to set.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DevicePropertiesRequest {
    /// By service.
    #[schema(min_items = 1, max_items = 500)]
    services: Vec<ServiceProperties>,
}

/// Properties of one service.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ServiceProperties {
    /// The service.
    #[schema(min_length = 1, max_length = 64)]
    service_id: String,
    /// Values by name.
    #[schema(value_type = Object)]
    properties: Map<String, Value>,
}

/// What the device has answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PropertiesAnswer {
    /// The request, as the device was told it.
    request_id: String,
    /// `{"services": [..]}` when reading, `{"result_code", "result_desc"}` when setting, or whatever else the device says.
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
    Routes::new().operation(Role::Viewer, routes!(list)).operation(Role::Operator, routes!(update))
}

/// Read properties from a device
#[utoipa::path(get, path = "/v5/iot/{project_id}/devices/{device_id}/properties", tag = "Properties",
    params(("project_id" = String, Path), ("device_id" = String, Path), WhichService),
    responses((status = 200, body = PropertiesAnswer), Errors))]
async fn list(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
    Query(which): Query<WhichService>,
) -> Result<Json<PropertiesAnswer>, ApiError> {
    services::check_id("service_id", &which.service_id)?;
    ask(
        &context,
        &device_id,
        DeviceRequest::GetProperties,
        |device| json!({"object_device_id": device, "service_id": which.service_id}),
    )
    .await
}

/// Set properties at a device
#[utoipa::path(put, path = "/v5/iot/{project_id}/devices/{device_id}/properties", tag = "Properties",
    params(("project_id" = String, Path), ("device_id" = String, Path)),
    request_body = DevicePropertiesRequest, responses((status = 200, body = PropertiesAnswer), Errors))]
async fn update(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
    Body(wanted): Body<DevicePropertiesRequest>,
) -> Result<Json<PropertiesAnswer>, ApiError> {
    if !(1..=SERVICES_MAX).contains(&wanted.services.len()) {
        return Err(ApiError::invalid("services", format!("give 1 to {SERVICES_MAX}")));
    }
    for service in &wanted.services {
        services::check_id("services.service_id", &service.service_id)?;
    }
    ask(
        &context,
        &device_id,
        DeviceRequest::SetProperties,
        |device| json!({"object_device_id": device, "services": wanted.services}),
    )
    .await
}

async fn ask(
    context: &InstanceContext,
    device_id: &str,
    kind: DeviceRequest,
    payload: impl FnOnce(&str) -> Value,
) -> Result<Json<PropertiesAnswer>, ApiError> {
    let listed = context.device(device_id)?;
    let request_id = context.device_request_id();
    let payload = payload(listed.device.id.as_str());
    let deadline = context.api.config.limits.device_answer();
    let answer = requests::ask(&context.instance.devices, &listed.device, kind, &request_id, payload, deadline).await?;
    Ok(Json(match answer {
        Some(response) => PropertiesAnswer { request_id, response: Some(response), error_code: None, error_msg: None },
        None => {
            let text = format!("The device did not answer within {} ms", deadline.as_millis());
            let code = Code::DeviceTimedOut.as_str();
            PropertiesAnswer { request_id, response: None, error_code: Some(code), error_msg: Some(text) }
        }
    }))
}
