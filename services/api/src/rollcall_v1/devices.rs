//! Finding devices by a prefix, as a person types; readmitting a deleted one.
//!
//! The list of all devices is `v5::devices`; here nothing is counted, and the order is that of the field.

use axum::{Json, extract::Path};
use rollcall_domain::{fleet::Role, ids::DeviceId, registry::Command};
use rollcall_projection::directory::{Cursor, PrefixField};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::history::visible_since;
use crate::{
    context::{InstanceContext, device_not_found},
    http::{codes::Code, error::ApiError, errors::Errors, extract::Query, paging, responses::NoContent, route::Routes},
    v5::devices::object::DeviceSummary,
};

/// Characters of a prefix: no field is longer.
const PREFIX_CHARS_MAX: usize = 256;

/// What a search goes by.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// The device's id.
    #[default]
    DeviceId,
    /// Its node id.
    NodeId,
    /// Its name.
    Name,
}

/// What to search for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// How the field begins; all devices, when absent.
    #[param(max_length = 256)]
    prefix: Option<String>,
    /// Which field; `device_id` when absent.
    #[param(inline)]
    by: Option<By>,
    /// The `cursor` of the page before.
    #[param(pattern = "^([0-9a-f]{2})+$")]
    cursor: Option<String>,
    /// Entries of the page, 1 to 50; 10 when absent.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<i64>,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Matches {
    /// By the field that was searched.
    devices: Vec<DeviceSummary>,
    /// Where the search goes on; absent at its end. A page may be short, even empty, before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(find)).operation(Role::Operator, routes!(readmit))
}

/// Find devices by the beginning of a field
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/devices", tag = "History",
    params(("instance_id" = String, Path), Search), responses((status = 200, body = Matches), Errors))]
async fn find(context: InstanceContext, Query(search): Query<Search>) -> Result<Json<Matches>, ApiError> {
    let limit = paging::limit(search.limit)?;
    let prefix = search.prefix.unwrap_or_default();
    if prefix.chars().count() > PREFIX_CHARS_MAX {
        return Err(ApiError::invalid("prefix", format!("give at most {PREFIX_CHARS_MAX} characters")));
    }
    let cursor = search.cursor.filter(|cursor| !cursor.is_empty()).map(|text| {
        let refused = || ApiError::new(Code::PageOutOfRange, "cursor: give what the page before came with");
        hex::decode(text).map(Cursor::from).map_err(|_| refused())
    });
    let cursor = cursor.transpose()?;
    let field = match search.by.unwrap_or_default() {
        By::DeviceId => PrefixField::DeviceId,
        By::NodeId => PrefixField::NodeId,
        By::Name => PrefixField::Name,
    };
    let spaces = context.caller.scope.spaces.clone();
    let found = context.instance.lookup(move |instance| {
        let found = instance.view.find(&prefix, field, spaces.as_ref(), cursor.as_ref(), limit)?;
        let configuration = instance.configuration();
        let devices = found.devices.iter().map(|listed| DeviceSummary::of(instance, &configuration, &listed.device));
        Some(Matches { devices: devices.collect(), cursor: found.next.map(|next| hex::encode(next.as_bytes())) })
    });
    found.await.map(Json)
}

/// Let a deleted device register again
#[utoipa::path(post, path = "/rollcall/v1/instances/{instance_id}/devices/{device_id}/readmit", tag = "History",
    params(("instance_id" = String, Path), ("device_id" = String, Path)), responses((status = 204), Errors))]
async fn readmit(context: InstanceContext, Path((_, device_id)): Path<(String, String)>) -> Result<NoContent, ApiError> {
    let device = DeviceId::parse(&device_id).map_err(|_| device_not_found(&device_id))?;
    // A caller with a limited scope readmits only devices that were in a resource space of it.
    visible_since(&context.instance, &context.caller.scope, &device).await?;
    context.command(Command::ReadmitDevice { device }).await.map_err(|error| match error.code {
        Code::NotFound => device_not_found(&device_id),
        _ => error,
    })?;
    Ok(NoContent)
}
