//! `rollcall connector`, `rollcall registrar` and `rollcall api`: one service in one process, on NATS.

pub mod config;
pub mod log_keys;

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::Context as _;
use rollcall_api::{AccessCredentials, FirstAdministrator};
use rollcall_backbone::{Backbone, BackboneError, seal::SealKeys, signing::SigningKey};
use rollcall_chassis::{
    clock::{Clock as _, SystemClock},
    entropy::{Entropy as _, SystemEntropy},
    shutdown, telemetry,
};
use rollcall_connector::ConnectorStatus;
use rollcall_log_embedded::EmbeddedConfig;
use rollcall_projection::{
    admission::{Store, StoreConfig as Views},
    fleet::{self, FleetSnapshot},
    freshness::Freshness,
};
use secrecy::ExposeSecret as _;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::cli::nats_arguments::NatsArguments;
use config::{ApiProcess, ConnectorProcess, NatsTable, RegistrarProcess};

/// What every service stands on.
pub(crate) struct Dependencies {
    pub(crate) backbone: Backbone,
    pub(crate) store: Store,
    pub(crate) fleet: watch::Receiver<Arc<FleetSnapshot>>,
    pub(crate) freshness: Freshness,
}

/// Runs a connector until it is told to stop.
///
/// # Errors
/// Configuration, broker, views or listener that cannot be used.
pub async fn connector(config: ConnectorProcess) -> anyhow::Result<()> {
    let telemetry = telemetry::start("rollcall-connector", &config.telemetry)?;
    let shutdown = shutdown::on_signal()?;
    let (folder, keys) = (config.data.join("views"), config.log.keys());
    if keys.is_empty() {
        tracing::warn!("registrar_keys is empty: everything that stands in a log is taken for a registrar's");
    }
    let views = Views { folder, cache_bytes_max: config.view_cache_bytes_max, directory: false, keys };
    let dependencies = connect_dependencies(&config.nats, "rollcall-connector", Streams::Expect, views, &shutdown).await?;
    let parts = connector_parts(&dependencies, announce_bound(), watch::Sender::default());
    let outcome = rollcall_connector::run(config.connector, parts, shutdown.clone()).await;
    dependencies.store.close().await;
    finish(shutdown, telemetry).await;
    outcome.context("the connector stopped")
}

/// Runs a registrar until it is told to stop.
///
/// # Errors
/// Configuration, broker or views that cannot be used.
pub async fn registrar(config: RegistrarProcess) -> anyhow::Result<()> {
    let telemetry = telemetry::start("rollcall-registrar", &config.telemetry)?;
    let shutdown = shutdown::on_signal()?;
    let (key, keys) = config.log.read()?;
    let folder = config.data.join("views");
    let views = Views { folder, cache_bytes_max: config.view_cache_bytes_max, directory: false, keys };
    let dependencies = connect_dependencies(&config.nats, "rollcall-registrar", Streams::Declare, views, &shutdown).await?;
    rollcall_registrar::run(config.registrar, registrar_parts(&dependencies, Arc::new(key)), shutdown.clone()).await;
    dependencies.store.close().await;
    finish(shutdown, telemetry).await;
    Ok(())
}

/// Runs an API until it is told to stop. What the first administrator needs is printed once, on standard output.
///
/// # Errors
/// Configuration, broker, views, certificate or listener that cannot be used.
pub async fn api(config: ApiProcess) -> anyhow::Result<()> {
    let telemetry = telemetry::start("rollcall-api", &config.telemetry)?;
    let shutdown = shutdown::on_signal()?;
    let (folder, keys) = (config.data.join("views"), config.log.keys());
    if keys.is_empty() {
        tracing::warn!("registrar_keys is empty: everything that stands in a log is taken for a registrar's");
    }
    let views = Views { folder, cache_bytes_max: config.view_cache_bytes_max, directory: true, keys };
    let dependencies = connect_dependencies(&config.nats, "rollcall-api", Streams::Expect, views, &shutdown).await?;
    let (first_administrator, created) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok(first_administrator) = created.await {
            print_first_administrator(&first_administrator);
        }
    });
    let outcome = rollcall_api::run(
        config.api,
        api_parts(&dependencies, announce_bound(), first_administrator, None),
        shutdown.clone(),
    )
    .await;
    dependencies.store.close().await;
    finish(shutdown, telemetry).await;
    outcome.context("the API stopped")
}

/// Only who has made the first administrator knows the password, and only now.
#[expect(clippy::print_stdout, reason = "what the first administrator needs is data for whoever started the process")]
fn print_first_administrator(first_administrator: &FirstAdministrator) {
    if let Some(password) = &first_administrator.password {
        println!("first administrator: {} with password {}", first_administrator.operator, password.expose_secret());
        println!(
            "its access key: {} with secret {}",
            first_administrator.access_key,
            first_administrator.secret_key.expose_secret()
        );
        println!("its project_id: {}", first_administrator.project_id);
    }
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

/// What a process does about streams that are not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// It makes them: a registrar.
    Declare,
    /// It waits for them: its account may make none.
    Expect,
}

async fn connect_dependencies(
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
    Views { folder: data.join("views"), cache_bytes_max: config::default_cache(), directory, keys }
}

/// Opens the views of a process and follows the fleet.
pub(crate) fn open_dependencies(
    backbone: Backbone,
    views: &Views,
    shutdown: &CancellationToken,
) -> anyhow::Result<Dependencies> {
    let store = Store::open(views)?;
    let fleet = fleet::follow(backbone.log.clone(), views.keys.clone(), shutdown.clone());
    let keys = views.keys.iter().copied().collect();
    let freshness = Freshness::start(backbone.heartbeats.clone(), keys, shutdown.clone());
    freshness.track_fleet(fleet.clone());
    Ok(Dependencies { backbone, store, fleet, freshness })
}

/// Prints the bound address once, on standard output: programs wait for this line.
#[expect(clippy::print_stdout, reason = "the bound address is data for whoever started the process")]
fn announce_bound() -> oneshot::Sender<SocketAddr> {
    let (bound, address) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok(address) = address.await {
            println!("listening on {address}");
        }
    });
    bound
}

pub(crate) async fn finish(shutdown: CancellationToken, telemetry: telemetry::Telemetry) {
    shutdown.cancel();
    // Flushing blocks on exporters that need this runtime: not on one of its own threads.
    if tokio::task::spawn_blocking(move || telemetry.flush()).await.is_err() {
        tracing::warn!("telemetry could not be flushed");
    }
}

/// On NATS if its arguments name a server, or on the embedded log in a data folder.
pub(crate) async fn open_backbone(
    nats: &NatsArguments,
    name: &str,
    streams: Streams,
    data: &Path,
) -> anyhow::Result<Backbone> {
    match nats.to_table() {
        Some(table) => connect(&table, name, streams).await,
        None => {
            let folder = data.join("log");
            let config = EmbeddedConfig::new(Arc::new(|| SystemClock.unix_ms()), Arc::new(|| SystemEntropy.uuid_v4()));
            rollcall_log_embedded::open(&folder, config)
                .with_context(|| format!("cannot use the embedded log in {}", folder.display()))
        }
    }
}

async fn connect(nats: &NatsTable, name: &str, streams: Streams) -> anyhow::Result<Backbone> {
    let mut config = nats.to_config(name)?;
    config.declares = streams == Streams::Declare;
    let connected = rollcall_log_nats::connect(config).await;
    connected.map_err(|error| {
        let context = match &error {
            BackboneError::StreamDiffers { .. } => {
                "the broker's streams are not as this was told: the number of copies is `replicas` in [nats], --nats-replicas and \
                 ROLLCALL_NATS_REPLICAS, the same for every process and command"
            }
            BackboneError::Unavailable { .. }
            | BackboneError::Unwritable { .. }
            | BackboneError::LimitReached { .. }
            | BackboneError::Full { .. }
            | BackboneError::Damaged { .. }
            | BackboneError::Closed => "cannot use the broker",
        };
        anyhow::Error::new(error).context(context)
    })
}
