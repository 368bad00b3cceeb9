//! `rollcall apply`: applies a fleet file to a deployment through its API, once.
//!
//! What `rollcall up --fleet` does at start and at SIGHUP, for a deployment of separate processes. An operator applies it:
//! what they may not do is refused, and their name stands in every record.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::Args;
use rollcall_chassis::{
    secret_file, shutdown,
    telemetry::{self, TelemetryConfig},
};
use secrecy::SecretString;

use super::{
    api_client::{Client, Credentials},
    fleet_file::{Document, FleetFileClient, report},
};
use crate::processes;

/// Longest file with a secret or a password, bytes.
const SECRET_BYTES_MAX: usize = 1024;
/// Holds an access key's secret in place of a file.
const SECRET_VARIABLE: &str = "ROLLCALL_SECRET_KEY";
/// Holds a password in place of a file.
const PASSWORD_VARIABLE: &str = "ROLLCALL_PASSWORD";

/// Arguments of `rollcall apply`.
#[derive(Debug, Args)]
#[command(after_help = "Give --access-key with --secret-file, or --user with --password-file. The secret may be in the \
                        environment instead: ROLLCALL_SECRET_KEY, ROLLCALL_PASSWORD.")]
pub(crate) struct Arguments {
    /// Fleet file (YAML)
    #[arg(long, value_name = "FILE", env = "ROLLCALL_FLEET")]
    pub(crate) fleet: PathBuf,
    /// The deployment's API, such as https://api.example.com
    #[arg(long, value_name = "URL", env = "ROLLCALL_API_URL", required_unless_present = "nats")]
    pub(crate) api: Option<String>,
    /// CA certificate(s) (PEM) that the API's certificate leads to
    #[arg(long, value_name = "FILE", env = "ROLLCALL_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Id of an access key of an operator
    #[arg(long, value_name = "ID", env = "ROLLCALL_ACCESS_KEY", conflicts_with = "user")]
    pub(crate) access_key: Option<String>,
    /// File with the access key's secret; only its owner may read it
    #[arg(long, value_name = "FILE", env = "ROLLCALL_SECRET_FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Name of an operator
    #[arg(long, value_name = "NAME", env = "ROLLCALL_USER")]
    pub(crate) user: Option<String>,
    /// File with the operator's password; only its owner may read it
    #[arg(long, value_name = "FILE", env = "ROLLCALL_PASSWORD_FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Gone: a fleet file is applied through the API
    #[arg(long, value_name = "URL", hide = true)]
    pub(crate) nats: Option<String>,
    /// What $DATA means in the fleet file
    #[arg(long, value_name = "DIR", default_value = "rollcall-data", env = "ROLLCALL_DATA")]
    pub(crate) data: PathBuf,
    /// Log filter, such as `info`
    #[arg(long, value_name = "FILTER", default_value = "warn,rollcall=info")]
    pub(crate) log: String,
}

/// Applies the file. Fails with an exit code when something was refused; the rest has been applied.
///
/// # Errors
/// A file with faults (nothing is applied then), credentials that are not good, or an API or registrar that does not answer.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.nats.is_some() {
        bail!(
            "a fleet file is applied through the API, as an operator: in place of --nats give --api URL, --ca-file FILE, and \
             --access-key ID with --secret-file FILE (or --user NAME with --password-file FILE)"
        );
    }
    let config = TelemetryConfig { log_filter: Some(arguments.log.clone()), ..TelemetryConfig::default() };
    let telemetry = telemetry::start("rollcall-apply", &config)?;
    let shutdown = shutdown::on_signal()?;
    let document = Document::read(&arguments.fleet, &arguments.data)?.without_fault()?;
    let url = arguments.api.as_deref().context("give --api URL")?;
    let client = Client::new(url, arguments.ca_file.clone(), credentials(arguments)?)?;
    let mut fleet_file_client = FleetFileClient { client, shutdown: shutdown.clone() };
    let outcome = fleet_file_client.apply(&document).await.context("cannot apply the fleet file")?;
    let code = if outcome.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    report(&document, outcome);
    processes::finish(shutdown, telemetry).await;
    Ok(code)
}

fn credentials(arguments: &Arguments) -> anyhow::Result<Credentials> {
    match (&arguments.access_key, &arguments.user) {
        (Some(id), None) => {
            let secret = secret(arguments.secret_file.as_deref(), SECRET_VARIABLE, "--secret-file")?;
            Ok(Credentials::AccessKey { id: id.clone(), secret })
        }
        (None, Some(operator)) => {
            let password = secret(arguments.password_file.as_deref(), PASSWORD_VARIABLE, "--password-file")?;
            Ok(Credentials::Password { operator: operator.clone(), password })
        }
        _ => bail!("who applies it? Give --access-key ID with --secret-file FILE, or --user NAME with --password-file FILE"),
    }
}

/// From the file, else from the environment; without the white space round it.
fn secret(file: Option<&Path>, variable: &str, flag: &str) -> anyhow::Result<SecretString> {
    let Some(file) = file else {
        let found = std::env::var(variable).ok().filter(|secret| !secret.is_empty());
        return found.map(SecretString::from).with_context(|| format!("give {flag} FILE, or {variable} in the environment"));
    };
    let bytes = secret_file::read(file, SECRET_BYTES_MAX)?;
    let text = str::from_utf8(&bytes).ok().map(str::trim).filter(|text| !text.is_empty());
    text.map(|text| text.to_owned().into()).with_context(|| format!("{} holds no secret", file.display()))
}
