//! The main job: a device that nobody has entered connects, is registered and let in on that same connection, and its
//! first message arrives.

use std::path::Path;

use rollcall_harness::{
    certificates::{Authority, Form, Key, Pair},
    clients::{PahoOptions, Target, folder, success},
    fleet::Instance,
    nats::{NatsServer, UP},
    operator::Operator,
    up::Up,
};

/// Registers one device with mosquitto_pub, and again: the second connection finds it known.
fn registers_and_is_known_ever_after(start: impl FnOnce(tempfile::TempDir, &[Instance]) -> Up) {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let device = ca.device(up.folder(), "truck-1", "/CN=truck-1/O=Acme", Key::P256, Form::V3);
    let target = up.target("north.test");
    for _ in 0..2 {
        let topic = "$oc/devices/truck_truck-1/sys/properties/report";
        success(&target.mosquitto_pub(&device, topic, "{}", &[])).expect("the device is let in and its message stored");
    }
    let record = up.registered("north", "truck_truck-1");
    assert_eq!(record["record"]["body"]["profile"]["product"], "truck", "{record}");
    up.process().stop();
    up.restart();
    success(&target.mosquitto_pub(&device, "$oc/devices/truck_truck-1/sys/messages/up", "hi", &["-V", "mqttv311"]))
        .expect("known after a restart too");
    assert_eq!(up.records_of("north", "DeviceRegistered").len(), 1, "registered once, however often it connects");
}

#[test]
fn a_device_registers_by_connecting_on_the_embedded_log() {
    registers_and_is_known_ever_after(Up::embedded);
}

#[test]
fn a_device_registers_by_connecting_on_nats() {
    let nats = NatsServer::start();
    registers_and_is_known_ever_after(|folder, instances| Up::on_nats(folder, instances, &nats));
}

/// Makes a device certificate: folder, name.
type Make<'a> = Box<dyn Fn(&Path, &str) -> Pair + 'a>;

/// Every kind of certificate that the issue names, with the access domain of the instance that trusts its CA.
fn kinds<'a>(ec: &'a Authority, rsa: &'a Authority, below: &'a Authority) -> Vec<(&'static str, &'static str, Make<'a>)> {
    let openssl = |ca: &'a Authority, key, form| -> Make<'a> {
        Box::new(move |folder, name| ca.device(folder, name, &format!("/CN={name}"), key, form))
    };
    vec![
        ("v1-p256", "north.test", openssl(ec, Key::P256, Form::V1)),
        ("v1-rsa", "south.test", openssl(rsa, Key::Rsa2048, Form::V1)),
        ("v1-ed25519", "north.test", openssl(ec, Key::Ed25519, Form::V1)),
        ("v3-rsa", "north.test", openssl(ec, Key::Rsa2048, Form::V3)),
        ("v3-p384", "south.test", openssl(rsa, Key::P384, Form::V3)),
        ("v3-ed25519", "north.test", openssl(ec, Key::Ed25519, Form::V3)),
        ("rcgen", "north.test", Box::new(|folder, name| ec.quick_device(folder, name))),
        ("intermediate", "south.test", openssl(below, Key::P256, Form::V3)),
    ]
}

/// Connects a device of a kind for the first time and publishes; returns its id and what it published.
fn first_message(target: &Target, make: &Make<'_>, name: &str, options: &PahoOptions) -> (String, String) {
    let device = make(&target.folder, name);
    let mut paho = target.paho(&device, options);
    let id = Instance::device_id(name);
    let told = paho.accepted();
    assert_eq!(told, (options.version == 5).then(|| id.clone()), "MQTT 5 says the device id");
    let payload = format!("first words of {name}");
    let puback = paho.publish_acknowledged(&format!("$oc/devices/{id}/sys/messages/up"), &payload);
    assert_eq!(puback["code"], 0, "{puback}");
    paho.disconnect();
    (id, payload)
}

fn every_kind_of_certificate_registers(nats: Option<&NatsServer>) {
    let folder = folder();
    let ec = Authority::root(folder.path(), "ec-ca", Key::P256);
    let rsa = Authority::root(folder.path(), "rsa-ca", Key::Rsa2048);
    let below = rsa.intermediate(folder.path(), "below-rsa-ca", Key::P384);
    let instances = [Instance::new("north", &ec.pair.certificate), Instance::new("south", &rsa.pair.certificate)];
    let mut up = match nats {
        Some(nats) => Up::on_nats(folder, &instances, nats),
        None => Up::embedded(folder, &instances),
    };
    let mut sent = Vec::new();
    for (kind, domain, make) in kinds(&ec, &rsa, &below) {
        for (version, tls12) in [(5, false), (4, true), (5, true), (4, false)] {
            let name = format!("{kind}-{version}-{}", if tls12 { "tls12" } else { "tls13" });
            let options = PahoOptions { version, tls12, ..PahoOptions::default() };
            let (id, payload) = first_message(&up.target(domain), &make, &name, &options);
            sent.push((domain.trim_end_matches(".test"), id, payload));
        }
    }
    up.process().stop();
    let platform = match nats {
        Some(nats) => Operator::on_nats(&nats.login(UP)),
        None => Operator::embedded(&up.data()),
    };
    for instance in ["north", "south"] {
        let mut uplinks = platform.uplinks(instance);
        for (_, id, payload) in sent.iter().filter(|(at, ..)| *at == instance) {
            let arrived = uplinks.expect(id, payload);
            assert_eq!(arrived.message.topic, format!("$oc/devices/{id}/sys/messages/up"));
        }
        let registered = platform.registrations(instance);
        assert_eq!(registered.len(), sent.iter().filter(|(at, ..)| *at == instance).count());
        assert!(registered.values().all(|times| *times == 1), "{registered:?}");
    }
}

#[test]
fn every_kind_of_certificate_registers_on_the_embedded_log() {
    every_kind_of_certificate_registers(None);
}

#[test]
fn every_kind_of_certificate_registers_on_nats() {
    every_kind_of_certificate_registers(Some(&NatsServer::start()));
}

/// F13: the second and the hundredth device of a template register like the first; F11: however many connect at once, and
/// however often the same one does.
#[test]
fn f11_f13_a_crowd_of_first_connections_registers_each_device_once() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = up.target("north.test");
    let twice: Vec<_> = (0..2).map(|_| rollcall_harness::storm::Storm::start(&target, &ca, "truck", 100)).collect();
    for storm in &twice {
        assert_eq!(storm.all_admitted().len(), 100);
    }
    up.process().stop();
    let registered = Operator::embedded(&up.data()).registrations("north");
    assert_eq!(registered.len(), 100);
    assert!(registered.values().all(|times| *times == 1), "{registered:?}");
}
