//! The broker is gone, hung or killed: who is known gets in, who is not is told to come back, and is in when it is back.

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::{PahoOptions, connack_code_3, folder, reason_string, success},
    deployment::Deployment,
    fleet::Instance,
    wait,
};

const UP: &str = "$oc/devices/truck_truck-1/sys/messages/up";

/// `away` takes the broker away, `back` brings it back.
fn known_devices_get_in_and_unknown_ones_come_back_later(away: fn(&mut Deployment), back: fn(&mut Deployment)) {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let known = ca.quick_device(deployment.folder(), "truck-1");
    let unknown = ca.quick_device(deployment.folder(), "truck-2");
    let target = deployment.target("north.test", 0);
    success(&target.mosquitto_pub(&known, UP, "before", &[])).expect("registered");

    away(&mut deployment);
    let mut live = target.paho(&known, &PahoOptions::default());
    assert_eq!(live.accepted().as_deref(), Some("truck_truck-1"));
    // Acknowledged only once it is stored, which is when the broker is back.
    live.publish(UP, "meanwhile");
    let connack = target.paho(&unknown, &PahoOptions::default()).expect("connack");
    assert_eq!(connack["code"], 0x88, "{connack}");
    let reason = reason_string(&connack);
    let unavailable = ["registration_timed_out: ", "registry_unavailable: "];
    assert!(unavailable.iter().any(|code| reason.starts_with(code)), "{reason}");
    let old = PahoOptions { version: 4, ..PahoOptions::default() };
    assert_eq!(connack_code_3(&target.paho(&unknown, &old).expect("connack")), 3);
    assert!(live.said().iter().all(|event| event["event"] != "puback"), "nothing is acknowledged that is not stored");

    back(&mut deployment);
    assert_eq!(live.expect("puback")["code"], 0);
    wait::until("the unknown device to be let in", || {
        let connack = target.paho(&unknown, &PahoOptions::default()).expect("connack");
        if connack["code"] == 0 { Ok(()) } else { Err(connack.to_string()) }
    });
    let operator = deployment.operator();
    operator.uplinks("north").expect("truck_truck-1", "meanwhile");
    let registered = operator.registrations("north");
    assert!(registered.values().all(|times| *times == 1), "{registered:?}");
    assert_eq!(registered.len(), 2);
}

#[test]
fn f14_f17_with_a_broker_that_hangs() {
    known_devices_get_in_and_unknown_ones_come_back_later(
        |deployment| deployment.nats.signal("STOP"),
        |deployment| deployment.nats.signal("CONT"),
    );
}

#[test]
fn f14_f17_with_a_broker_that_is_killed() {
    known_devices_get_in_and_unknown_ones_come_back_later(
        |deployment| deployment.nats.kill(),
        |deployment| deployment.nats.restart(),
    );
}
