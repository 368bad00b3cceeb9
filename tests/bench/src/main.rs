//! Measures what users of Rollcall would ask about, each beside something else in the same run, reported as a ratio.
//!
//! Not a test: nothing is asserted, because machines are shared and noisy. Build with `--release` and read the ratios.
//! [`connect`]: server CPU for each connection of a known device, beside a bare TLS acceptor. [`register`]: first
//! connections, latency and rate. [`idle`]: memory for each idle connection. [`rebuild`]: a view of many devices from zero.
//! [`directory`]: what people look up among many devices.

mod client;
mod connect;
mod directory;
mod floor;
mod idle;
mod proc;
mod rebuild;
mod register;

use clap::Parser;

/// What to measure.
#[derive(Parser)]
enum Measure {
    /// Server CPU µs per connection of a known device, beside a bare tokio-rustls acceptor that answers CONNACK
    Connect(connect::Arguments),
    /// First connections with registration: latency at a fixed rate, and the most sustained a second
    Register(register::Arguments),
    /// Memory per idle connection
    Idle(idle::Arguments),
    /// Time to rebuild the view of many devices
    Rebuild(rebuild::Arguments),
    /// Pages, searches and counts among many devices, beside a pass over all rows
    Directory(directory::Arguments),
    /// The bare acceptor that `connect` compares with; started by it
    #[command(hide = true)]
    Floor(floor::Arguments),
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match Measure::parse() {
            Measure::Connect(arguments) => connect::run(&arguments).await,
            Measure::Register(arguments) => register::run(&arguments).await,
            Measure::Idle(arguments) => idle::run(&arguments).await,
            Measure::Rebuild(arguments) => rebuild::run(&arguments).await,
            Measure::Directory(arguments) => directory::run(&arguments).await,
            Measure::Floor(arguments) => floor::run(&arguments).await,
        }
    })
}
