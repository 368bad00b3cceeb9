//! The main job: a device that nobody has entered connects, is registered and let in on that same connection.

use rollcall_harness::{
    certificates::{Authority, Form, Key},
    clients::{folder, success, target},
    fleet::Instance,
    nats::NatsServer,
    up::Up,
};

/// Registers one device with mosquitto_pub, and again: the second connection finds it known.
fn registers_and_is_known_ever_after(start: impl FnOnce(tempfile::TempDir, &[Instance]) -> Up) {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let up = start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let device = ca.device(up.folder(), "truck-1", "/CN=truck-1/O=Acme", Key::P256, Form::V3);
    let target = target("north.test", up.address(), &up.server_ca(), up.folder());
    for _ in 0..2 {
        let topic = "$oc/devices/truck_truck-1/sys/properties/report";
        success(&target.mosquitto_pub(&device, topic, "{}", &[])).expect("the device is let in and its message stored");
    }
    let record = up.registered("north", "truck_truck-1");
    assert_eq!(
        record["record"]["body"]["product_id"].as_str().or(record["record"]["body"]["product"].as_str()),
        Some("truck")
    );
    assert_eq!(up.records_of("north", "DeviceRegistered").len(), 1, "registered once, however often it connects");
}

#[test]
fn a_device_registers_by_connecting_on_the_embedded_log() {
    registers_and_is_known_ever_after(Up::embedded);
}

#[test]
fn a_device_registers_by_connecting_on_nats() {
    let nats = NatsServer::start();
    registers_and_is_known_ever_after(|folder, instances| Up::on_nats(folder, instances, &nats.url()));
}
