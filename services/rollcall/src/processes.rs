//! `rollcall connector`, `rollcall registrar` and `rollcall api`: one service in one process, on NATS.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::Context as _;
use rollcall_api::Welcome;
use rollcall_backbone::{
    Backbone,
    embedded::{self, EmbeddedConfig},
    nats::{self, NatsConfig},
    signing::SigningKey,
};
use rollcall_chassis::{
    clock::{Clock as _, SystemClock},
    entropy::{Entropy as _, SystemEntropy},
    shutdown, telemetry,
};
use rollcall_connector::ConnectorStatus;
use rollcall_projection::{
    admission::{Store, StoreConfig as Views},
    fleet::{self, FleetSnapshot},
    freshness::Freshness,
};
use secrecy::ExposeSecret as _;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::process_config::{self, ApiProcess, ConnectorProcess, NatsTable, RegistrarProcess};

/// What every service stands on.
pub(crate) struct Ground {
    pub(crate) backbone: Backbone,
    pub(crate) store: Store,
    pub(crate) fleet: watch::Receiver<Arc<FleetSnapshot>>,
    pub(crate) freshness: Freshness,
    /// What a registrar of this process signs with; its announcements are the ones that are believed here.
    pub(crate) key: Option<Arc<SigningKey>>,
}

/// Runs a connector until it is told to stop.
///
/// # Errors
/// Configuration, broker, views or listener that cannot be used.
pub async fn connector(config: ConnectorProcess) -> anyhow::Result<()> {
    let telemetry = telemetry::start("rollcall-connector", &config.telemetry)?;
    let shutdown = shutdown::on_signal()?;
    let views = Views { folder: config.data.join("views"), cache_bytes_max: config.view_cache_bytes_max, directory: false };
    let ground = stand_on_nats(&config.nats, "rollcall-connector", views, &shutdown).await?;
    let parts = connector_parts(&ground, announce_bound(), watch::Sender::default());
    let outcome = rollcall_connector::run(config.connector, parts, shutdown.clone()).await;
    ground.store.close().await;
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
    let views = Views { folder: config.data.join("views"), cache_bytes_max: config.view_cache_bytes_max, directory: false };
    let ground = stand_on_nats(&config.nats, "rollcall-registrar", views, &shutdown).await?;
    rollcall_registrar::run(config.registrar, registrar_parts(&ground), shutdown.clone()).await;
    ground.store.close().await;
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
    let views = Views { folder: config.data.join("views"), cache_bytes_max: config.view_cache_bytes_max, directory: true };
    let ground = stand_on_nats(&config.nats, "rollcall-api", views, &shutdown).await?;
    let (welcome, welcomed) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok(welcome) = welcomed.await {
            print_welcome(&welcome);
        }
    });
    let outcome = rollcall_api::run(config.api, api_parts(&ground, announce_bound(), welcome), shutdown.clone()).await;
    ground.store.close().await;
    finish(shutdown, telemetry).await;
    outcome.context("the API stopped")
}

/// Only who has made the first administrator knows the password, and only now.
#[expect(clippy::print_stdout, reason = "what the first administrator needs is data for whoever started the process")]
fn print_welcome(welcome: &Welcome) {
    if let Some(password) = &welcome.password {
        println!("first administrator: {} with password {}", welcome.operator, password.expose_secret());
        println!("its access key: {} with secret {}", welcome.access_key, welcome.secret_key.expose_secret());
        println!("its project_id: {}", welcome.project_id);
    }
}

pub(crate) fn api_parts(
    ground: &Ground,
    bound: oneshot::Sender<SocketAddr>,
    welcome: oneshot::Sender<Welcome>,
) -> rollcall_api::Parts {
    rollcall_api::Parts {
        backbone: ground.backbone.clone(),
        store: ground.store.clone(),
        fleet: ground.fleet.clone(),
        freshness: ground.freshness.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        bound,
        welcome,
    }
}

pub(crate) fn connector_parts(
    ground: &Ground,
    bound: oneshot::Sender<SocketAddr>,
    status: watch::Sender<ConnectorStatus>,
) -> rollcall_connector::Parts {
    rollcall_connector::Parts {
        backbone: ground.backbone.clone(),
        store: ground.store.clone(),
        fleet: ground.fleet.clone(),
        freshness: ground.freshness.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        bound,
        status,
    }
}

pub(crate) fn registrar_parts(ground: &Ground) -> rollcall_registrar::Parts {
    rollcall_registrar::Parts {
        backbone: ground.backbone.clone(),
        store: ground.store.clone(),
        fleet: ground.fleet.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        key: ground.key.clone(),
    }
}

async fn stand_on_nats(nats: &NatsTable, name: &str, views: Views, shutdown: &CancellationToken) -> anyhow::Result<Ground> {
    let backbone = nats::connect(nats.to_config(name)?).await.context("cannot use the broker")?;
    stand(backbone, &views, None, shutdown)
}

/// Where a process with this data folder keeps its views, with the memory that they take by default.
pub(crate) fn views(data: &Path, directory: bool) -> Views {
    Views { folder: data.join("views"), cache_bytes_max: process_config::default_cache(), directory }
}

/// Opens the views of a process and follows the fleet.
pub(crate) fn stand(
    backbone: Backbone,
    views: &Views,
    key: Option<Arc<SigningKey>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<Ground> {
    let store = Store::open(views)?;
    let fleet = fleet::follow(backbone.log.clone(), shutdown.clone());
    let keys = key.iter().map(|key| key.public()).collect();
    let freshness = Freshness::start(backbone.heartbeats.clone(), keys, shutdown.clone());
    Ok(Ground { backbone, store, fleet, freshness, key })
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

/// On NATS, or on the embedded log in a data folder.
pub(crate) async fn open_backbone(nats_url: Option<&str>, data: &Path) -> anyhow::Result<Backbone> {
    match nats_url {
        Some(url) => nats::connect(NatsConfig::new(url))
            .await
            .with_context(|| format!("cannot use the broker at {}", without_credentials(url))),
        None => {
            let folder = data.join("log");
            let config = EmbeddedConfig::new(Arc::new(|| SystemClock.unix_ms()), Arc::new(|| SystemEntropy.uuid_v4()));
            embedded::open(&folder, config).with_context(|| format!("cannot use the embedded log in {}", folder.display()))
        }
    }
}

/// A broker's URL for people: whoever stands before the `@` stays out of it.
pub(crate) fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}
