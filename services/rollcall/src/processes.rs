//! `rollcall connector`, `rollcall registrar` and `rollcall api`: one service in one process, on NATS.

pub(crate) mod backbone;
pub(crate) mod config;
pub(crate) mod dependencies;
pub(crate) mod log_keys;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use rollcall_api::FirstAdministrator;
use rollcall_chassis::{shutdown, telemetry};
use rollcall_projection::admission::StoreConfig as Views;
use secrecy::ExposeSecret as _;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use backbone::Streams;
use config::{ApiProcess, ConnectorProcess, RegistrarProcess};
use dependencies::{api_parts, connect_dependencies, connector_parts, registrar_parts, retry_seed};

/// Runs a connector until it is told to stop.
///
/// # Errors
/// Configuration, broker, views or listener that cannot be used.
pub(crate) async fn connector(config: ConnectorProcess) -> anyhow::Result<()> {
    let telemetry = telemetry::start("rollcall-connector", &config.telemetry)?;
    let shutdown = shutdown::on_signal()?;
    let (folder, keys) = (config.data.join("views"), config.log.keys());
    if keys.is_empty() {
        tracing::warn!("registrar_keys is empty: everything that stands in a log is taken for a registrar's");
    }
    let views =
        Views { folder, cache_bytes_max: config.view_cache_bytes_max, directory: false, keys, retry_seed: retry_seed() };
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
pub(crate) async fn registrar(config: RegistrarProcess) -> anyhow::Result<()> {
    let telemetry = telemetry::start("rollcall-registrar", &config.telemetry)?;
    let shutdown = shutdown::on_signal()?;
    let (key, keys) = config.log.read()?;
    let folder = config.data.join("views");
    let views =
        Views { folder, cache_bytes_max: config.view_cache_bytes_max, directory: false, keys, retry_seed: retry_seed() };
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
pub(crate) async fn api(config: ApiProcess) -> anyhow::Result<()> {
    let telemetry = telemetry::start("rollcall-api", &config.telemetry)?;
    let shutdown = shutdown::on_signal()?;
    let (folder, keys) = (config.data.join("views"), config.log.keys());
    if keys.is_empty() {
        tracing::warn!("registrar_keys is empty: everything that stands in a log is taken for a registrar's");
    }
    let views =
        Views { folder, cache_bytes_max: config.view_cache_bytes_max, directory: true, keys, retry_seed: retry_seed() };
    let dependencies = connect_dependencies(&config.nats, "rollcall-api", Streams::Expect, views, &shutdown).await?;
    let (first_administrator, created) = oneshot::channel();
    // It ends with the API, which holds the sender; a password that was made is printed also if the process stops.
    let printing = async move {
        if let Ok(first_administrator) = created.await {
            print_first_administrator(&first_administrator);
        }
    };
    let parts = api_parts(&dependencies, announce_bound(), first_administrator, None);
    let (outcome, ()) = tokio::join!(rollcall_api::run(config.api, parts, shutdown.clone()), printing);
    dependencies.store.close().await;
    finish(shutdown, telemetry).await;
    outcome.context("the API stopped")
}

/// Prints the credentials if this process made the administrator: the password cannot be read again later.
#[expect(
    clippy::print_stdout,
    reason = "what the first administrator needs is data for the program that started the process"
)]
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

/// Prints the bound address once, on standard output: programs wait for this line.
#[expect(clippy::print_stdout, reason = "the bound address is data for the program that started the process")]
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
