//! Somebody writes into a registry log who is no registrar: nothing comes of it, and it is named.

use std::process::Command;

use rollcall_domain::{ids::DeviceId, registry::Event};
use rollcall_harness::{
    certificates::{Authority, Key},
    clients::{PahoOptions, folder, success},
    deployment::Deployment,
    fleet::Instance,
    nats::UP,
    operator::Operator,
    process::rollcall,
    wait,
};

const UPLINK: &str = "$oc/devices/truck_truck-1/sys/messages/up";

#[test]
fn f37_a_forged_record_freezes_nobody_parks_nobody_and_is_named() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let api = deployment.administrator().on("north");
    let target = deployment.target("north.test", 0);
    let device = ca.quick_device(deployment.folder(), "truck-1");
    success(&target.mosquitto_pub(&device, UPLINK, "known", &[])).expect("registered");

    let forger = Operator::on_nats(&deployment.nats.login(UP));
    let frozen = Event::DeviceFrozen { device: DeviceId::parse("truck_truck-1").expect("an id") };
    let end = forger.forge("north", frozen);
    wait::until("the connector to have passed what was forged", || {
        let shown = api.get("/rollcall/v1/instances/north/connectors");
        match shown["connectors"][0]["position"].as_u64() {
            Some(reached) if reached >= end => Ok(()),
            _ => Err(shown.to_string()),
        }
    });
    assert_eq!(target.paho(&device, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));
    assert_ne!(api.get("/v5/iot/{project_id}/devices/truck_truck-1")["status"], "FROZEN");
    let events = api.get("/rollcall/v1/instances/north/events").to_string();
    assert!(events.contains("DeviceRegistered") && !events.contains("DeviceFrozen"), "{events}");

    // Registrars, connectors and the API go on where it ends.
    let other = ca.quick_device(deployment.folder(), "truck-2");
    assert_eq!(target.paho(&other, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-2"));
    api.post("/v5/iot/{project_id}/devices/truck_truck-2/freeze", &serde_json::json!({}));
    assert_eq!(api.get("/v5/iot/{project_id}/devices/truck_truck-2")["status"], "FROZEN");

    let mut verify = Command::new(rollcall());
    verify.args(["log", "verify", "--only", "north", "--registrar-key", deployment.public_registrar_key(), "--data"]);
    verify.arg(deployment.folder().join("verify"));
    deployment.nats.login("registrar").pass(&mut verify);
    let verified = verify.output().expect("started");
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(!verified.status.success(), "{said}");
    let wanted = format!("2 record(s) that no registrar has sealed, stepped over: {} (unsealed), {end} (unsealed)", end - 1);
    assert!(said.contains(&wanted), "{said}");
    deployment.registrar().assert_running();
}
