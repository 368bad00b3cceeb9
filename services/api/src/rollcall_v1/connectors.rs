//! Connectors: the processes that devices of an instance are connected to.

use axum::Json;
use rollcall_devices::reach;
use rollcall_domain::fleet::Role;
use rollcall_log::{presence::FleetBeat, seal::Point};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, route::Routes, times},
};

/// A connector.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectorShown {
    /// Its name, for as long as it runs.
    connector: String,
    /// How far it has read the instance's log.
    position: u64,
    /// How many records it has not read yet.
    lag: u64,
    /// The log's digest at that position, in hexadecimal; absent from a connector of version 0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// How long ago a registrar has confirmed its view, milliseconds; absent if it cannot know.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    /// Whether its view and this process's have one digest; absent while they are not at one position.
    #[serde(skip_serializing_if = "Option::is_none")]
    agrees: Option<bool>,
    /// How its view of the fleet's log stands; absent from one that does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<ConnectorFleet>,
    /// How many devices are connected to it.
    sessions: u64,
    /// When it was last heard of; RFC 3339, UTC.
    last_heartbeat: String,
}

/// How a connector's view of the fleet's log stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectorFleet {
    /// How far it has read the fleet's log.
    position: u64,
    /// The log's digest at that position, in hexadecimal.
    digest: String,
    /// How long ago a registrar has confirmed that view, milliseconds; absent if it cannot know.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    /// Whether that view and this process's have one digest; absent while they are not at one position.
    #[serde(skip_serializing_if = "Option::is_none")]
    agrees: Option<bool>,
}

impl ConnectorFleet {
    fn of(FleetBeat { position, digest, age_ms }: FleetBeat, own: Point) -> Self {
        let agrees = reach::agrees((position, digest), own);
        Self { position: position.0, digest: hex::encode(digest), age_ms, agrees }
    }
}

/// The connectors that serve an instance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Connectors {
    /// By name.
    connectors: Vec<ConnectorShown>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(list))
}

/// List the connectors that serve an instance
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/connectors", tag = "Fleet", params(("instance_id" = String, Path)),
    responses((status = 200, body = Connectors), Errors))]
async fn list(context: InstanceContext) -> Result<Json<Connectors>, ApiError> {
    let backbone = &context.instance.backbone;
    // The log's end first: a connector that reads on meanwhile is then not taken for one that lags.
    let last = backbone.log.last(&context.instance.log()).await?;
    let heard = context.instance.connectors(context.now()).await?;
    let (own, own_fleet) = (context.instance.view.admission().status().borrow().point(), context.api.fleet().point);
    let mut connectors: Vec<ConnectorShown> = heard
        .into_iter()
        .map(|seen| ConnectorShown {
            connector: seen.connector.to_string(),
            position: seen.beat.position.0,
            lag: last.0.saturating_sub(seen.beat.position.0),
            digest: seen.beat.digest.map(hex::encode),
            age_ms: seen.beat.age_ms,
            agrees: seen.beat.digest.and_then(|digest| reach::agrees((seen.beat.position, digest), own)),
            fleet: seen.beat.fleet.map(|beat| ConnectorFleet::of(beat, own_fleet)),
            sessions: seen.beat.sessions,
            last_heartbeat: times::with_milliseconds(seen.at),
        })
        .collect();
    connectors.sort_by(|one, other| one.connector.cmp(&other.connector));
    Ok(Json(Connectors { connectors }))
}
