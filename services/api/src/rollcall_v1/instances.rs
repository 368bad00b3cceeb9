//! The fleet's instances.

use std::sync::Arc;

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::{Edition, FleetCommand, Instance, InstanceDraft, Role},
    ids::{Incarnation, InstanceId},
};
use rollcall_projection::directory::DeviceQuery;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    context::FleetContext,
    http::{
        error::ApiError,
        errors::Errors,
        extract::Body,
        responses::{Created, NoContent},
        route::Routes,
    },
    instances::{known, not_found, served::ServedInstance},
    rollcall_v1::log_status::LogStatus,
};

/// What an instance was bought as.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EditionName {
    /// Shared; no self-registration.
    Basic,
    /// Logical multi-tenant.
    Standard,
    /// Dedicated.
    Enterprise,
}

impl From<EditionName> for Edition {
    fn from(name: EditionName) -> Self {
        match name {
            EditionName::Basic => Self::Basic,
            EditionName::Standard => Self::Standard,
            EditionName::Enterprise => Self::Enterprise,
        }
    }
}

impl From<Edition> for EditionName {
    fn from(edition: Edition) -> Self {
        match edition {
            Edition::Basic => Self::Basic,
            Edition::Standard => Self::Standard,
            Edition::Enterprise => Self::Enterprise,
        }
    }
}

/// An instance that is to be served.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewInstance {
    /// 1 to 36 of letters, digits, `_` and `-`.
    #[schema(min_length = 1, max_length = 36, pattern = "^[A-Za-z0-9_-]+$")]
    id: String,
    /// The DNS name that a device's SNI must carry; no other instance's.
    #[schema(
        min_length = 1,
        max_length = 253,
        pattern = "^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?[.])*[0-9]{0,30}([A-Za-z]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?|[0-9]-[A-Za-z0-9-]{0,30}[A-Za-z0-9])$",
        example = "iot-a.example.com"
    )]
    access_domain: String,
    /// Its edition.
    edition: EditionName,
    /// Its region.
    #[schema(min_length = 1, max_length = 32, pattern = "^[a-z0-9-]+$", example = "cn-north-4")]
    region: String,
    /// The most live devices that it may hold; what the registrar is configured with when absent.
    #[schema(maximum = 1_000_000_000)]
    #[serde(default, deserialize_with = "crate::http::json_integer::optional")]
    devices_max: Option<u64>,
}

/// What can be changed of an instance.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct InstanceDetails {
    /// The DNS name that a device's SNI must carry; no other instance's.
    #[schema(
        min_length = 1,
        max_length = 253,
        pattern = "^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?[.])*[0-9]{0,30}([A-Za-z]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?|[0-9]-[A-Za-z0-9-]{0,30}[A-Za-z0-9])$",
        example = "iot-a.example.com"
    )]
    access_domain: String,
    /// Its edition.
    edition: EditionName,
    /// Its region.
    #[schema(min_length = 1, max_length = 32, pattern = "^[a-z0-9-]+$", example = "cn-north-4")]
    region: String,
    /// The most live devices that it may hold; as before when absent.
    #[schema(maximum = 1_000_000_000)]
    #[serde(default, deserialize_with = "crate::http::json_integer::optional")]
    devices_max: Option<u64>,
}

/// An instance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InstanceShown {
    /// Its id.
    id: String,
    /// The DNS name that a device's SNI must carry.
    access_domain: String,
    /// Its edition.
    edition: EditionName,
    /// Its region.
    region: String,
    /// A UUID drawn when it was made: an instance that is deleted and made again under its id has another. Absent for an
    /// instance made before version 0.2.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<String>,
    /// The most live devices that it may hold; absent where its record says nothing and configuration decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    devices_max: Option<u64>,
    /// Whether its edition and region allow devices to register themselves; absent where its record says nothing and
    /// configuration decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    self_registration_available: Option<bool>,
    /// How it stands; absent until this process serves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<InstanceStatus>,
}

/// How an instance stands, as this process sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InstanceStatus {
    /// Its log.
    #[serde(flatten)]
    log: LogStatus,
    /// How many devices it has; absent while that is being counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<u64>,
    /// How many of them are online.
    online: u64,
    /// How many connectors serve it; absent while the backbone cannot say.
    #[serde(skip_serializing_if = "Option::is_none")]
    connectors: Option<u64>,
}

/// Every instance that the caller may use.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Instances {
    /// The fleet's own log, as this process sees it: which instances, operators and access keys there are.
    fleet: LogStatus,
    /// By id.
    instances: Vec<InstanceShown>,
}

impl InstanceDetails {
    fn of(self, id: InstanceId) -> InstanceDraft {
        let Self { access_domain, edition, region, devices_max } = self;
        InstanceDraft {
            id,
            access_domain: access_domain.into(),
            edition: edition.into(),
            region: region.into(),
            devices_max,
        }
    }
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Admin, routes!(add))
        .operation(Role::Viewer, routes!(list))
        .operation(Role::Viewer, routes!(show))
        .operation(Role::Admin, routes!(update))
        .operation(Role::Admin, routes!(delete))
}

/// Add an instance
#[utoipa::path(post, path = "/rollcall/v1/instances", tag = "Fleet", request_body = NewInstance,
    responses((status = 201, body = InstanceShown), Errors))]
async fn add(context: FleetContext, Body(wanted): Body<NewInstance>) -> Result<Created<InstanceShown>, ApiError> {
    context.require_unlimited_scope()?;
    let id = InstanceId::parse(&wanted.id).map_err(|error| ApiError::invalid("id", error))?;
    let NewInstance { access_domain, edition, region, devices_max, .. } = wanted;
    let details = InstanceDetails { access_domain, edition, region, devices_max };
    context.command(FleetCommand::CreateInstance(details.of(id.clone()))).await?;
    shown(&context, &id).await.map(Created)
}

/// List instances
#[utoipa::path(get, path = "/rollcall/v1/instances", tag = "Fleet", responses((status = 200, body = Instances), Errors))]
async fn list(context: FleetContext) -> Result<Json<Instances>, ApiError> {
    let fleet = context.api.fleet();
    let mut instances = Vec::new();
    for instance in fleet.fleet.instances.values().filter(|instance| context.caller.scope.holds_instance(&instance.id)) {
        instances.push(with_status(&context, instance).await);
    }
    let log = LogStatus::of(&fleet.status(), &context.api.fleet_seen(), context.api.unwritable());
    Ok(Json(Instances { fleet: log, instances }))
}

/// Show an instance
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}", tag = "Fleet", params(("instance_id" = String, Path)),
    responses((status = 200, body = InstanceShown), Errors))]
async fn show(context: FleetContext, Path(id): Path<String>) -> Result<Json<InstanceShown>, ApiError> {
    let id = known(&context.api.fleet(), &context.caller.scope, &id)?;
    shown(&context, &id).await.map(Json)
}

/// Change an instance
#[utoipa::path(put, path = "/rollcall/v1/instances/{instance_id}", tag = "Fleet", params(("instance_id" = String, Path)),
    request_body = InstanceDetails, responses((status = 200, body = InstanceShown), Errors))]
async fn update(
    context: FleetContext,
    Path(id): Path<String>,
    Body(wanted): Body<InstanceDetails>,
) -> Result<Json<InstanceShown>, ApiError> {
    context.require_unlimited_scope()?;
    let id = known(&context.api.fleet(), &context.caller.scope, &id)?;
    context.command(FleetCommand::UpdateInstance(wanted.of(id.clone()))).await?;
    shown(&context, &id).await.map(Json)
}

/// Take an instance out of service; its log stays
#[utoipa::path(delete, path = "/rollcall/v1/instances/{instance_id}", tag = "Fleet", params(("instance_id" = String, Path)),
    responses((status = 204), Errors))]
async fn delete(context: FleetContext, Path(id): Path<String>) -> Result<NoContent, ApiError> {
    context.require_unlimited_scope()?;
    let id = known(&context.api.fleet(), &context.caller.scope, &id)?;
    context.command(FleetCommand::DeleteInstance(id)).await?;
    Ok(NoContent)
}

async fn shown(context: &FleetContext, id: &InstanceId) -> Result<InstanceShown, ApiError> {
    let fleet = context.api.fleet();
    let instance = fleet.fleet.instances.get(id).ok_or_else(|| not_found(id.as_str()))?;
    Ok(with_status(context, instance).await)
}

async fn with_status(context: &FleetContext, instance: &Instance) -> InstanceShown {
    let unwritable = context.api.unwritable();
    let status = match context.api.instances.get(&instance.id) {
        Some(instance) => Some(status(&instance, unwritable).await),
        None => None,
    };
    InstanceShown {
        id: instance.id.to_string(),
        access_domain: instance.access_domain.to_string(),
        edition: instance.edition.into(),
        region: instance.region.to_string(),
        incarnation: (instance.incarnation != Incarnation::NIL).then(|| instance.incarnation.to_string()),
        devices_max: instance.devices_max,
        self_registration_available: instance.self_registration_available,
        status,
    }
}

async fn status(instance: &Arc<ServedInstance>, unwritable: Option<String>) -> InstanceStatus {
    let log = LogStatus::of(&instance.view.admission().status().borrow(), &instance.seen(), unwritable);
    let count = |instance: &ServedInstance| instance.view.count(&DeviceQuery::all(0, &|device| instance.status_of(device)));
    let connectors = instance.backbone.presence.connectors(&instance.id).await;
    InstanceStatus {
        log,
        devices: instance.lookup(count).await.ok(),
        online: instance.devices.presence().count() as u64,
        connectors: connectors.ok().map(|connectors| connectors.len() as u64),
    }
}
