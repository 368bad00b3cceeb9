//! Whether this process can do its work, for whoever looks after it. Served to whoever asks, so it says little.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::Api;

/// How the process stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`, or `starting` while something has not caught up with its log.
    #[schema(example = "ok")]
    status: &'static str,
    /// Which version runs.
    version: &'static str,
    /// Every instance of the fleet, by id.
    instances: Vec<InstanceHealth>,
}

/// How one instance stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InstanceHealth {
    /// Its id.
    id: String,
    /// Whether it can be asked for.
    ready: bool,
}

/// Show whether the API is ready
#[utoipa::path(get, path = "/rollcall/v1/health", tag = "Health", responses(
    (status = 200, body = Health, description = "Everything is ready"),
    (status = 503, body = Health, description = "Something is still being read from its log")))]
pub(crate) async fn show(State(api): State<Arc<Api>>) -> impl IntoResponse {
    let fleet = api.fleet();
    let ready = |id| api.realms.get(id).is_some_and(|realm| realm.is_ready());
    let instances: Vec<InstanceHealth> =
        fleet.fleet.instances.keys().map(|id| InstanceHealth { id: id.to_string(), ready: ready(id) }).collect();
    let all = fleet.caught_up && instances.iter().all(|instance| instance.ready);
    let (code, status) = if all { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "starting") };
    (code, Json(Health { status, version: env!("CARGO_PKG_VERSION"), instances }))
}
