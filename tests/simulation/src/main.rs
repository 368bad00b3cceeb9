//! `cargo run -p simulation -- --seeds N [--seed S] [--sessions | --wills]`: runs seeds by hand, and shows what happened in a single one.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser;
use simulation::Run;

/// Runs simulated histories of Rollcall, each from a seed, and checks what must hold of them.
#[derive(Parser)]
struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Steps in each history
    #[arg(long, default_value_t = simulation::STEPS)]
    steps: usize,
    /// Histories of kept sessions, instead of those of rights
    #[arg(long)]
    sessions: bool,
    /// Histories of wills, instead of those of rights
    #[arg(long, conflicts_with = "sessions")]
    wills: bool,
}

fn main() -> ExitCode {
    let Arguments { seeds, seed, steps, sessions, wills } = Arguments::parse();
    let run: Run = match (sessions, wills) {
        (true, _) => simulation::run_sessions,
        (_, true) => simulation::run_wills,
        _ => simulation::run,
    };
    let mut out = io::stdout().lock();
    let failed = if seeds == 1 {
        match run(seed, steps) {
            Ok(trace) => {
                // A reader that went away has seen enough.
                let _ = writeln!(out, "{}", trace.join("\n"));
                Vec::new()
            }
            Err(failure) => vec![*failure],
        }
    } else {
        simulation::run_seeds(run, seed..seed.saturating_add(seeds), steps)
    };
    for failure in &failed {
        let _ = writeln!(out, "{failure}");
    }
    if failed.is_empty() {
        let _ = writeln!(out, "{seeds} seeds from {seed}, {steps} steps each: every property holds");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
