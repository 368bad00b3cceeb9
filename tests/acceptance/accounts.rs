//! Every process with its own user of the accounts that `deploy/nats` ships: what they need works through them, and nothing that
//! they need is missing.

use std::process::{Command, Output};

use rollcall_harness::{
    certificates::{Authority, Key, Pair},
    clients::{PahoOptions, folder, success},
    deployment::Deployment,
    fleet::{self, Instance},
    nats::{NatsLogin, NatsServer, UP},
    nats_cluster::NatsCluster,
    operator::Operator,
    process::rollcall,
    raw,
    storm::Storm,
    up::Up,
    wait,
};
use serde_json::json;

/// First connections at each connector.
const DEVICES: usize = 100;

#[test]
fn f37_everything_works_through_accounts_that_reach_nothing_else() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let api = deployment.administrator().on("north");
    let second = deployment.add_serving_connector();
    let (one, other) = (deployment.target("north.test", 0), deployment.target("north.test", second));
    let storms = [Storm::start(&one, &ca, "truck", DEVICES), Storm::start(&other, &ca, "lorry", DEVICES)];
    for storm in &storms {
        storm.all_admitted();
    }
    drop(storms);
    let operator = deployment.operator();
    let registered = operator.registrations("north");
    assert_eq!(registered.len(), 2 * DEVICES);
    assert!(registered.values().all(|times| *times == 1), "{registered:?}");

    // Messages: up to the platform, down from the API, and from a device of one connector to one of the other.
    let truck = Pair::at(deployment.folder(), "truck-0");
    let lorry = Pair::at(deployment.folder(), "lorry-0");
    let mut listener = one.paho(&truck, &PahoOptions::default());
    let mut speaker = other.paho(&lorry, &PahoOptions::default());
    assert_eq!(listener.accepted().as_deref(), Some("truck_truck-0"));
    assert_eq!(speaker.accepted().as_deref(), Some("truck_lorry-0"));
    assert_eq!(listener.subscribe("shared/#")["codes"][0], 1);
    assert_eq!(speaker.publish_acknowledged("shared/topic", "from a lorry")["code"], 0);
    listener.message("from a lorry");
    assert_eq!(speaker.publish_acknowledged("$oc/devices/truck_lorry-0/sys/messages/up", "to the platform")["code"], 0);
    operator.uplinks("north").expect("truck_lorry-0", "to the platform");
    let devices = "/v5/iot/{project_id}/devices";
    let message = json!({"message": "to the device", "payload_format": "raw"});
    api.post(&format!("{devices}/truck_lorry-0/messages"), &message);
    speaker.message("to the device");

    // Presence, of devices and connectors.
    for device in ["truck_truck-0", "truck_lorry-0"] {
        wait::until(&format!("{device} to be shown online"), || {
            let shown = api.get(&format!("{devices}/{device}"));
            if shown["status"] == "ONLINE" { Ok(()) } else { Err(shown["status"].to_string()) }
        });
    }
    wait::until("both connectors to be shown", || {
        let shown = api.get("/rollcall/v1/instances/north/connectors");
        if shown["connectors"].as_array().is_some_and(|all| all.len() == 2) { Ok(()) } else { Err(shown.to_string()) }
    });

    // Registrars confirm the fleet's log, too, to the API and to connectors.
    wait::until("every process to know the fleet alike, and to have it confirmed", || {
        let is_fresh = |of: &serde_json::Value| of["age_ms"].as_u64().is_some_and(|age_ms| age_ms < 3000);
        let own = api.get("/rollcall/v1/instances");
        let shown = api.get("/rollcall/v1/instances/north/connectors");
        let alike = |connector: &serde_json::Value| connector["fleet"]["agrees"] == true && is_fresh(&connector["fleet"]);
        let all = shown["connectors"].as_array().is_some_and(|all| all.iter().all(alike));
        if all && is_fresh(&own["fleet"]) { Ok(()) } else { Err(format!("{}, {shown}", own["fleet"])) }
    });
    let health = api.get("/rollcall/v1/health");
    assert_eq!(health["fleet"], serde_json::json!({"ready": true}), "{health}");

    // A change by the API reaches the connector, and what the connector refuses then is among the attempts.
    api.post(&format!("{devices}/truck_truck-0/freeze"), &json!({}));
    listener.expect("disconnect");
    let refused = one.paho(&truck, &PahoOptions::default()).expect("connack");
    assert_eq!(refused["code"], 0x87, "{refused}");
    wait::until("the refusal to be among the attempts", || {
        let shown = api.get("/rollcall/v1/instances/north/attempts");
        let attempts = shown["attempts"].as_array().cloned().unwrap_or_default();
        let is_it = |attempt: &serde_json::Value| {
            attempt["code"] == "device_frozen" && attempt["certificate"]["subject"] == "CN=truck-0"
        };
        if attempts.iter().any(is_it) { Ok(()) } else { Err(shown.to_string()) }
    });
}

/// An operator's command with the credentials of a URL, which everybody on the machine reads in the list of processes.
#[test]
fn credentials_in_a_url_are_refused_by_every_command() {
    let folder = folder();
    let nats = NatsServer::start();
    let url = nats.url().replace("nats://", "nats://up:secret-of-up@");
    for command in [vec!["view", "verify"], vec!["up"], vec!["log", "verify"]] {
        let mut program = Command::new(rollcall());
        let done = program
            .args(&command)
            .args(["--nats", &url, "--data"])
            .arg(folder.path().join("data"))
            .output()
            .expect("started");
        let errors = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success(), "{command:?}");
        assert!(errors.contains("--nats-password-file") && !errors.contains("secret-of-up"), "{command:?}: {errors}");
    }
}

/// Three servers, three copies: who makes streams is told so, and says so where it was not.
#[test]
fn replicas_are_a_setting_of_every_command() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let cluster = NatsCluster::start();
    let (login, alone) = (cluster.login(UP), NatsLogin { replicas: 1, ..cluster.login(UP) });
    let yaml = fleet::yaml(&[Instance::new("north", &ca.pair.certificate)]);
    let mut up = Up::start_text(folder, &yaml, Some(login.clone()));
    let device = ca.quick_device(up.folder(), "truck-1");
    raw::trusted(&up.target("north.test"), &device);
    let uplink = "$oc/devices/truck_truck-1/sys/messages/up";
    success(&up.target("north.test").mosquitto_pub(&device, uplink, "hello", &[])).expect("registered");
    Operator::on_nats(&login).uplinks("north").expect("truck_truck-1", "hello");

    let data = up.data();
    let refused = |done: &Output| {
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success(), "{errors}");
        assert!(errors.contains("--nats-replicas") && errors.contains("it has 3 replicas"), "{errors}");
        assert!(errors.contains("the setting `replicas` says 1"), "{errors}");
    };

    assert!(up.process().stop().success());
    let verify = |nats: &NatsLogin| {
        let mut command = Command::new(rollcall());
        command.args(["view", "verify", "--data"]).arg(&data);
        nats.pass(&mut command);
        command.output().expect("started")
    };
    // A command that only reads takes the copies as it finds them.
    success(&verify(&alone)).expect("verified");
    let verified = verify(&login);
    success(&verified).expect("verified");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("north at position"), "{verified:?}");
    let mut command = Command::new(rollcall());
    command.args(["up", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--data"]).arg(&data);
    alone.pass(&mut command);
    refused(&command.output().expect("started"));
}
