//! Uplinks: what devices have sent to the platform, newest first, and live.
//!
//! Read off the message stream, which forgets its oldest: not an archive, and no copy is kept here. Invariant: a caller sees
//! messages that were sent in resource spaces of its scope, and no other; a device's are those that it has sent in the
//! resource space that it is in.

mod live;
mod marker;
mod shown;

use std::collections::BTreeSet;

use axum::{Json, extract::Path, http::HeaderMap, response::Response};
use rollcall_domain::fleet::Role;
use rollcall_log::messages::{Lane, MessagesOf};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use self::shown::UplinkShown;
use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Query, paging, route::Routes},
};

/// Which part of the uplinks.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Earlier {
    /// Only what came before this: `marker` of the page before, or of an uplink.
    #[param(pattern = "^[0-9a-fA-F]{24}$")]
    marker: Option<String>,
    /// Entries of the page, 1 to 50; 10 when absent.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<i64>,
}

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Later {
    /// What came after this: `marker` of an uplink. What comes from now on, when absent. `Last-Event-ID` goes before it.
    #[param(pattern = "^[0-9a-fA-F]{24}$")]
    marker: Option<String>,
}

/// In which resource space.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InSpace {
    /// Only of devices of this resource space.
    #[param(max_length = 36)]
    app_id: Option<String>,
}

/// Some of the uplinks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Uplinks {
    /// Newest first, by the order in which they were stored.
    uplinks: Vec<UplinkShown>,
    /// Give it as `marker` for what came earlier; absent when there is nothing earlier. A page may be short, even empty,
    /// before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
    /// How many messages of this page were stepped over because they are damaged; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<u64>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Viewer, routes!(of_device))
        .operation(Role::Viewer, routes!(of_instance))
        .operation(Role::Viewer, routes!(live_of_device))
        .operation(Role::Viewer, routes!(live_of_instance))
}

/// List what a device has sent
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/devices/{device_id}/uplinks", tag = "Uplinks",
    params(("instance_id" = String, Path), ("device_id" = String, Path), Earlier),
    responses((status = 200, body = Uplinks), Errors))]
async fn of_device(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
    Query(part): Query<Earlier>,
) -> Result<Json<Uplinks>, ApiError> {
    let of = device(&context, &device_id)?;
    page(&context, &of, &part).await.map(Json)
}

/// List what the devices of an instance have sent
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/uplinks", tag = "Uplinks",
    params(("instance_id" = String, Path), Earlier, InSpace), responses((status = 200, body = Uplinks), Errors))]
async fn of_instance(
    context: InstanceContext,
    Query(part): Query<Earlier>,
    Query(space): Query<InSpace>,
) -> Result<Json<Uplinks>, ApiError> {
    let of = spaces(&context, &space)?;
    page(&context, &of, &part).await.map(Json)
}

/// Follow what a device sends
///
/// Server-sent events. `opened` comes first and says whether the stream is `complete`; then an `uplink` for each message,
/// with its marker as id; `ended` is the last and says why, and that one may come back with `Last-Event-ID`.
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/devices/{device_id}/uplinks/stream", tag = "Uplinks",
    params(("instance_id" = String, Path), ("device_id" = String, Path), Later),
    responses((status = 200, body = String, content_type = "text/event-stream"), Errors))]
async fn live_of_device(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
    Query(from): Query<Later>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let of = device(&context, &device_id)?;
    live::open(&context, &of, from.marker.as_deref(), &headers).await
}

/// Follow what the devices of an instance send
///
/// As of a device.
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/uplinks/stream", tag = "Uplinks",
    params(("instance_id" = String, Path), Later, InSpace),
    responses((status = 200, body = String, content_type = "text/event-stream"), Errors))]
async fn live_of_instance(
    context: InstanceContext,
    Query(from): Query<Later>,
    Query(space): Query<InSpace>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let of = spaces(&context, &space)?;
    live::open(&context, &of, from.marker.as_deref(), &headers).await
}

fn device(context: &InstanceContext, id: &str) -> Result<MessagesOf, ApiError> {
    let device = context.device(id)?.device;
    Ok(MessagesOf::Device { space: device.space.clone(), device: device.id.clone() })
}

fn spaces(context: &InstanceContext, InSpace { app_id }: &InSpace) -> Result<MessagesOf, ApiError> {
    let named = context.space_filter(app_id.as_deref())?;
    let spaces = named.map(|space| BTreeSet::from([space])).or_else(|| context.caller.scope.spaces.clone());
    Ok(spaces.map_or(MessagesOf::Instance, MessagesOf::Spaces))
}

async fn page(context: &InstanceContext, of: &MessagesOf, part: &Earlier) -> Result<Uplinks, ApiError> {
    let limit = paging::limit(part.limit)?;
    let before = part.marker.as_deref().map(marker::read).transpose()?;
    let messages = &context.instance.backbone.messages;
    let found = messages.latest(&context.instance.id, Lane::Uplink, of, before, limit).await?;
    Ok(Uplinks {
        uplinks: found.messages.iter().map(UplinkShown::of).collect(),
        marker: found.next.map(marker::of),
        damaged: Some(found.damaged).filter(|damaged| *damaged > 0),
    })
}
