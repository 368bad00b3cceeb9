//! Listing devices by how they stand: state, when they registered, when their certificates end, whether they were refused lately.
//!
//! The list by fields is `v5::devices::list`, the search by a prefix [`devices`](super::devices). Invariant: as in the former, a
//! device out of the caller's scope is neither listed nor counted.

mod csv;
mod filter;

use axum::Json;
use rollcall_domain::{
    fleet::Role,
    registry::{Configuration, Device},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use self::filter::{ROWS_MAX, Wanted};
use crate::{
    context::InstanceContext,
    http::{
        error::ApiError,
        errors::Errors,
        extract::Query,
        paging::{Page, PageQuery},
        route::Routes,
        times,
    },
    instances::served::ServedInstance,
    v5::devices::{list, object::DeviceSummary},
};

/// A device and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceStanding {
    #[serde(flatten)]
    summary: DeviceSummary,
    /// When it was registered, UTC.
    create_time: String,
    /// When the first of its certificates ends, UTC; absent where no certificate of it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_end: Option<String>,
    /// When it was last refused; only with `refused_since`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_at: Option<String>,
}

/// A page of devices.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DevicesStanding {
    /// Newest first. Where what is asked for is rare, a page may be short, even empty, before the end: 20000 devices are looked at
    /// for one. The list goes on as long as there is a `marker`.
    devices: Vec<DeviceStanding>,
    /// Which page it is.
    page: Page,
    /// Whether `page.count` is the least that it may be: not all that could match were looked at.
    count_is_lower_bound: bool,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(show)).merge(csv::routes())
}

/// List devices by how they stand
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/device-list", tag = "Devices",
    params(("instance_id" = String, Path), PageQuery, Wanted), responses((status = 200, body = DevicesStanding), Errors))]
async fn show(
    context: InstanceContext,
    Query(page): Query<PageQuery>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<DevicesStanding>, ApiError> {
    let part = page.wanted()?;
    let found = wanted.found(&context).await?;
    let refused = found.refused;
    let shown = move |instance: &ServedInstance, configuration: &Configuration, device: &Device| DeviceStanding {
        summary: DeviceSummary::of(instance, configuration, device),
        create_time: times::basic(device.registered_at),
        certificate_end: certificate_end(device),
        refused_at: refused.get(&device.id).copied().map(times::basic),
    };
    let (devices, page, is_whole) = list::page_within(&context, found.any_of, part, Some(ROWS_MAX), shown).await?;
    Ok(Json(DevicesStanding { devices, page, count_is_lower_bound: !(is_whole && found.is_whole) }))
}

/// When the first of its certificates ends.
fn certificate_end(device: &Device) -> Option<String> {
    device.credential.pins().filter_map(|pin| pin.not_after).min().map(times::basic)
}
