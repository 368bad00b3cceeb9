//! Devices: added, shown, changed, frozen and deleted.
//!
//! Their messages, commands, properties, shadows and certificates have files of their own. Invariant: a device in a resource
//! space out of the caller's scope does not exist for the caller.
//!
//! `new` reads the body of an addition, `object` is what a device looks like, `origin` where it comes from, `list` finds many.

pub(crate) mod fingerprint;
pub(crate) mod list;
mod new;
pub(crate) mod object;
mod origin;

use axum::{
    Json,
    extract::Path,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use rollcall_devices::{desired, reach};
use rollcall_domain::{
    fleet::Role,
    ids::{ConnectorId, DeviceId, Position},
    registry::{Command, Event},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::routes;

use self::{
    new::{Connecting, NewDevice},
    object::{DeviceAdded, DeviceShown},
};
use crate::{
    context::InstanceContext,
    http::{
        codes::Code,
        error::ApiError,
        errors::Errors,
        extract::Body,
        responses::{Created, NoContent},
        route::Routes,
    },
    rollcall_v1::retired_certificates,
};

/// The position of a change in the log.
pub(crate) const POSITION: HeaderName = HeaderName::from_static("rollcall-position");
/// The connectors that may not learn of it in time.
const OUT_OF_REACH: HeaderName = HeaderName::from_static("rollcall-out-of-reach");

/// What is to change of a device. What is absent stays; an empty text takes away what was there.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeviceChange {
    /// Its name.
    #[schema(max_length = 256, pattern = "^[A-Za-z0-9\u{4e00}-\u{9fa5}_?'#().,&%@! -]*$")]
    device_name: Option<String>,
    /// Its description.
    #[schema(max_length = 2048, pattern = "^[A-Za-z0-9\u{4e00}-\u{9fa5}_?'#().,&%@! -]*$")]
    description: Option<String>,
    /// Anything else about it, at most 1 KB of JSON, in place of what was there.
    #[schema(value_type = Option<Object>)]
    extension_info: Option<Map<String, Value>>,
    /// How it connects, which cannot be otherwise.
    auth_info: Option<Connecting>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Operator, routes!(add))
        .operation(Role::Viewer, routes!(show))
        .operation(Role::Operator, routes!(update))
        .operation(Role::Operator, routes!(delete))
        .operation(Role::Operator, routes!(freeze))
        .operation(Role::Operator, routes!(unfreeze))
}

/// Add a device; one that was deleted in the same resource space comes back so
#[utoipa::path(post, path = "/v5/iot/{project_id}/devices", tag = "Devices", params(("project_id" = String, Path)),
    request_body = NewDevice, responses((status = 201, body = DeviceAdded), Errors))]
async fn add(context: InstanceContext, Body(wanted): Body<NewDevice>) -> Result<Created<DeviceAdded>, ApiError> {
    let wanted = wanted.read(&context)?;
    // The registrar accepts the same addition again; the service answers it with a code, unless the caller says by an
    // idempotency key that it is the same request.
    if !context.has_idempotency_key() && exists(&context, &wanted.device).await? {
        return Err(taken(&wanted.device));
    }
    let accepted = context.command(wanted.command).await.map_err(|error| match error.code {
        Code::AlreadyExists => taken(&wanted.device),
        _ => error,
    })?;
    let made = match accepted.earlier {
        Some(Event::DevicePreRegistered { profile, .. }) => profile.device,
        _ => wanted.device,
    };
    let shadow = wanted.shadow.into_iter().map(|initial| (initial.service_id, initial.desired)).collect();
    desired::begin(&context.instance.devices, &context.device(made.as_str())?, shadow).await?;
    let space = context.device(made.as_str())?.device.space;
    let retired_certificates = retired_certificates::of_device(&context, &made, &space).await?;
    Ok(Created(DeviceAdded { device: shown(&context, made.as_str()).await?, retired_certificates }))
}

/// Show a device
#[utoipa::path(get, path = "/v5/iot/{project_id}/devices/{device_id}", tag = "Devices",
    params(("project_id" = String, Path), ("device_id" = String, Path)),
    responses((status = 200, body = DeviceShown), Errors))]
async fn show(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
) -> Result<Json<DeviceShown>, ApiError> {
    shown(&context, &device_id).await.map(Json)
}

/// Update a device
#[utoipa::path(put, path = "/v5/iot/{project_id}/devices/{device_id}", tag = "Devices",
    params(("project_id" = String, Path), ("device_id" = String, Path)), request_body = DeviceChange,
    responses((status = 200, body = DeviceShown), Errors))]
async fn update(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
    Body(change): Body<DeviceChange>,
) -> Result<Json<DeviceShown>, ApiError> {
    let device = context.device(&device_id)?.device.id;
    change.auth_info.unwrap_or_default().check()?;
    let command = Command::UpdateDevice {
        device,
        name: change.device_name.map(Into::into),
        description: change.description.map(Into::into),
        extension_info: change.extension_info.map(|info| Value::Object(info).to_string().into()),
    };
    context.command(command).await?;
    shown(&context, &device_id).await.map(Json)
}

/// Delete a device
#[utoipa::path(delete, path = "/v5/iot/{project_id}/devices/{device_id}", tag = "Devices",
    params(("project_id" = String, Path), ("device_id" = String, Path)), responses((status = 204), Errors))]
async fn delete(context: InstanceContext, Path((_, device_id)): Path<(String, String)>) -> Result<NoContent, ApiError> {
    let device = context.device(&device_id)?.device.id;
    context.command(Command::DeleteDevice { device: device.clone() }).await?;
    // The device is deleted whether this succeeds or not: what remains belongs to no device.
    if let Err(error) = rollcall_devices::forget(&context.instance.devices, &device).await {
        tracing::warn!(%device, %error, "what was kept of a deleted device could not be removed");
    }
    Ok(NoContent)
}

/// Freeze a device: it may not connect
#[utoipa::path(post, path = "/v5/iot/{project_id}/devices/{device_id}/freeze", tag = "Devices",
    params(("project_id" = String, Path), ("device_id" = String, Path)), responses((status = 204, headers(
        ("Rollcall-Position" = u64, description = "Where the instance's log says so: a connector whose position is not before it lets the device in no more"),
        ("Rollcall-Out-Of-Reach" = Option<String>, description = "Connectors that may not hear of it now, with commas between; `unknown` if none could be asked; absent if there are none"))),
        Errors))]
async fn freeze(context: InstanceContext, Path((_, device_id)): Path<(String, String)>) -> Result<Frozen, ApiError> {
    let device = context.device(&device_id)?.device.id;
    let accepted = context.command(Command::FreezeDevice { device }).await?;
    let now = context.now();
    let out_of_reach = match context.instance.connectors(now).await {
        Ok(heard) => {
            Some(reach::out_of_reach(context.instance.devices.presence().silent(), &heard, (accepted.position, now), now))
        }
        Err(error) => {
            tracing::warn!(instance = %context.instance.id, %error, "it is not known which connectors hear of a freeze");
            None
        }
    };
    Ok(Frozen { position: accepted.position, out_of_reach })
}

/// The answer to a freeze: 204, as the service answers, with two headers of Rollcall's own.
pub(crate) struct Frozen {
    position: Position,
    /// `None`: unknown.
    out_of_reach: Option<Vec<ConnectorId>>,
}

impl IntoResponse for Frozen {
    fn into_response(self) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        response.headers_mut().insert(POSITION, HeaderValue::from(self.position.0));
        let named = match self.out_of_reach {
            None => "unknown".to_owned(),
            Some(connectors) => connectors.iter().map(ConnectorId::as_str).collect::<Vec<_>>().join(","),
        };
        // A connector's id is letters, digits, `_` and `-`.
        if let Some(named) = HeaderValue::from_str(&named).ok().filter(|named| !named.is_empty()) {
            response.headers_mut().insert(OUT_OF_REACH, named);
        }
        response
    }
}

/// Unfreeze a device: it may connect again
#[utoipa::path(post, path = "/v5/iot/{project_id}/devices/{device_id}/unfreeze", tag = "Devices",
    params(("project_id" = String, Path), ("device_id" = String, Path)), responses((status = 204), Errors))]
async fn unfreeze(context: InstanceContext, Path((_, device_id)): Path<(String, String)>) -> Result<NoContent, ApiError> {
    let device = context.device(&device_id)?.device.id;
    context.command(Command::UnfreezeDevice { device }).await?;
    Ok(NoContent)
}

/// As the view has it now: what was just accepted is in it, unless it was deleted since.
async fn shown(context: &InstanceContext, device_id: &str) -> Result<DeviceShown, ApiError> {
    let listed = context.device(device_id)?;
    let origin = origin::of(context, &listed).await;
    // A device is shown also while its documents cannot be read.
    let info = desired::show(&context.instance.devices, &listed).await.ok().and_then(|shadow| shadow.info);
    let info = info.unwrap_or_default();
    context.instance.lookup(move |instance| Some(DeviceShown::of(instance, &listed, origin, info))).await
}

/// Whether the id is taken, in scope or not.
async fn exists(context: &InstanceContext, device: &DeviceId) -> Result<bool, ApiError> {
    let device = device.clone();
    context.instance.lookup(move |instance| Some(instance.view.show(&device)?.is_some())).await
}

fn taken(device: &DeviceId) -> ApiError {
    ApiError::new(Code::DeviceExists, format!("The device already exists: {:?}", device.as_str()))
}
