//! Connectors: the processes that devices of an instance are connected to.

use axum::Json;
use rollcall_devices::reach;
use rollcall_domain::fleet::Role;
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
    let own = context.instance.view.admission().status().borrow().clone();
    let mut connectors: Vec<ConnectorShown> = heard
        .into_iter()
        .map(|seen| ConnectorShown {
            connector: seen.connector.to_string(),
            position: seen.beat.position.0,
            lag: last.0.saturating_sub(seen.beat.position.0),
            digest: seen.beat.digest.map(hex::encode),
            age_ms: seen.beat.age_ms,
            agrees: reach::agrees(&seen.beat, &own),
            sessions: seen.beat.sessions,
            last_heartbeat: times::with_milliseconds(seen.at),
        })
        .collect();
    connectors.sort_by(|one, other| one.connector.cmp(&other.connector));
    Ok(Json(Connectors { connectors }))
}
