//! Many instances through the processes that a deployment runs, with the shipped accounts: a fleet file makes them, a device
//! connects for the first time on each, everything is killed, and every device is let in again.
//!
//! A hundred by default, which takes a minute on two cores. A thousand by hand, with the figures shown:
//! `ROLLCALL_INSTANCES=1000 cargo nextest run -p rollcall-acceptance --profile ci --no-capture many_instances`

use std::time::Instant;

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::{folder, success},
    deployment::Deployment,
    fleet::{self, Instance},
    storm::{Caller, Storm},
    wait,
};
use serde_json::json;

/// Streams and consumers that a cluster is advised to replicate.
const ASSETS_MAX: usize = 2000;
/// Consumers that are replicated: one for each shard of requests, and one for the fleet's.
const CONSUMERS_MAX: usize = 17;
/// What an empty instance may reserve, bytes.
const RESERVED_MAX: u64 = 100 * 1024 * 1024;

/// What a broker keeps of a fleet.
struct Assets {
    streams: usize,
    /// Those that a cluster makes as many copies of as of their streams.
    replicated_consumers: usize,
    /// Those of processes that are connected: one copy, whatever the stream has.
    other_consumers: usize,
    reserved_bytes: u64,
}

impl Assets {
    fn of(deployment: &Deployment) -> Self {
        let streams = deployment.nats.streams();
        let (mut replicated, mut other) = (0, 0);
        for stream in &streams {
            for consumer in stream["consumer_detail"].as_array().into_iter().flatten() {
                let config = &consumer["config"];
                let is_kept = config["durable_name"].is_string() || stream["config"]["retention"] != "limits";
                *(if is_kept || config["num_replicas"].as_u64() > Some(1) { &mut replicated } else { &mut other }) += 1;
            }
        }
        Self {
            streams: streams.len(),
            replicated_consumers: replicated,
            other_consumers: other,
            reserved_bytes: streams.iter().filter_map(|stream| stream["config"]["max_bytes"].as_u64()).sum(),
        }
    }
}

fn figures(deployment: &mut Deployment, what: &str, since: Instant) {
    let Assets { streams, replicated_consumers, other_consumers, reserved_bytes } = Assets::of(deployment);
    tell(&format!("{what}: {:.1} s", since.elapsed().as_secs_f64()));
    let reserved = reserved_bytes >> 20;
    tell(&format!(
        "  {streams} streams, {replicated_consumers} replicated and {other_consumers} other consumers, {reserved} MiB reserved"
    ));
    let connector = deployment.connector(0).process.usage();
    for usage in [deployment.nats.usage(), connector, deployment.registrar().usage(), deployment.api().usage()] {
        tell(&format!("  {usage}"));
    }
}

#[expect(clippy::print_stderr, reason = "figures for whoever runs this by hand")]
fn tell(figure: &str) {
    eprintln!("{figure}");
}

#[expect(clippy::disallowed_methods, reason = "figures are in real time")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn f52_many_instances_register_their_devices_and_know_them_after_everything_was_killed() {
    let count: usize =
        std::env::var("ROLLCALL_INSTANCES").map_or(100, |count| count.parse().expect("ROLLCALL_INSTANCES is a number"));
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let instances: Vec<_> =
        (0..count).map(|number| Instance::new(&format!("instance-{number}"), &ca.pair.certificate)).collect();
    let domains: Vec<_> = instances.iter().map(|instance| (&*instance.id, &*instance.access_domain)).collect();
    let mut deployment = Deployment::empty(folder, &domains);
    deployment.start_api();
    let empty = Assets::of(&deployment);

    let began = now();
    success(&deployment.apply_text(&fleet::yaml(&instances))).expect("applied");
    figures(&mut deployment, &format!("{count} instances made by a fleet file"), began);
    let made = Assets::of(&deployment);
    assert_eq!(made.streams, empty.streams + count, "an instance has one stream of its own");
    assert!(made.replicated_consumers <= CONSUMERS_MAX, "{} consumers are replicated", made.replicated_consumers);
    let reserved = made.reserved_bytes - empty.reserved_bytes;
    assert!(reserved <= RESERVED_MAX * count as u64, "{reserved} bytes are reserved for {count} instances");
    assert!(made.streams + made.replicated_consumers <= ASSETS_MAX, "{} + {}", made.streams, made.replicated_consumers);

    let began = now();
    let callers = |deployment: &Deployment, name: &str| -> Vec<Caller> {
        let caller = |(number, instance): (usize, &Instance)| {
            let name = format!("{name}-{number}");
            let pair = ca.quick_device(deployment.folder(), &name);
            Caller { target: deployment.target(&instance.access_domain, 0), name, pair }
        };
        instances.iter().enumerate().map(caller).collect()
    };
    let known = callers(&deployment, "truck");
    Storm::of(&known).all_admitted();
    figures(&mut deployment, "a first connection on each", began);

    let began = now();
    deployment.connector(0).process.kill();
    deployment.registrar().kill();
    deployment.api().kill();
    deployment.nats.kill();
    deployment.nats.restart();
    // A connector knows its devices without the others.
    deployment.restart_connector(0);
    Storm::of(&known).all_admitted();
    deployment.start_registrar();
    deployment.restart_api();
    wait::within(wait::BOUND * 4, "every instance to be ready", || {
        let health = deployment.administrator().ask("GET", "/rollcall/v1/health", None, &json!({}));
        if health.status == 200 { Ok(()) } else { Err(health.body.to_string()) }
    });
    figures(&mut deployment, "killed, started, and every known device let in", began);

    let began = now();
    Storm::of(&callers(&deployment, "lorry")).all_admitted();
    figures(&mut deployment, "another first connection on each", began);
    let after = Assets::of(&deployment);
    assert_eq!((after.streams, after.reserved_bytes), (made.streams, made.reserved_bytes));
    assert!(after.replicated_consumers <= CONSUMERS_MAX, "{} consumers are replicated", after.replicated_consumers);
    let operator = deployment.operator();
    for (number, instance) in instances.iter().enumerate() {
        let registered: Vec<_> = operator.registrations(&instance.id).into_iter().collect();
        let device = |name: &str| (Instance::device_id(&format!("{name}-{number}")), 1);
        assert_eq!(registered, [device("lorry"), device("truck")], "{}", instance.id);
    }

    let began = now();
    assert!(deployment.connector(0).process.stop().success());
    assert!(deployment.registrar().stop().success());
    assert!(deployment.api().stop().success());
    tell(&format!("stopped: {:.1} s", began.elapsed().as_secs_f64()));
}
