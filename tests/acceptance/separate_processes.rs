//! A registrar and a connector as processes of their own on NATS.

use rollcall_harness::{
    certificates::{Authority, Form, Key},
    clients::{PahoOptions, folder, reason_string, success},
    deployment::Deployment,
    fleet::Instance,
};

const UP: &str = "$oc/devices/truck_truck-1/sys/messages/up";

#[test]
fn a_device_registers_and_its_first_message_arrives() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let device = ca.device(deployment.folder(), "truck-1", "/CN=truck-1", Key::Rsa2048, Form::V1);
    let target = deployment.target("north.test", 0);
    success(&target.mosquitto_pub(&device, UP, "hello", &["-V", "mqttv5"])).expect("let in");
    let operator = deployment.operator();
    operator.uplinks("north").expect("truck_truck-1", "hello");
    assert_eq!(operator.registrations("north").get("truck_truck-1"), Some(&1));
}

/// F14: a registrar that is away stops nobody who is known; who is unknown is told to come back and then is in.
#[test]
fn f14_known_devices_get_in_and_unknown_ones_wait_while_the_registrar_is_stopped() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let known = ca.quick_device(deployment.folder(), "truck-1");
    let unknown = ca.quick_device(deployment.folder(), "truck-2");
    let target = deployment.target("north.test", 0);
    success(&target.mosquitto_pub(&known, UP, "first", &[])).expect("registered");

    deployment.registrar().stop();
    success(&target.mosquitto_pub(&known, UP, "second", &[])).expect("known without a registrar");
    deployment.operator().uplinks("north").expect("truck_truck-1", "second");
    // The connector knows its devices after a restart too.
    deployment.connector(0).process.kill();
    deployment.restart_connector(0);
    rollcall_harness::raw::trusted(&target, &known);
    success(&target.mosquitto_pub(&known, UP, "third", &[])).expect("known to a connector that was killed");

    let connack = target.paho(&unknown, &PahoOptions::default()).expect("connack");
    assert_eq!(connack["code"], 0x88, "{connack}");
    assert!(reason_string(&connack).starts_with("registration_timed_out: "), "{connack}");
    let old = PahoOptions { version: 4, ..PahoOptions::default() };
    let connack = target.paho(&unknown, &old).expect("connack");
    assert_eq!(rollcall_harness::clients::connack_code_3(&connack), 3, "{connack}");

    deployment.start_registrar();
    assert_eq!(target.paho(&unknown, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-2"));
    let registered = deployment.operator().registrations("north");
    assert_eq!(registered.get("truck_truck-2"), Some(&1), "its requests came to one registration");
}
