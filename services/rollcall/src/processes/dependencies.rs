//! What every service depends on, opened once for a process, and handed to each service as its parts.

use std::{net::SocketAddr, path::Path, sync::Arc};

use rollcall_api::{AccessCredentials, FirstAdministrator};
use rollcall_chassis::{clock::SystemClock, entropy::SystemEntropy};
use rollcall_connector::ConnectorStatus;
use rollcall_log::{Backbone, seal::SealKeys, signing::SigningKey};
use rollcall_projection::{
    admission::{Store, StoreConfig as Views},
    fleet::{self, FleetSnapshot},
    freshness::Freshness,
};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{
    backbone::{Streams, connect, retry_seed},
    config::{self, NatsTable},
};

/// The log, the views on it and the fleet, which the services of one process share.
pub(crate) struct Dependencies {
    pub(crate) backbone: Backbone,
    pub(crate) store: Store,
    pub(crate) fleet: watch::Receiver<Arc<FleetSnapshot>>,
    pub(crate) freshness: Freshness,
}

pub(super) async fn connect_dependencies(
    nats: &NatsTable,
    name: &str,
    streams: Streams,
    views: Views,
    shutdown: &CancellationToken,
) -> anyhow::Result<Dependencies> {
    open_dependencies(connect(nats, name, streams).await?, &views, shutdown)
}

/// Where a process with this data folder keeps its views, with the memory that they take by default.
pub(crate) fn views(data: &Path, directory: bool, keys: SealKeys) -> Views {
    Views { folder: data.join("views"), cache_bytes_max: config::default_cache(), directory, keys, retry_seed: retry_seed() }
}

/// Opens the views of a process and follows the fleet.
pub(crate) fn open_dependencies(
    backbone: Backbone,
    views: &Views,
    shutdown: &CancellationToken,
) -> anyhow::Result<Dependencies> {
    let store = Store::open(views)?;
    let fleet = fleet::follow(backbone.log.clone(), views.keys.clone(), views.retry_seed, shutdown.clone());
    let keys = views.keys.iter().copied().collect();
    let freshness = Freshness::start(backbone.heartbeats.clone(), keys, views.retry_seed, shutdown.clone());
    freshness.track_fleet(fleet.clone());
    Ok(Dependencies { backbone, store, fleet, freshness })
}

pub(crate) fn api_parts(
    dependencies: &Dependencies,
    bound: oneshot::Sender<SocketAddr>,
    first_administrator: oneshot::Sender<FirstAdministrator>,
    fleet_file_credentials: Option<oneshot::Sender<AccessCredentials>>,
) -> rollcall_api::Parts {
    rollcall_api::Parts {
        backbone: dependencies.backbone.clone(),
        store: dependencies.store.clone(),
        fleet: dependencies.fleet.clone(),
        freshness: dependencies.freshness.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        bound,
        first_administrator,
        fleet_file_credentials,
    }
}

pub(crate) fn connector_parts(
    dependencies: &Dependencies,
    bound: oneshot::Sender<SocketAddr>,
    status: watch::Sender<ConnectorStatus>,
) -> rollcall_connector::Parts {
    rollcall_connector::Parts {
        backbone: dependencies.backbone.clone(),
        store: dependencies.store.clone(),
        fleet: dependencies.fleet.clone(),
        freshness: dependencies.freshness.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        bound,
        status,
    }
}

pub(crate) fn registrar_parts(dependencies: &Dependencies, key: Arc<SigningKey>) -> rollcall_registrar::Parts {
    rollcall_registrar::Parts {
        backbone: dependencies.backbone.clone(),
        store: dependencies.store.clone(),
        fleet: dependencies.fleet.clone(),
        key,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    }
}
