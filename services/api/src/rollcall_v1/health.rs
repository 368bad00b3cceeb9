//! Whether this process is ready: to everybody yes or no, to operators why not.
//!
//! Invariant: without credentials nothing is told but whether requests can be served: neither version nor names.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::IntoResponse,
};
use rollcall_domain::ids::InstanceId;
use rollcall_projection::readiness::Unready;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    context::Caller,
    http::{error::ApiError, route::Routes},
    security::authenticate::authenticate_if_claimed,
    state::Api,
};

/// How the process stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`, or `unavailable` to callers without credentials. To others `starting` while something has not been read from its
    /// log once; `degraded` if something cannot be relied upon.
    #[schema(example = "ok")]
    status: &'static str,
    /// Which version runs. With credentials only.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    /// What is known of the fleet: which instances, operators and access keys there are. With credentials only.
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<FleetHealth>,
    /// Every instance that the caller may see, by id. With credentials only.
    #[serde(skip_serializing_if = "Option::is_none")]
    instances: Option<Vec<InstanceHealth>>,
}

/// How what is known of the fleet stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FleetHealth {
    /// Whether it can be relied upon.
    ready: bool,
    /// Why it cannot, for the reasons that an instance has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "stale")]
    reason: Option<&'static str>,
}

/// How one instance stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InstanceHealth {
    /// Its id.
    id: String,
    /// Whether it can be asked for and relied upon.
    ready: bool,
    /// Why it is not ready: `reading`, `stale`, `parked`, `unproven`, `unsigned`, `ended`, `diverged`, `unconfirmed`, or `log_unwritable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "stale")]
    reason: Option<&'static str>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().open(routes!(show))
}

/// Show whether the API is ready; with credentials, also why it is not
#[utoipa::path(get, path = "/rollcall/v1/health", tag = "Health", responses(
    (status = 200, body = Health, description = "Everything is ready"),
    (status = 503, body = Health, description = "Something is still being read from its log, or cannot be relied upon")))]
async fn show(State(api): State<Arc<Api>>, request: Request) -> Result<impl IntoResponse, ApiError> {
    let caller = authenticate_if_claimed(&api, &request.into_parts().0).await?;
    let fleet = of_fleet(&api);
    let instances: Vec<_> = api.fleet().fleet.instances.keys().map(|id| (id.clone(), of_instance(&api, id))).collect();
    let reasons: Vec<_> = instances.iter().map(|(_, instance)| instance.reason).chain([fleet.reason]).flatten().collect();
    let (code, status) = match (reasons.contains(&READING), reasons.is_empty()) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "degraded"),
        (false, true) => (StatusCode::OK, "ok"),
    };
    let Some(Caller { scope, .. }) = caller else {
        let status = if code == StatusCode::OK { status } else { UNAVAILABLE };
        return Ok((code, Json(Health { status, version: None, fleet: None, instances: None })));
    };
    let instances = instances.into_iter().filter(|(id, _)| scope.holds_instance(id)).map(|(_, health)| health).collect();
    let version = Some(env!("CARGO_PKG_VERSION"));
    Ok((code, Json(Health { status, version, fleet: Some(fleet), instances: Some(instances) })))
}

/// What callers without credentials are told of everything but `ok`.
const UNAVAILABLE: &str = "unavailable";

/// What is said of a log that has not been read to its end, and of an instance that is not served yet.
const READING: &str = Unready::Reading.code();
/// What is said of the fleet and of all instances while nothing can be changed.
const LOG_UNWRITABLE: &str = "log_unwritable";

/// The one place that says whether an instance is ready.
fn of_instance(api: &Api, id: &InstanceId) -> InstanceHealth {
    let unready = match api.instances.get(id) {
        None => Some(Unready::Reading),
        Some(instance) => instance.unready(),
    };
    let reason = reason(api, unready);
    InstanceHealth { id: id.to_string(), ready: reason.is_none(), reason }
}

/// The one place that says whether the fleet's log is.
fn of_fleet(api: &Api) -> FleetHealth {
    let reason = reason(api, api.fleet_unready());
    FleetHealth { ready: reason.is_none(), reason }
}

fn reason(api: &Api, unready: Option<Unready>) -> Option<&'static str> {
    let unready = unready.map(|unready| unready.code());
    unready.or_else(|| api.writable.borrow().is_some().then_some(LOG_UNWRITABLE))
}
