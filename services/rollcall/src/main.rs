//! The `rollcall` command: parse, hand over, exit code. Everything else is in the library beside it.

use std::process::ExitCode;

use clap::Parser as _;
use rollcall::cli::{self, explain::explain};

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match cli::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            explain(&error);
            ExitCode::FAILURE
        }
    }
}
