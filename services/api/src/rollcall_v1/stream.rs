//! What happens in an instance, as it happens: events, refusals and presence over one connection.
//!
//! Each item is what the lists show (`events`, `attempts`). Invariants: a client that comes back with the marker that it had
//! last, at any process, misses no event and no refusal that is kept and gets none twice, and is told what may be missing;
//! a caller who is limited to some resource spaces hears of their devices and of nothing else.

mod beginning;
mod following;
mod marker;

use axum::{http::HeaderMap, response::Response};
use rollcall_domain::fleet::Role;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::routes;

use self::{following::Following, marker::Marker};
use super::live;
use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Query, route::Routes},
};

/// What is to be heard, and from where on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Watched {
    /// Of `event`, `refusal` and `presence` those to hear, with commas; all that the caller may hear, when absent.
    #[param(max_length = 64)]
    kinds: Option<String>,
    /// What came after this, the id of an event of this stream. What comes from now on, when absent. `Last-Event-ID` goes before it.
    #[param(pattern = "^[0-9a-fA-F]{40}$")]
    marker: Option<String>,
}

/// What can be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Event,
    Refusal,
    Presence,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Event, Self::Refusal, Self::Presence];

    const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Refusal => "refusal",
            Self::Presence => "presence",
        }
    }
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(show))
}

/// Follow what happens in an instance
///
/// Server-sent events. `opened` comes first; then an `event`, `refusal` or `presence` for each as it happens, with a marker as
/// id; a `gap` where something may have been missed; `ended` is the last and says why, and that one may come back with
/// `Last-Event-ID`.
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/stream", tag = "History",
    params(("instance_id" = String, Path), Watched),
    responses((status = 200, body = String, content_type = "text/event-stream"), Errors))]
async fn show(context: InstanceContext, Query(watched): Query<Watched>, headers: HeaderMap) -> Result<Response, ApiError> {
    let kinds = kinds(&context, watched.kinds.as_deref())?;
    let asked = live::last_event(&headers, watched.marker.as_deref()).map(Marker::read).transpose()?;
    let slot = context.api.streams.admit(&context.caller.operator)?;
    let following = Following::begin(&context, kinds, asked).await?;
    Ok(live::serve(&context, slot, following))
}

/// Refusals have no resource space, so that only callers with the whole instance hear of them.
fn kinds(context: &InstanceContext, named: Option<&str>) -> Result<Vec<Kind>, ApiError> {
    let Some(named) = named.filter(|named| !named.is_empty()) else {
        let whole = context.require_whole_instance().is_ok();
        return Ok(Kind::ALL.into_iter().filter(|kind| whole || *kind != Kind::Refusal).collect());
    };
    let mut kinds = Vec::new();
    for name in named.split(',') {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        let kind = kind.ok_or_else(|| ApiError::invalid("kinds", "give some of event, refusal, presence, with commas"))?;
        if kind == Kind::Refusal {
            context.require_whole_instance()?;
        }
        kinds.push(kind);
    }
    Ok(kinds)
}
