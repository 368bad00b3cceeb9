//! Resident memory of the server for each idle connection, beside an empty server in the same run.

use std::sync::Arc;

use clap::Args;
use rollcall_harness::{
    certificates::{Authority, Key},
    clients::folder,
    fleet::Instance,
    up::Up,
};

use crate::{client::DeviceMaker, proc::resident_bytes};

/// How much to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 5000)]
    connections: usize,
    /// Connected before the first reading, so that what is allocated once does not count.
    #[arg(long, default_value_t = 500)]
    warm_up: usize,
}

#[expect(clippy::print_stdout, reason = "figures are this program's output")]
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let maker = Arc::new(DeviceMaker::new(&ca.pair.certificate, &ca.pair.key, &up.server_ca())?);
    let pid = up.process().pid();
    // Registered first and let go, so that registration's own memory does not count.
    let all = arguments.warm_up + arguments.connections;
    let mut devices = Vec::with_capacity(all);
    for n in 0..all {
        let device = maker.device(&format!("idle-{n}"), "north.test")?;
        device.connect_once(up.address()).await?;
        devices.push(device);
    }
    let mut held = Vec::with_capacity(all);
    for device in &devices[..arguments.warm_up] {
        held.push(device.connect(up.address()).await?);
    }
    let before = resident_bytes(pid)?;
    for device in &devices[arguments.warm_up..] {
        held.push(device.connect(up.address()).await?);
    }
    let after = resident_bytes(pid)?;
    let each = after.saturating_sub(before) / u64::try_from(arguments.connections)?;
    println!("{} idle connections: {} kB before, {} kB after: {each} bytes each", held.len(), before / 1024, after / 1024);
    Ok(())
}
