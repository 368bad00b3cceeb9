//! `rollcall up`: connector, registrar and API in one process, on the embedded log or on NATS.
//!
//! It opens what the services depend on, starts them, applies the fleet file, announces when all is ready, prints what
//! happens, and stops everything. It decides nothing and stores nothing of its own.

pub(crate) mod announcement;
pub(crate) mod demo;
pub mod events;
mod ready;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args;
use rollcall_api::{AccessCredentials, FirstAdministrator, command_key};
use rollcall_chassis::{
    clock::{Clock as _, SystemClock},
    entropy::SystemEntropy,
    keys::PlatformCa,
    private_files::make_data_folder,
    shutdown,
    telemetry::{self, TelemetryConfig},
};
use rollcall_connector::ConnectorStatus;
use rollcall_log::signing::{PublicKey, SigningKey};
use rollcall_projection::fleet::FleetSnapshot;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{oneshot, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use announcement::Announcement;
use events::Output;

use crate::{
    cli::{explain::explain, nats_arguments::NatsArguments},
    operator::{
        api_client::{Client, Credentials},
        fleet_file::{ApplyError, Document, FleetFileClient, FleetFileError, report},
    },
    processes::{
        self,
        backbone::{Streams, open_backbone},
        dependencies::{self, Dependencies},
        log_keys,
    },
    tools,
};

/// Name of the API's own certificate beside those of the instances. No instance has it: theirs are made of ids, and one
/// that is called so would be served this one, which is no less the platform's.
const API_CERTIFICATE: &str = "api";
/// The message when no operator can apply the fleet file.
const NO_FLEET_FILE_OPERATOR: &str = "there is no enabled operator fleet-file with an enabled access key, whom the fleet file is applied as: \
                          enable or make them (docs/guides/api.md), and start again";
/// The API's command key in the data folder.
const COMMAND_KEY: &str = "api/command.key";

/// Arguments of `rollcall up`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Data folder: log, views, keys; made if absent
    #[arg(long, value_name = "DIR", default_value = "rollcall-data", env = "ROLLCALL_DATA")]
    pub(crate) data: PathBuf,
    /// Fleet file (YAML): applied at start and at SIGHUP
    #[arg(long, value_name = "FILE", env = "ROLLCALL_FLEET")]
    pub(crate) fleet: Option<PathBuf>,
    /// Where to accept MQTT over TLS; port 0: any free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8883", env = "ROLLCALL_LISTEN")]
    pub(crate) listen: SocketAddr,
    /// Where to serve the API over HTTPS; port 0: any free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8943", env = "ROLLCALL_API_LISTEN")]
    pub(crate) api: SocketAddr,
    /// A folder with a built console, served instead of the one in the program
    #[arg(long, value_name = "DIR", env = "ROLLCALL_CONSOLE_DIR")]
    pub(crate) console_dir: Option<PathBuf>,
    /// How registry events are shown on standard output
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Output,
    /// Make a demo CA and device certificate and say how to register it; the fleet file must declare $DATA/demo/ca.crt
    #[arg(long)]
    pub(crate) demo: bool,
    /// The broker to use instead of the embedded log
    #[command(flatten)]
    pub(crate) nats: NatsArguments,
    /// Log filter, such as `info` or `rollcall_connector=debug,warn`
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "warn,rollcall=info,rollcall_connector=info,rollcall_registrar=info,rollcall_api=info"
    )]
    pub(crate) log: String,
    /// OTLP/gRPC endpoint of an OpenTelemetry collector
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub(crate) otlp: Option<String>,
}

/// Runs everything until SIGTERM or SIGINT.
///
/// # Errors
/// What cannot be opened, bound or read. A rejected line of the fleet file is reported and does not stop the rest.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = TelemetryConfig {
        log_filter: Some(arguments.log.clone()),
        otlp_endpoint: arguments.otlp.clone(),
        ..TelemetryConfig::default()
    };
    let telemetry = telemetry::start("rollcall", &config)?;
    let shutdown = shutdown::on_signal()?;
    let outcome = Box::pin(serve(&arguments, &shutdown)).await;
    processes::finish(shutdown, telemetry).await;
    outcome
}

async fn serve(arguments: &Arguments, shutdown: &CancellationToken) -> anyhow::Result<()> {
    // Before anything else: without a handler, SIGHUP ends the process.
    let hangup = signal(SignalKind::hangup())?;
    make_data_folder(&arguments.data, &processes::OWN_FOLDERS).context("cannot make the data folder")?;
    let demo = if arguments.demo { Some(demo::Files::open_or_make(&arguments.data)?) } else { None };
    let document = match read_fleet_file(arguments) {
        // The argument is wrong, not the file.
        Err(error @ FleetFileError::Read { .. }) => return Err(error.into()),
        // What is there is served all the same, and SIGHUP reads the file again.
        Err(error) => {
            explain(&anyhow::Error::new(error).context("the fleet file is not applied"));
            None
        }
        Ok(document) => document,
    };
    let backbone = open_backbone(&arguments.nats, "rollcall-up", Streams::Declare, &arguments.data).await?;
    // One view for each instance serves connector, registrar and API alike.
    let (key, keys) = log_keys::open_or_make(&arguments.data)?;
    for log in tools::log::adopt_all(&backbone.log, &key, &keys).await.context("cannot adopt the logs")? {
        tracing::info!(%log, "adopted: from now on only what is sealed counts");
    }
    let dependencies =
        dependencies::open_dependencies(backbone, &dependencies::views(&arguments.data, true, keys), shutdown)?;
    // The folder's locks are held from here on.
    Announcement::remove(&arguments.data);
    let serving = serve_on(arguments, &dependencies, Arc::new(key), document, demo.as_ref(), hangup, shutdown);
    let served = Box::pin(serving).await;
    Announcement::remove(&arguments.data);
    shutdown.cancel();
    dependencies.store.close().await;
    served
}

/// Runs the services on open dependencies; the caller closes these.
async fn serve_on(
    arguments: &Arguments,
    dependencies: &Dependencies,
    key: Arc<SigningKey>,
    document: Option<Document>,
    demo: Option<&demo::Files>,
    hangup: Signal,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let platform_ca = Arc::new(PlatformCa::open_or_make(&arguments.data.join("ca"), SystemClock.unix_ms())?);
    let server_ca_file = platform_ca.certificate_file().to_owned();
    let tls_folder = arguments.data.join("tls");
    issue_declared(&platform_ca, &tls_folder, document.as_ref());
    platform_ca.issue_server_also_for(&tls_folder, API_CERTIFICATE, "localhost", &["127.0.0.1", "::1"])?;
    let services = TaskTracker::new();
    services.spawn(issue_server_certificates(
        platform_ca.clone(),
        tls_folder.clone(),
        dependencies.fleet.clone(),
        shutdown.clone(),
    ));
    services.spawn(events::show(
        dependencies.backbone.log.clone(),
        dependencies.store.clone(),
        dependencies.fleet.clone(),
        arguments.output,
        shutdown.clone(),
    ));
    let status = watch::Sender::default();
    let mut connector = status.subscribe();
    let command_key = command_key::read_or_make(&arguments.data.join(COMMAND_KEY), &SystemEntropy)?;
    let keys = (key, command_key.public());
    let address = start_services(arguments, dependencies, keys, status, &services, shutdown).await?;
    let mut api = start_api(arguments, dependencies, &services, shutdown).await?;
    let mut fleet_file_client = None;
    if arguments.fleet.is_some() {
        fleet_file_client = connect_as_operator(&mut api, &server_ca_file, shutdown).await?;
        match (&mut fleet_file_client, document) {
            (Some(client), Some(document)) => match client.apply(&document).await {
                Ok(outcome) => report(&document, outcome),
                Err(ApplyError::Stopped) => return Ok(()),
                Err(error) => return Err(error).context("cannot apply the fleet file"),
            },
            (Some(_), None) => {}
            (None, _) if shutdown.is_cancelled() => return Ok(()),
            // What is there is served all the same: devices have not asked for the file.
            (None, _) => explain(&anyhow::anyhow!(NO_FLEET_FILE_OPERATOR)),
        }
    }
    ready::until_served(dependencies, &mut connector, shutdown).await?;
    let Some(first_administrator) = shutdown.run_until_cancelled(&mut api.first_administrator).await else { return Ok(()) };
    // An API whose first administrator has been removed sends nothing.
    let described = ready::api(arguments, &api.address, &server_ca_file, first_administrator.ok())?;
    let announce = || {
        let announcement =
            ready::announcement(arguments, dependencies, address, &server_ca_file, &described, demo, shutdown)?;
        announcement.write(&arguments.data)?;
        anyhow::Ok(announcement)
    };
    ready::print(arguments.output, &announce()?)?;
    let issue = |document: &Document| issue_declared(&platform_ca, &tls_folder, Some(document));
    reapply_on_hangup(arguments, fleet_file_client, issue, announce, hangup, shutdown).await?;
    services.close();
    services.wait().await;
    Ok(())
}

fn read_fleet_file(arguments: &Arguments) -> Result<Option<Document>, FleetFileError> {
    arguments.fleet.as_deref().map(|file| Document::read(file, &arguments.data)).transpose()
}

/// Makes the server certificates of declared instances before the connector looks for them. One that is there follows the
/// fleet, which has ruled on the access domain; the file's may be refused yet.
fn issue_declared(platform_ca: &PlatformCa, tls_folder: &Path, document: Option<&Document>) {
    for declared in document.iter().flat_map(|document| &document.instances) {
        let instance = &declared.item.instance;
        if tls_folder.join(format!("{}.crt", instance.id)).exists() {
            continue;
        }
        if let Err(error) = platform_ca.issue_server(tls_folder, instance.id.as_str(), &instance.access_domain) {
            tracing::warn!(instance = %instance.id, error = &error as &dyn std::error::Error, "no server certificate yet");
        }
    }
}

/// Starts registrar and connector; returns the connector's bound address. Whichever ends first stops the other.
async fn start_services(
    arguments: &Arguments,
    dependencies: &Dependencies,
    (key, command_key): (Arc<SigningKey>, PublicKey),
    status: watch::Sender<ConnectorStatus>,
    services: &TaskTracker,
    shutdown: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let (bound, address) = oneshot::channel();
    let config = rollcall_connector::Config {
        listen: arguments.listen,
        tls_folder: arguments.data.join("tls"),
        ..rollcall_connector::Config::default()
    };
    let registrar = rollcall_registrar::Config { command_keys: vec![command_key], ..rollcall_registrar::Config::default() };
    let registrar = rollcall_registrar::run(registrar, dependencies::registrar_parts(dependencies, key), shutdown.clone());
    let connector =
        rollcall_connector::run(config, dependencies::connector_parts(dependencies, bound, status), shutdown.clone());
    let (stopping, failed) = (shutdown.clone(), shutdown.clone());
    services.spawn(async move {
        registrar.await;
        stopping.cancel();
    });
    let (report, ended) = oneshot::channel();
    services.spawn(async move {
        let outcome = connector.await;
        failed.cancel();
        if let Err(Err(error)) = report.send(outcome) {
            tracing::error!(error = &error as &dyn std::error::Error, "the connector stopped");
        }
    });
    tokio::select! {
        Ok(address) = address => Ok(address),
        Ok(outcome) = ended => {
            outcome.context("the connector cannot start")?;
            anyhow::bail!("stopped while starting")
        }
    }
}

/// A started API: where it is, and what its first administrator needs.
struct StartedApi {
    address: SocketAddr,
    first_administrator: oneshot::Receiver<FirstAdministrator>,
    /// What the fleet file is applied with; without a file nothing is sent.
    fleet_file_credentials: oneshot::Receiver<AccessCredentials>,
}

/// Starts the API; returns once it is bound. When it ends, everything does.
async fn start_api(
    arguments: &Arguments,
    dependencies: &Dependencies,
    services: &TaskTracker,
    shutdown: &CancellationToken,
) -> anyhow::Result<StartedApi> {
    let ((bound, address), (administrator_sender, first_administrator), (credentials_sender, fleet_file_credentials)) =
        (oneshot::channel(), oneshot::channel(), oneshot::channel());
    let credentials_sender = arguments.fleet.is_some().then_some(credentials_sender);
    let tls_folder = arguments.data.join("tls");
    let config = rollcall_api::Config {
        listen: arguments.api,
        certificate: tls_folder.join(format!("{API_CERTIFICATE}.crt")),
        key: tls_folder.join(format!("{API_CERTIFICATE}.key")),
        tls_folder,
        master_key_file: arguments.data.join("api/master.key"),
        command_key_file: arguments.data.join(COMMAND_KEY),
        console_dir: arguments.console_dir.clone(),
        ..rollcall_api::Config::default()
    };
    let api = rollcall_api::run(
        config,
        dependencies::api_parts(dependencies, bound, administrator_sender, credentials_sender),
        shutdown.clone(),
    );
    let (report, ended) = oneshot::channel();
    let failed = shutdown.clone();
    services.spawn(async move {
        let outcome = api.await;
        failed.cancel();
        if let Err(Err(error)) = report.send(outcome) {
            tracing::error!(error = &error as &dyn std::error::Error, "the API stopped");
        }
    });
    tokio::select! {
        Ok(address) = address => Ok(StartedApi { address, first_administrator, fleet_file_credentials }),
        Ok(outcome) = ended => {
            outcome.context("the API cannot start")?;
            anyhow::bail!("stopped while starting")
        }
    }
}

/// Keeps a server certificate for every instance where the connector looks for it.
async fn issue_server_certificates(
    ca: Arc<PlatformCa>,
    folder: PathBuf,
    mut fleet: watch::Receiver<Arc<FleetSnapshot>>,
    shutdown: CancellationToken,
) {
    loop {
        let snapshot = fleet.borrow_and_update().clone();
        for instance in snapshot.fleet.instances.values() {
            if let Err(error) = ca.issue_server(&folder, instance.id.as_str(), &instance.access_domain) {
                tracing::error!(instance = %instance.id, error = &error as &dyn std::error::Error, "no server certificate");
            }
        }
        match shutdown.run_until_cancelled(fleet.changed()).await {
            Some(Ok(())) => {}
            Some(Err(_)) | None => return,
        }
    }
}

/// Applies the fleet file through this process's own API, as the operator that the API keeps for that; `None` if there is
/// none, or the process is stopping.
async fn connect_as_operator(
    api: &mut StartedApi,
    server_ca_file: &Path,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<FleetFileClient>> {
    let Some(Ok(credentials)) = shutdown.run_until_cancelled(&mut api.fleet_file_credentials).await else { return Ok(None) };
    let AccessCredentials { access_key: id, secret_key: secret } = credentials;
    let ip = match api.address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    // The certificate is for this name, wherever the API listens.
    let url = format!("https://localhost:{}", api.address.port());
    let client = Client::new(&url, Some(server_ca_file.to_owned()), Credentials::AccessKey { id, secret })?;
    let client = client.at(SocketAddr::new(ip, api.address.port()));
    Ok(Some(FleetFileClient { client, shutdown: shutdown.clone() }))
}

/// Applies the fleet file again at every SIGHUP, until shutdown; of a file with faults, the instances without.
/// What was announced is written again: there may be other instances now.
async fn reapply_on_hangup(
    arguments: &Arguments,
    mut client: Option<FleetFileClient>,
    issue: impl Fn(&Document),
    announce: impl Fn() -> anyhow::Result<Announcement>,
    mut hangup: Signal,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    while shutdown.run_until_cancelled(hangup.recv()).await.is_some() {
        let (document, client) = match (read_fleet_file(arguments), &mut client) {
            (Ok(None), _) => {
                tracing::warn!("SIGHUP, but there is no --fleet file to apply");
                continue;
            }
            (Ok(Some(document)), Some(client)) => (document, client),
            (Ok(Some(_)), None) => {
                explain(&anyhow::anyhow!(NO_FLEET_FILE_OPERATOR).context("the fleet file was not applied"));
                continue;
            }
            (Err(error), _) => {
                explain(&anyhow::Error::new(error).context("the fleet file was not applied"));
                continue;
            }
        };
        issue(&document);
        match client.apply(&document).await {
            Ok(outcome) => {
                announce()?;
                report(&document, outcome);
            }
            Err(error) => explain(&anyhow::Error::new(error).context("the fleet file was not applied")),
        }
    }
    Ok(())
}
