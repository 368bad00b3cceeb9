//! What has happened, from the log: to one device, also to a deleted one, and to a whole instance.
//!
//! Why a device was refused is no event (`attempts`). Invariants: a record is shown as it is stored, except that certificates are
//! named and not sent; a caller with a limited scope sees of a device what [`history`](super::history) allows.

mod shown;

use axum::{Json, extract::Path};
use futures_util::{StreamExt as _, TryStreamExt as _};
use rollcall_domain::{
    fleet::Role,
    ids::{DeviceId, Position},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

pub(super) use self::shown::EventShown;
use super::history::visible_since;
use crate::{
    context::{InstanceContext, device_not_found},
    http::{error::ApiError, errors::Errors, extract::Query, paging, route::Routes},
    instances::records::{self, StoredRecord},
};

/// Records that are read at a time for one answer.
const READING_MAX: usize = 8;
/// Records read in one step backwards.
const STEP_RECORDS: u64 = 200;
/// Records read for one answer where a type is filtered by.
const LOOKED_AT_MAX: u64 = 10_000;

/// Which part of the history.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// Only what was before this position: `next` of the page before.
    #[param(minimum = 0)]
    before: Option<u64>,
    /// Entries of the page, 1 to 50; 10 when absent.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<i64>,
}

/// Which kind of event.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Kind {
    /// Only events of this type, such as `DeviceRegistered`.
    #[param(rename = "type", max_length = 64)]
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Part of a history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Events {
    /// Newest first.
    events: Vec<EventShown>,
    /// Give it as `before` for what was earlier; absent at the beginning. A page may be short, even empty, before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(of_device)).operation(Role::Viewer, routes!(of_instance))
}

/// Show what has happened to a device
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/devices/{device_id}/events", tag = "History",
    params(("instance_id" = String, Path), ("device_id" = String, Path), Part),
    responses((status = 200, body = Events), Errors))]
async fn of_device(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
    Query(part): Query<Part>,
) -> Result<Json<Events>, ApiError> {
    let limit = paging::limit(part.limit)?;
    let device = DeviceId::parse(&device_id).map_err(|_| device_not_found(&device_id))?;
    let from = visible_since(&context.instance, &context.caller.scope, &device).await?;
    let before = part.before.map(Position);
    // One more than wanted tells whether there is more.
    let positions = context.instance.lookup(move |instance| instance.view.history(&device, before, limit + 1)).await?;
    let mut positions: Vec<Position> = positions.into_iter().filter(|position| *position >= from).collect();
    let more = positions.len() > limit;
    positions.truncate(limit);
    let next = positions.last().filter(|_| more).map(|last| last.0);
    let reading = futures_util::stream::iter(positions).map(|position| records::at(&context.instance, position));
    let found: Vec<Option<StoredRecord>> = reading.buffered(READING_MAX).try_collect().await?;
    Ok(Json(Events { events: found.iter().flatten().map(EventShown::from).collect(), next }))
}

/// Show what has happened to an instance
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/events", tag = "History",
    params(("instance_id" = String, Path), Part, Kind), responses((status = 200, body = Events), Errors))]
async fn of_instance(
    context: InstanceContext,
    Query(part): Query<Part>,
    Query(Kind { kind }): Query<Kind>,
) -> Result<Json<Events>, ApiError> {
    context.require_whole_instance()?;
    let limit = paging::limit(part.limit)?;
    let kind = kind.filter(|kind| !kind.is_empty());
    let reached = context.instance.view.admission().status().borrow().position;
    let newest = part.before.map_or(reached.0, |before| before.saturating_sub(1)).min(reached.0);
    let (mut events, mut end) = (Vec::new(), newest);
    while end > 0 && events.len() < limit && newest - end < LOOKED_AT_MAX {
        let missing = (limit - events.len()) as u64;
        let after = end.saturating_sub(if kind.is_some() { STEP_RECORDS } else { missing });
        let step = records::between(&context.instance, Position(after), Position(end)).await?;
        for stored in step.iter().rev() {
            let event = EventShown::from(stored);
            if kind.as_ref().is_none_or(|kind| *kind == event.kind) {
                events.push(event);
            }
            end = stored.position.0.saturating_sub(1);
            if events.len() == limit {
                break;
            }
        }
        if events.len() < limit {
            end = after;
        }
    }
    let next = (end > 0).then_some(end + 1);
    Ok(Json(Events { events, next }))
}
