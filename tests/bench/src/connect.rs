//! Server CPU for each connection of a known device, beside the floor, in alternating rounds of one run.

use std::{net::SocketAddr, process::Command, sync::Arc};

use clap::Args;
use rollcall_harness::{
    certificates::{Authority, Key},
    clients::folder,
    fleet::Instance,
    process::Process,
    up::Up,
    wait,
};
use tokio::task::JoinSet;

use crate::{
    client::{Device, DeviceMaker},
    proc::cpu_s,
};

/// How much to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Connections in each round.
    #[arg(long, default_value_t = 2000)]
    connections: usize,
    /// Known devices that connect in turn.
    #[arg(long, default_value_t = 1000)]
    devices: usize,
    /// Rounds of each server.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Connections under way at a time.
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
}

#[expect(clippy::print_stdout, reason = "figures are this program's output")]
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let data = up.folder().join("data");
    let mut floor = Command::new(std::env::current_exe()?);
    floor.arg("floor").arg("--ca").arg(&ca.pair.certificate);
    floor.arg("--certificate").arg(data.join("tls/north.crt")).arg("--key").arg(data.join("tls/north.key"));
    let floor = Process::start("floor", &mut floor, up.folder());
    let floor_address: SocketAddr = wait::until("the floor to listen", || floor.output().trim().parse());
    let maker = DeviceMaker::new(&ca.pair.certificate, &ca.pair.key, &up.server_ca())?;
    // A device has one connection at a time, so every worker has devices of its own; many, as a real instance has.
    let mut devices = Vec::with_capacity(arguments.devices);
    for n in 0..arguments.devices {
        let device = maker.device(&format!("bench-{n}"), "north.test")?;
        device.connect_once(up.address()).await?;
        devices.push(device);
    }
    let devices = Arc::new(devices);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let up_address = up.address();
    for round in 0..=arguments.rounds {
        let rollcall = cost_us(arguments, up.process().pid(), up_address, &devices).await?;
        let floor = cost_us(arguments, floor.pid(), floor_address, &devices).await?;
        // The first round warms both up.
        if round > 0 {
            println!("round {round}: rollcall {rollcall:.0} µs, floor {floor:.0} µs, ratio {:.2}", rollcall / floor);
            ours.push(rollcall);
            bare.push(floor);
        }
    }
    let (ours, bare) = (median(ours), median(bare));
    println!("server CPU per connect of a known device: {ours:.0} µs, floor {bare:.0} µs, ratio {:.2}", ours / bare);
    Ok(())
}

async fn cost_us(arguments: &Arguments, pid: u32, address: SocketAddr, devices: &Arc<Vec<Device>>) -> anyhow::Result<f64> {
    let before = cpu_s(pid)?;
    let mut workers = JoinSet::new();
    let each = arguments.connections / arguments.concurrency;
    let concurrency = arguments.concurrency;
    for worker in 0..concurrency {
        let devices = devices.clone();
        workers.spawn(async move {
            let own: Vec<_> = devices.iter().skip(worker).step_by(concurrency).collect();
            for n in 0..each {
                own[n % own.len()].connect_once(address).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let connections = (each * arguments.concurrency) as f64;
    Ok((cpu_s(pid)? - before) * 1e6 / connections)
}

/// The middle one; the figures of a benchmark are finite.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
