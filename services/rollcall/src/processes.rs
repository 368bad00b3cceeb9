//! `rollcall connector`, `rollcall registrar` and `rollcall api`: one service in one process, on NATS.

pub(crate) mod backbone;
pub(crate) mod config;
pub(crate) mod dependencies;
pub(crate) mod first_sign_in;
pub(crate) mod log_keys;

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::Context as _;
use rollcall_api::FirstAdministrator;
use rollcall_chassis::{private_files::make_data_folder, shutdown, telemetry};
use rollcall_connector::ConnectorStatus;
use rollcall_projection::admission::StoreConfig as Views;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use backbone::{Streams, retry_seed};
use config::{ApiProcess, ConnectorProcess, RegistrarProcess};
use dependencies::{api_parts, connect_dependencies, connector_parts, registrar_parts};

/// What processes make in their data folders.
pub(crate) const OWN_FOLDERS: [&str; 6] = ["api", "ca", "demo", "log", "tls", "views"];

/// Runs a connector until it is told to stop.
///
/// # Errors
/// Configuration, broker, views or listener that cannot be used.
pub(crate) async fn connector(config: ConnectorProcess) -> anyhow::Result<()> {
    make_data_folder(&config.data, &OWN_FOLDERS)?;
    let telemetry = telemetry::start("rollcall-connector", &config.telemetry)?;
    let shutdown = shutdown::on_signal()?;
    let (folder, keys) = (config.data.join("views"), config.log.keys());
    if keys.is_empty() {
        tracing::warn!("registrar_keys is empty: everything that stands in a log is taken for a registrar's");
    }
    let views =
        Views { folder, cache_bytes_max: config.view_cache_bytes_max, directory: false, keys, retry_seed: retry_seed() };
    let dependencies = connect_dependencies(&config.nats, "rollcall-connector", Streams::Expect, views, &shutdown).await?;
    let status = watch::Sender::default();
    let mut accepting = status.subscribe();
    let parts =
        connector_parts(&dependencies, announce_bound(async move { accepting.wait_for(accepts).await.is_ok() }), status);
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
    make_data_folder(&config.data, &OWN_FOLDERS)?;
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

/// Runs an API until it is told to stop. Standard output says where what the first administrator needs is.
///
/// # Errors
/// Configuration, broker, views, certificate or listener that cannot be used.
pub(crate) async fn api(config: ApiProcess) -> anyhow::Result<()> {
    make_data_folder(&config.data, &OWN_FOLDERS)?;
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
    // It ends with the API, which holds the sender; a password that was made is kept also if the process stops.
    let data = config.data.clone();
    let keeping = async move {
        if let Ok(first_administrator) = created.await {
            keep_first_administrator(&data, &first_administrator);
        }
    };
    let parts = api_parts(&dependencies, announce_bound(async { true }), first_administrator, None);
    let (outcome, ()) = tokio::join!(rollcall_api::run(config.api, parts, shutdown.clone()), keeping);
    dependencies.store.close().await;
    finish(shutdown, telemetry).await;
    outcome.context("the API stopped")
}

/// Writes the credentials down if this process made the administrator: the password cannot be read again later. Only where they
/// are is printed.
#[expect(clippy::print_stdout, reason = "where the file is, is data for the program that started the process")]
fn keep_first_administrator(data: &Path, first_administrator: &FirstAdministrator) {
    match first_sign_in::write(data, first_administrator) {
        Ok(Some(file)) => {
            println!("first administrator: {}, password and access key in {}", first_administrator.operator, file.display());
        }
        Ok(None) => {}
        Err(error) => {
            let error = format!("{error:#}");
            tracing::error!(
                error,
                "the first administrator's password is lost: make room and start on an empty fleet, or sign with their access key"
            );
        }
    }
}

fn accepts(status: &ConnectorStatus) -> bool {
    status.accepting
}

/// Prints the bound address once, on standard output, when `listening` says that it is listened on: programs wait for this line.
#[expect(clippy::print_stdout, reason = "the bound address is data for the program that started the process")]
fn announce_bound(listening: impl Future<Output = bool> + Send + 'static) -> oneshot::Sender<SocketAddr> {
    let (bound, address) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok(address) = address.await
            && listening.await
        {
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
