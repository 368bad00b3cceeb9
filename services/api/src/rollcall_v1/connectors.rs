//! Connectors: the processes that devices of an instance are connected to.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{call::Call, error::ApiError, openapi::Errors, times};

/// A connector.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectorShown {
    /// Its name, for as long as it runs.
    connector: String,
    /// How far it has read the instance's log.
    position: u64,
    /// How many records it has not read yet.
    lag: u64,
    /// How many devices are connected to it.
    sessions: u64,
    /// When it was last heard of; RFC 3339, UTC.
    last_heartbeat: String,
}

/// The connectors that serve an instance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Connectors {
    /// By name.
    connectors: Vec<ConnectorShown>,
}

/// List the connectors that serve an instance
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/connectors", tag = "Fleet", params(("instance_id" = String, Path)),
    responses((status = 200, body = Connectors), Errors))]
pub(crate) async fn list(call: Call) -> Result<Json<Connectors>, ApiError> {
    let backbone = &call.realm.backbone;
    // The log's end first: a connector may read on meanwhile, and is then not behind.
    let last = backbone.log.last(&call.realm.log()).await?;
    let mut connectors: Vec<ConnectorShown> = backbone
        .presence
        .connectors(&call.realm.id)
        .await?
        .into_iter()
        .map(|seen| ConnectorShown {
            connector: seen.connector.to_string(),
            position: seen.beat.position.0,
            lag: last.0.saturating_sub(seen.beat.position.0),
            sessions: seen.beat.sessions,
            last_heartbeat: times::with_milliseconds(seen.at),
        })
        .collect();
    connectors.sort_by(|one, other| one.connector.cmp(&other.connector));
    Ok(Json(Connectors { connectors }))
}
