//! The command line: what there is, and which part does it. Data on standard output, the rest on standard error.

pub mod explain;
pub(crate) mod nats_arguments;

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use clap::{Parser, Subcommand};
use rollcall_chassis::private_files::restrict_umask;

use crate::{
    operator::{
        apply,
        fleet_file::{self, Document},
    },
    processes::{
        self,
        config::{AnyProcess, ApiProcess, ConnectorProcess, RegistrarProcess},
    },
    tools::{device, log, pki, view},
    up,
};

/// Rollcall registers a device the moment it first connects.
#[derive(Debug, Parser)]
#[command(name = "rollcall", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process
    Up(Box<up::Arguments>),
    /// Run one connector on NATS
    Connector(ConfigFile),
    /// Run one registrar on NATS
    Registrar(ConfigFile),
    /// Run one API on NATS
    Api(ConfigFile),
    /// Apply a fleet file through the API of a deployment, once
    Apply(Box<apply::Arguments>),
    /// Hold the views in a data folder against the log
    #[command(subcommand)]
    View(view::Command),
    /// Look whether all in the logs is the registrars', and change how that is proven
    #[command(subcommand)]
    Log(log::Command),
    /// Check a process's configuration file, or a fleet file (.yaml, .yml), without starting anything
    CheckConfig(CheckArguments),
    /// Print a process's configuration with every default filled in
    PrintConfig(ConfigFile),
    /// Make a development CA, device certificates, the verification certificate, the API's command key
    #[command(subcommand)]
    Pki(pki::PkiCommand),
    /// Connect as a device and say what happens at each step
    Device(Box<device::Arguments>),
    /// Print the version, and whether the console is in this program
    Version,
}

impl Command {
    /// Whether it keeps data that is its owner's alone.
    const fn is_service(&self) -> bool {
        matches!(self, Self::Up(_) | Self::Connector(_) | Self::Registrar(_) | Self::Api(_))
    }
}

#[derive(Debug, clap::Args)]
struct CheckArguments {
    #[command(flatten)]
    file: ConfigFile,
    /// A fleet file may name what it does not declare: the deployment has it
    #[arg(long)]
    partial: bool,
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The file
    #[arg(long, value_name = "FILE", env = "ROLLCALL_CONFIG")]
    config: PathBuf,
    /// What $DATA means in a fleet file
    #[arg(long, value_name = "DIR", default_value = "rollcall-data", env = "ROLLCALL_DATA")]
    data: PathBuf,
}

/// Does what the arguments say.
///
/// # Errors
/// Whatever stopped it, with its causes.
#[expect(clippy::print_stdout, reason = "data goes to standard output")]
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.command.is_service() {
        restrict_umask();
    }
    match arguments.command {
        Command::Up(arguments) => runtime()?.block_on(up::run(*arguments))?,
        Command::Connector(file) => {
            let config: ConnectorProcess = rollcall_chassis::config::load(&file.config)?;
            runtime()?.block_on(processes::connector(config))?;
        }
        Command::Registrar(file) => {
            let config: RegistrarProcess = rollcall_chassis::config::load(&file.config)?;
            runtime()?.block_on(processes::registrar(config))?;
        }
        Command::Api(file) => {
            let config: ApiProcess = rollcall_chassis::config::load(&file.config)?;
            runtime()?.block_on(processes::api(config))?;
        }
        Command::Apply(arguments) => return runtime()?.block_on(apply::run(&arguments)),
        Command::Log(command) => return runtime()?.block_on(log::run(&command)),
        Command::View(command) => return runtime()?.block_on(view::run(&command)),
        Command::CheckConfig(arguments) => println!("{}", check(&arguments)?),
        Command::PrintConfig(file) => print!("{}", AnyProcess::read(&file.config)?.to_toml()?),
        Command::Pki(command) => {
            for line in pki::run(&command)? {
                println!("{line}");
            }
        }
        Command::Device(arguments) => runtime()?.block_on(device::run(&arguments))?,
        Command::Version => println!("{}", version()),
    }
    Ok(ExitCode::SUCCESS)
}

fn version() -> String {
    let console = match rollcall_api::CONSOLE_IS_EMBEDDED {
        true => "in this program",
        false => "none: run deploy/build-console and build again, or give the API a console_dir",
    };
    format!("rollcall {}\nconsole: {console}", env!("CARGO_PKG_VERSION"))
}

fn check(CheckArguments { file, partial }: &CheckArguments) -> anyhow::Result<String> {
    let name = file.config.display();
    match file.config.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => {
            let document = Document::read(&file.config, &file.data)?;
            let instances = fleet_file::check(document, *partial)?;
            Ok(format!("{name}: a fleet file with {instances} instance(s), without fault"))
        }
        Some("toml") => match AnyProcess::read(&file.config)? {
            AnyProcess::Connector(_) => Ok(format!("{name}: a connector's configuration, without fault")),
            AnyProcess::Registrar(_) => Ok(format!("{name}: a registrar's configuration, without fault")),
            AnyProcess::Api(_) => Ok(format!("{name}: an API's configuration, without fault")),
        },
        _ => bail!("{name} is neither a process's configuration (.toml) nor a fleet file (.yaml, .yml)"),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
