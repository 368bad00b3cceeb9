//! `rollcall apply`: applies a fleet file to a deployment of separate processes, once.
//!
//! What `rollcall up --fleet` does at start and at SIGHUP, for connectors and registrars that run on NATS. Every command is
//! ruled on by a registrar of the deployment, so one must be running.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use rollcall_chassis::{
    shutdown,
    telemetry::{self, TelemetryConfig},
};

use crate::{
    fleet_file::Document,
    processes,
    processes::open_backbone,
    up::{applier, report},
};

/// Folder in the data folder for this command's own views: those of a running process are not touched.
const VIEWS: &str = "apply";

/// Arguments of `rollcall apply`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Fleet file (YAML)
    #[arg(long, value_name = "FILE", env = "ROLLCALL_FLEET")]
    pub fleet: PathBuf,
    /// The deployment's NATS server
    #[arg(long, value_name = "URL", env = "ROLLCALL_NATS_URL")]
    pub nats: String,
    /// What $DATA means in the fleet file; disposable views are kept there too
    #[arg(long, value_name = "DIR", default_value = "rollcall-data", env = "ROLLCALL_DATA")]
    pub data: PathBuf,
    /// Log filter, such as `info`
    #[arg(long, value_name = "FILTER", default_value = "warn,rollcall=info")]
    pub log: String,
}

/// Applies the file. Fails with an exit code when a command was rejected; the others have been applied.
///
/// # Errors
/// A file with faults (nothing is applied then), or a broker or registrar that does not answer.
pub async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = TelemetryConfig { log_filter: Some(arguments.log.clone()), ..TelemetryConfig::default() };
    let telemetry = telemetry::start("rollcall-apply", &config)?;
    let shutdown = shutdown::on_signal()?;
    let document = Document::read(&arguments.fleet, &arguments.data)?;
    let backbone = open_backbone(Some(&arguments.nats), &arguments.data).await?;
    let own = arguments.data.join(VIEWS);
    let views = processes::views(&own, false);
    let ground = processes::stand(backbone, &views, None, &shutdown)?;
    let outcome = applier(&ground, &shutdown).apply(&document).await.context("cannot apply the fleet file")?;
    let code = if outcome.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    report(&document, outcome);
    processes::finish(shutdown, telemetry).await;
    Ok(code)
}
