//! Whether this process is ready, for load balancers and administrators. Served without authentication, so it says little.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use rollcall_domain::ids::InstanceId;
use rollcall_projection::readiness::Unready;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{http::route::Routes, state::Api};

/// How the process stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`; `starting` while something has not been read from its log once; `degraded` if something cannot be relied upon.
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
    /// Whether it can be asked for and relied upon.
    ready: bool,
    /// Why it is not ready: `reading`, `stale`, `parked`, `ended`, `diverged`, `unconfirmed`, or `log_unwritable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "stale")]
    reason: Option<&'static str>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().open(routes!(show))
}

/// Show whether the API is ready
#[utoipa::path(get, path = "/rollcall/v1/health", tag = "Health", responses(
    (status = 200, body = Health, description = "Everything is ready"),
    (status = 503, body = Health, description = "Something is still being read from its log, or cannot be relied upon")))]
async fn show(State(api): State<Arc<Api>>) -> impl IntoResponse {
    let fleet = api.fleet();
    let instances: Vec<InstanceHealth> = fleet.fleet.instances.keys().map(|id| of_instance(&api, id)).collect();
    let started = fleet.caught_up && instances.iter().all(|instance| instance.reason != Some(READING));
    let (code, status) = match (started, instances.iter().all(|instance| instance.ready)) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        (true, false) => (StatusCode::SERVICE_UNAVAILABLE, "degraded"),
        (true, true) => (StatusCode::OK, "ok"),
    };
    (code, Json(Health { status, version: env!("CARGO_PKG_VERSION"), instances }))
}

/// The reason of an instance that is not served yet, or whose log has not been read to its end.
const READING: &str = Unready::Reading.code();
/// The reason of every instance while no log can be written.
const LOG_UNWRITABLE: &str = "log_unwritable";

/// The one place that says whether an instance is ready.
fn of_instance(api: &Api, id: &InstanceId) -> InstanceHealth {
    let reason = match api.instances.get(id) {
        None => Some(READING),
        Some(instance) => instance.unready().map(|unready| unready.code()),
    };
    let reason = reason.or_else(|| api.writable.borrow().is_some().then_some(LOG_UNWRITABLE));
    InstanceHealth { id: id.to_string(), ready: reason.is_none(), reason }
}
