//! Shadows of devices (`/devices/{device_id}/shadow`): desired values, and the values that they last reported.

use axum::{Json, extract::Path};
use rollcall_device_model::shadow::{DesiredChange, Shadow, Side};
use rollcall_devices::desired;
use rollcall_domain::{fleet::Role, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::services::{self, SERVICES_MAX};
use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Body, responses::NoContent, route::Routes, times},
};

/// What is to be desired.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UpdateDesireds {
    /// By service.
    #[schema(min_items = 1, max_items = 500)]
    shadow: Vec<UpdateDesired>,
}

/// What is to be desired of one service.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UpdateDesired {
    /// The service.
    #[schema(min_length = 1, max_length = 64)]
    service_id: String,
    /// Values by name; `null` takes one away, `{}` all.
    #[schema(value_type = Object)]
    desired: Map<String, Value>,
    /// If given, the version that the service's shadow must have.
    #[schema(minimum = 0)]
    #[serde(default, deserialize_with = "crate::http::json_integer::optional")]
    version: Option<u64>,
}

/// The shadow of a device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceShadow {
    /// Whose.
    device_id: String,
    /// By service.
    shadow: Vec<ShadowOfService>,
}

/// The shadow of one service of a device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShadowOfService {
    /// The service.
    service_id: String,
    /// What it should be.
    desired: ShadowSide,
    /// What it says it is.
    reported: ShadowSide,
    /// Rises with every change of either.
    version: u64,
}

/// Values and when they were last set.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShadowSide {
    /// Values by name.
    #[schema(value_type = Object)]
    properties: Map<String, Value>,
    /// When they were last set, UTC; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_time: Option<String>,
}

impl From<&Side> for ShadowSide {
    fn from(side: &Side) -> Self {
        let event_time = side.at_ms.map(|ms| times::basic(Timestamp::from_unix_ms(ms)));
        Self { properties: side.properties.clone(), event_time }
    }
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Viewer, routes!(show))
        .operation(Role::Operator, routes!(update))
        .operation(Role::Operator, routes!(delete))
}

/// Show the shadow of a device
#[utoipa::path(get, path = "/v5/iot/{project_id}/devices/{device_id}/shadow", tag = "Shadows",
    params(("project_id" = String, Path), ("device_id" = String, Path)),
    responses((status = 200, body = DeviceShadow), Errors))]
async fn show(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
) -> Result<Json<DeviceShadow>, ApiError> {
    let listed = context.device(&device_id)?;
    let shadow = desired::show(&context.instance.devices, &listed).await?;
    Ok(Json(DeviceShadow { device_id: listed.device.id.to_string(), shadow: shown(&shadow) }))
}

/// Change what is desired of a device
#[utoipa::path(put, path = "/v5/iot/{project_id}/devices/{device_id}/shadow", tag = "Shadows",
    params(("project_id" = String, Path), ("device_id" = String, Path)),
    request_body = UpdateDesireds, responses((status = 200, body = DeviceShadow), Errors))]
async fn update(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
    Body(wanted): Body<UpdateDesireds>,
) -> Result<Json<DeviceShadow>, ApiError> {
    let listed = context.device(&device_id)?;
    if !(1..=SERVICES_MAX).contains(&wanted.shadow.len()) {
        return Err(ApiError::invalid("shadow", format!("give 1 to {SERVICES_MAX} services")));
    }
    let mut changes = Vec::with_capacity(wanted.shadow.len());
    for UpdateDesired { service_id, desired, version } in wanted.shadow {
        services::check_id("shadow.service_id", &service_id)?;
        changes.push(DesiredChange { service_id, desired, version });
    }
    let key = context.idempotency_text();
    let shadow = desired::change(&context.instance.devices, &listed, &changes, key.as_deref()).await?;
    Ok(Json(DeviceShadow { device_id: listed.device.id.to_string(), shadow: shown(&shadow) }))
}

/// Desire nothing of a device any more
#[utoipa::path(delete, path = "/v5/iot/{project_id}/devices/{device_id}/shadow", tag = "Shadows",
    params(("project_id" = String, Path), ("device_id" = String, Path)),
    responses((status = 204), Errors))]
async fn delete(context: InstanceContext, Path((_, device_id)): Path<(String, String)>) -> Result<NoContent, ApiError> {
    let listed = context.device(&device_id)?;
    desired::clear(&context.instance.devices, &listed).await?;
    Ok(NoContent)
}

/// A shadow as callers see it; what devices are sent is [`rollcall_device_model::shadow::Service::to_json`].
fn shown(shadow: &Shadow) -> Vec<ShadowOfService> {
    let services = shadow.services.iter().map(|(id, service)| ShadowOfService {
        service_id: id.clone(),
        desired: ShadowSide::from(&service.desired),
        reported: ShadowSide::from(&service.reported),
        version: service.version,
    });
    services.collect()
}
