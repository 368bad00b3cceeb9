//! The command line: what there is, and which part does it. Data on standard output, the rest on standard error.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{device, pki};

/// Rollcall registers a device the moment it first connects.
#[derive(Debug, Parser)]
#[command(name = "rollcall", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a development CA, device certificates and the verification certificate
    #[command(subcommand)]
    Pki(pki::Command),
    /// Connect as a device and say what happens at each step
    Device(Box<device::Arguments>),
    /// Print the version
    Version,
}

/// Does what the arguments say.
///
/// # Errors
/// Whatever stopped it, with its causes.
#[expect(clippy::print_stdout, reason = "data goes to standard output")]
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Pki(command) => {
            for file in pki::run(&command)? {
                println!("{}", file.display());
            }
        }
        Command::Device(arguments) => runtime()?.block_on(device::run(&arguments))?,
        Command::Version => println!("rollcall {}", env!("CARGO_PKG_VERSION")),
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Prints an error and its causes, outermost first.
#[expect(clippy::print_stderr, reason = "the one place that tells a person why the command failed")]
pub fn explain(error: &anyhow::Error) {
    eprintln!("rollcall: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}
