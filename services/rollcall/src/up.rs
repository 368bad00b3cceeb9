//! `rollcall up`: connector, registrar and API in one process, on the embedded log or on NATS.
//!
//! Nothing here decides or keeps anything: it opens what the services stand on, starts them, applies the fleet file, says
//! when all is ready, shows what happens, and stops it all again.

mod ready;

use std::{collections::HashMap, net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::Args;
use rollcall_api::Welcome;
use rollcall_backbone::signing::SigningKey;
use rollcall_chassis::{
    clock::{Clock as _, SystemClock},
    entropy::SystemEntropy,
    keys::PlatformCa,
    shutdown,
    telemetry::{self, TelemetryConfig},
};
use rollcall_connector::ConnectorStatus;
use rollcall_projection::fleet::FleetSnapshot;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{oneshot, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    announce::Announcement,
    demo,
    events::{self, Output},
    fleet_file::{Applier, ApplyError, Document, Outcome},
    processes::{self, Ground, open_backbone},
};

/// Name of the API's own certificate beside those of the instances. No instance has it: theirs are made of ids, and one
/// that is called so would be served this one, which is no less the platform's.
const API_CERTIFICATE: &str = "api";

/// Arguments of `rollcall up`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Data folder: log, views, keys; made if absent
    #[arg(long, value_name = "DIR", default_value = "rollcall-data", env = "ROLLCALL_DATA")]
    pub data: PathBuf,
    /// Fleet file (YAML): applied at start and at SIGHUP
    #[arg(long, value_name = "FILE", env = "ROLLCALL_FLEET")]
    pub fleet: Option<PathBuf>,
    /// Use this NATS server (2.15 or newer, JetStream on) instead of the embedded log
    #[arg(long, value_name = "URL", env = "ROLLCALL_NATS_URL")]
    pub nats: Option<String>,
    /// Where to accept MQTT over TLS; port 0: any free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8883", env = "ROLLCALL_LISTEN")]
    pub listen: SocketAddr,
    /// Where to serve the API over HTTPS; port 0: any free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8943", env = "ROLLCALL_API_LISTEN")]
    pub api: SocketAddr,
    /// How registry events are shown on standard output
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Make a demo CA and device certificate and say how to register it; the fleet file must declare $DATA/demo/ca.crt
    #[arg(long)]
    pub demo: bool,
    /// Log filter, such as `info` or `rollcall_connector=debug,warn`
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "warn,rollcall=info,rollcall_connector=info,rollcall_registrar=info,rollcall_api=info"
    )]
    pub log: String,
    /// OTLP/gRPC endpoint of an OpenTelemetry collector
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp: Option<String>,
}

/// Runs everything until SIGTERM or SIGINT.
///
/// # Errors
/// What cannot be opened, bound or read. A rejected line of the fleet file is reported and does not stop the rest.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = TelemetryConfig {
        log_filter: Some(arguments.log.clone()),
        otlp_endpoint: arguments.otlp.clone(),
        ..TelemetryConfig::default()
    };
    let telemetry = telemetry::start("rollcall", &config)?;
    let shutdown = shutdown::on_signal()?;
    let outcome = serve(&arguments, &shutdown).await;
    processes::finish(shutdown, telemetry).await;
    outcome
}

async fn serve(arguments: &Arguments, shutdown: &CancellationToken) -> anyhow::Result<()> {
    // From the start: until somebody listens, SIGHUP ends a process.
    let hangup = signal(SignalKind::hangup())?;
    std::fs::create_dir_all(&arguments.data).with_context(|| format!("cannot make {}", arguments.data.display()))?;
    let demo = if arguments.demo { Some(demo::Files::open_or_make(&arguments.data)?) } else { None };
    // A file with faults stops everything before anything is touched.
    let document = read_fleet_file(arguments)?;
    let backbone = open_backbone(arguments.nats.as_deref(), &arguments.data).await?;
    // One view for each instance serves connector, registrar and API alike.
    // Its registrar and its readers are one process: a key of this process's life will do.
    let key = Some(Arc::new(SigningKey::generate()));
    let ground = processes::stand(backbone, &processes::views(&arguments.data, true), key, shutdown)?;
    // The folder's locks are held from here on.
    Announcement::remove(&arguments.data);
    let served = serve_on(arguments, &ground, document, demo.as_ref(), hangup, shutdown).await;
    Announcement::remove(&arguments.data);
    shutdown.cancel();
    ground.store.close().await;
    served
}

/// Everything between opening what the services stand on and closing it.
async fn serve_on(
    arguments: &Arguments,
    ground: &Ground,
    document: Option<Document>,
    demo: Option<&demo::Files>,
    hangup: Signal,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let platform_ca = PlatformCa::open_or_make(&arguments.data.join("ca"), SystemClock.unix_ms())?;
    let server_ca_file = platform_ca.certificate_file().to_owned();
    let tls_folder = arguments.data.join("tls");
    // Before the connector looks for them; those of instances that come later follow the fleet.
    for declared in document.iter().flat_map(|document| &document.instances) {
        let instance = &declared.item.instance;
        platform_ca.issue_server(&tls_folder, instance.id.as_str(), &instance.access_domain)?;
    }
    platform_ca.issue_server_also_for(&tls_folder, API_CERTIFICATE, "localhost", &["127.0.0.1", "::1"])?;
    let services = TaskTracker::new();
    services.spawn(issue_server_certificates(
        platform_ca,
        arguments.data.join("tls"),
        ground.fleet.clone(),
        shutdown.clone(),
    ));
    services.spawn(events::show(ground.backbone.log.clone(), ground.fleet.clone(), arguments.output, shutdown.clone()));
    let status = watch::Sender::default();
    let mut connector = status.subscribe();
    let address = start_services(arguments, ground, status, &services, shutdown).await?;
    let mut api = start_api(arguments, ground, &services, shutdown).await?;
    let mut applier = applier(ground, shutdown);
    if let Some(document) = document {
        match applier.apply(&document).await {
            Ok(outcome) => report(&document, outcome),
            Err(ApplyError::Stopped) => return Ok(()),
            Err(error) => return Err(error).context("cannot apply the fleet file"),
        }
    }
    ready::until_served(ground, &mut connector, shutdown).await?;
    let Some(welcome) = shutdown.run_until_cancelled(&mut api.welcome).await else { return Ok(()) };
    // Nothing is told where the first administrator is there no longer.
    let described = ready::api(&api.address, &server_ca_file, welcome.ok());
    let announce = || {
        let announcement = ready::announcement(arguments, ground, address, &server_ca_file, &described, demo, shutdown)?;
        announcement.write(&arguments.data)?;
        anyhow::Ok(announcement)
    };
    ready::print(arguments.output, &announce()?, described.first_password.as_deref())?;
    reapply_on_hangup(arguments, applier, announce, hangup, shutdown).await?;
    services.close();
    services.wait().await;
    Ok(())
}

fn read_fleet_file(arguments: &Arguments) -> anyhow::Result<Option<Document>> {
    arguments.fleet.as_deref().map(|file| Document::read(file, &arguments.data)).transpose().map_err(Into::into)
}

/// Starts registrar and connector; returns the connector's bound address. Whichever ends first stops the other.
async fn start_services(
    arguments: &Arguments,
    ground: &Ground,
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
    let registrar =
        rollcall_registrar::run(rollcall_registrar::Config::default(), processes::registrar_parts(ground), shutdown.clone());
    let connector = rollcall_connector::run(config, processes::connector_parts(ground, bound, status), shutdown.clone());
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
    welcome: oneshot::Receiver<Welcome>,
}

/// Starts the API; returns once it is bound. When it ends, everything does.
async fn start_api(
    arguments: &Arguments,
    ground: &Ground,
    services: &TaskTracker,
    shutdown: &CancellationToken,
) -> anyhow::Result<StartedApi> {
    let ((bound, address), (welcoming, welcome)) = (oneshot::channel(), oneshot::channel());
    let tls_folder = arguments.data.join("tls");
    let config = rollcall_api::Config {
        listen: arguments.api,
        certificate: tls_folder.join(format!("{API_CERTIFICATE}.crt")),
        key: tls_folder.join(format!("{API_CERTIFICATE}.key")),
        tls_folder,
        master_key_file: arguments.data.join("api/master.key"),
        ..rollcall_api::Config::default()
    };
    let api = rollcall_api::run(config, processes::api_parts(ground, bound, welcoming), shutdown.clone());
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
        Ok(address) = address => Ok(StartedApi { address, welcome }),
        Ok(outcome) = ended => {
            outcome.context("the API cannot start")?;
            anyhow::bail!("stopped while starting")
        }
    }
}

/// Keeps a server certificate for every instance where the connector looks for it.
async fn issue_server_certificates(
    ca: PlatformCa,
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

pub(crate) fn applier(ground: &Ground, shutdown: &CancellationToken) -> Applier {
    Applier {
        backbone: ground.backbone.clone(),
        store: ground.store.clone(),
        fleet: ground.fleet.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        shutdown: shutdown.clone(),
        petitioners: HashMap::new(),
    }
}

#[expect(clippy::print_stderr, reason = "what an operator has to do or mend is for the person at the terminal")]
pub(crate) fn report(document: &Document, outcome: Outcome) {
    for fault in &outcome.faults {
        eprintln!("rollcall: {}:{fault}", document.file.display());
    }
    for note in &outcome.notes {
        eprintln!("rollcall: {note}");
    }
    tracing::info!(changes = outcome.changes, faults = outcome.faults.len(), "fleet file applied");
}

/// Applies the fleet file again at every SIGHUP, until shutdown. A file with faults changes nothing.
/// What was announced is written again: there may be other instances now.
async fn reapply_on_hangup(
    arguments: &Arguments,
    mut applier: Applier,
    announce: impl Fn() -> anyhow::Result<Announcement>,
    mut hangup: Signal,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    while shutdown.run_until_cancelled(hangup.recv()).await.is_some() {
        match read_fleet_file(arguments) {
            Ok(None) => tracing::warn!("SIGHUP, but there is no --fleet file to apply"),
            Ok(Some(document)) => match applier.apply(&document).await {
                Ok(outcome) => {
                    announce()?;
                    report(&document, outcome);
                }
                Err(error) => crate::cli::explain(&anyhow::Error::new(error).context("the fleet file was not applied")),
            },
            Err(error) => crate::cli::explain(&error.context("the fleet file was not applied")),
        }
    }
    Ok(())
}
