//! SIGKILL of each process under a storm of first connections: whoever was told CONNACK 0 is in the log, exactly once, and
//! all views agree with the log.

use std::{collections::BTreeMap, path::Path, process::Command};

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::folder,
    deployment::Deployment,
    fleet::Instance,
    nats::{NatsLogin, NatsServer, UP},
    operator::Operator,
    process::{rollcall, run},
    storm::Storm,
    up::Up,
};

/// Devices that connect for the first time.
const DEVICES: usize = 1500;
/// How many are in when the process is killed, each time.
const KILLED_AT: [usize; 2] = [50, 250];

fn expect_each_once(registered: &BTreeMap<String, usize>, storm: &Storm) {
    let ids: Vec<_> = storm.all_admitted().iter().map(|name| Instance::device_id(name)).collect();
    let twice: Vec<_> = registered.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "registered more than once: {twice:?}");
    let missing: Vec<_> = ids.iter().filter(|id| !registered.contains_key(*id)).collect();
    assert!(missing.is_empty(), "let in and not in the log: {missing:?}");
    assert_eq!(registered.len(), DEVICES);
}

/// What `rollcall view verify` says of the views in a data folder whose process has ended: fails if one differs.
fn verified(data: &Path, nats: Option<&NatsLogin>, registrar_key: Option<&str>) -> String {
    let mut command = Command::new(rollcall());
    command.args(["view", "verify", "--data"]).arg(data);
    if let Some(key) = registrar_key {
        command.args(["--registrar-key", key]);
    }
    if let Some(nats) = nats {
        nats.pass(&mut command);
    }
    run(&mut command)
}

fn kill_up(mut up: Up, ca: &Authority, read: impl FnOnce(&Up) -> Operator, nats: Option<&NatsLogin>) {
    let storm = Storm::start(&up.target("north.test"), ca, "truck", DEVICES);
    for admitted in KILLED_AT {
        storm.admitted(admitted);
        up.process().kill();
        assert!(storm.so_far().len() < DEVICES, "it was killed in the midst of the storm");
        up.restart();
    }
    storm.all_admitted();
    // Its views must hold against the log after a kill, not only after a clean end.
    up.process().kill();
    let said = verified(&up.data(), nats, None);
    assert!(said.contains("north"), "{said}");
    expect_each_once(&read(&up).registrations("north"), &storm);
}

#[test]
fn f11_f12_f15_up_is_killed_on_the_embedded_log() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    kill_up(up, &ca, |up| Operator::embedded(&up.data()), None);
}

#[test]
fn f11_f12_f15_up_is_killed_on_nats() {
    let nats = NatsServer::start();
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let up = Up::on_nats(folder, &[Instance::new("north", &ca.pair.certificate)], &nats);
    kill_up(up, &ca, |_| Operator::on_nats(&nats.login(UP)), Some(&nats.login(UP)));
}

fn kill_a_part(kill: fn(&mut Deployment), restart: fn(&mut Deployment)) {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let storm = Storm::start(&deployment.target("north.test", 0), &ca, "truck", DEVICES);
    for admitted in KILLED_AT {
        storm.admitted(admitted);
        kill(&mut deployment);
        assert!(storm.so_far().len() < DEVICES, "it was killed in the midst of the storm");
        restart(&mut deployment);
    }
    storm.all_admitted();
    deployment.registrar().kill();
    deployment.connector(0).process.kill();
    let key = Some(deployment.public_registrar_key());
    let registrar = verified(&deployment.registrar_data(), Some(&deployment.nats.login("registrar")), key);
    let connector = verified(&deployment.connector_data(0), Some(&deployment.nats.login("connector-0")), key);
    assert_eq!(registrar, connector, "two views at one position have one digest");
    expect_each_once(&deployment.operator().registrations("north"), &storm);
}

#[test]
fn f11_f15_the_registrar_is_killed() {
    kill_a_part(|deployment| deployment.registrar().kill(), Deployment::start_registrar);
}

#[test]
fn f12_the_connector_is_killed() {
    kill_a_part(|deployment| deployment.connector(0).process.kill(), |deployment| deployment.restart_connector(0));
}

#[test]
fn f15_f16_the_broker_is_killed() {
    kill_a_part(|deployment| deployment.nats.kill(), |deployment| deployment.nats.restart());
}
