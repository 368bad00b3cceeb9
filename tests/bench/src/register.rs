//! First connections with registration: latency at a fixed rate beside known devices at the same rate, then the most that
//! are sustained a second with many under way.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use rollcall_harness::{
    certificates::{Authority, Key},
    clients::folder,
    fleet::Instance,
    nats::NatsServer,
    up::Up,
};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::client::{Device, DeviceMaker};

/// How much to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// On a nats-server with `sync_interval: always` instead of the embedded log.
    #[arg(long)]
    nats: bool,
    /// First connections a second of the latency part.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// Seconds of the latency part.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// First connections of the throughput part.
    #[arg(long, default_value_t = 10_000)]
    devices: usize,
    /// Under way at a time in the throughput part.
    #[arg(long, default_value_t = 256)]
    concurrency: usize,
}

#[expect(clippy::print_stdout, reason = "figures are this program's output")]
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let nats = arguments.nats.then(NatsServer::start);
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let instances = [Instance::new("north", &ca.pair.certificate)];
    let up = match &nats {
        Some(nats) => Up::on_nats(folder, &instances, nats),
        None => Up::embedded(folder, &instances),
    };
    let maker = DeviceMaker::new(&ca.pair.certificate, &ca.pair.key, &up.server_ca())?;
    let make = |prefix: &str, count: usize| {
        (0..count).map(|n| maker.device(&format!("{prefix}-{n}"), "north.test").map(Arc::new)).collect::<Result<Vec<_>, _>>()
    };
    let steady = make("steady", usize::try_from(arguments.rate * arguments.seconds)?)?;
    let storm = make("storm", arguments.devices)?;
    let log = if arguments.nats { "NATS, sync_interval always" } else { "embedded log" };
    let first = at_rate(arguments.rate, &steady, up.address()).await?;
    let known = at_rate(arguments.rate, &steady, up.address()).await?;
    println!("{log}: first connection at {}/s: p50 {:.1} ms, p99 {:.1} ms", arguments.rate, first.0, first.1);
    println!("{log}: known device at {}/s:     p50 {:.1} ms, p99 {:.1} ms", arguments.rate, known.0, known.1);
    let first = all_at_once(arguments.concurrency, &storm, up.address()).await?;
    let known = all_at_once(arguments.concurrency, &storm, up.address()).await?;
    println!("{log}: first connections sustained: {first:.0}/s; known devices {known:.0}/s; ratio {:.2}", known / first);
    Ok(())
}

/// Median and 99th percentile in ms of connections begun at a fixed rate, whatever the earlier ones do.
async fn at_rate(rate: u32, devices: &[Arc<Device>], address: SocketAddr) -> anyhow::Result<(f64, f64)> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut running = JoinSet::new();
    for device in devices {
        ticks.tick().await;
        let device = device.clone();
        running.spawn(async move {
            let begun = now();
            device.connect_once(address).await.map(|()| begun.elapsed().as_secs_f64() * 1e3)
        });
    }
    let mut taken = Vec::with_capacity(devices.len());
    while let Some(done) = running.join_next().await {
        taken.push(done??);
    }
    taken.sort_by(f64::total_cmp);
    let at = |share: usize| taken.get((taken.len() * share / 100).min(taken.len() - 1)).copied().unwrap_or(f64::NAN);
    Ok((at(50), at(99)))
}

/// Connections a second with `concurrency` under way at a time. One that is shed tries again, as a device would.
async fn all_at_once(concurrency: usize, devices: &[Arc<Device>], address: SocketAddr) -> anyhow::Result<f64> {
    let room = Arc::new(Semaphore::new(concurrency));
    let mut running = JoinSet::new();
    let begun = now();
    for device in devices {
        let (device, place) = (device.clone(), room.clone().acquire_owned().await?);
        running.spawn(async move {
            let done = device.connect_once(address).await;
            drop(place);
            done
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let rate = devices.len() as f64 / begun.elapsed().as_secs_f64();
    Ok(rate)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
