//! Messages: up to the platform, down without a SUBSCRIBE, between devices, across two connectors; who wins when a device
//! connects twice; how a connector says goodbye.

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::{PahoOptions, folder, reason_string, success},
    deployment::Deployment,
    fleet::Instance,
    nats::{NatsServer, UP},
    operator::Operator,
    raw::{Raw, Tls},
    up::Up,
    wait,
    wire::{self, Connect, V5, V311},
};

#[test]
fn downlinks_arrive_without_subscribe_and_uplinks_keep_their_order() {
    let nats = NatsServer::start();
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let up = Up::on_nats(folder, &[Instance::new("north", &ca.pair.certificate)], &nats);
    let device = ca.quick_device(up.folder(), "truck-1");
    let operator = Operator::on_nats(&nats.login(UP));
    let down = |topic: &str, payload: &str| {
        operator.send_down("north", "truck_truck-1", &format!("$oc/devices/truck_truck-1/sys/{topic}"), payload);
    };
    for version in [4, 5] {
        let mut paho = up.target("north.test").paho(&device, &PahoOptions { version, ..PahoOptions::default() });
        paho.accepted();
        let topics = ["messages/down", "commands/request_id=7", "properties/set/request_id=8", "events/down"];
        for topic in topics {
            down(topic, &format!("{topic} {version}"));
        }
        for topic in topics {
            let message = paho.message(&format!("{topic} {version}"));
            assert_eq!(message["topic"], format!("$oc/devices/truck_truck-1/sys/{topic}"));
            assert_eq!(message["qos"], 0, "nothing was subscribed, so QoS 0");
        }
        for number in 0..20 {
            paho.publish("$oc/devices/truck_truck-1/sys/properties/report", &format!("{version}-{number}"));
        }
        wait::until("20 acknowledgements", || {
            let acknowledged = paho.said().iter().filter(|event| event["event"] == "puback").count();
            if acknowledged == 20 { Ok(()) } else { Err(acknowledged.to_string()) }
        });
        let mut uplinks = operator.uplinks("north");
        uplinks.expect("truck_truck-1", &format!("{version}-19"));
        let sent: Vec<_> =
            uplinks.seen().iter().map(|stored| String::from_utf8_lossy(&stored.message.payload).into_owned()).collect();
        let expected: Vec<_> = (0..20).map(|number| format!("{version}-{number}")).collect();
        let ours: Vec<_> = sent.into_iter().filter(|payload| payload.starts_with(&format!("{version}-"))).collect();
        assert_eq!(ours, expected);
        paho.disconnect();
    }
}

#[test]
fn mosquitto_sub_hears_what_mosquitto_pub_says() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = up.target("north.test");
    let (listener, speaker) = (ca.quick_device(up.folder(), "listener"), ca.quick_device(up.folder(), "speaker"));
    for version in ["mqttv311", "mqttv5"] {
        let filter = format!("{version}/+/state");
        let mut sub = target.mosquitto_sub(&listener, &["-V", version, "-t", &filter, "-C", "1"]);
        let said = format!("from {version}");
        // It writes nothing before its end, so whether it has subscribed shows only when it hears something.
        let status = wait::until("mosquitto_sub to hear something", || {
            success(&target.mosquitto_pub(&speaker, &format!("{version}/7/state"), &said, &["-V", version]))
                .expect("stored");
            sub.ended().ok_or_else(|| sub.errors())
        });
        assert!(status.success() && sub.output().lines().any(|line| line == said), "{}", sub.output());
    }
}

#[test]
fn devices_talk_to_each_other_across_two_connectors_and_the_newer_connection_wins() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let second = deployment.add_serving_connector();
    let (here, there) = (deployment.target("north.test", 0), deployment.target("north.test", second));
    let (one, two) = (ca.quick_device(deployment.folder(), "one"), ca.quick_device(deployment.folder(), "two"));
    let mut sender = here.paho(&one, &PahoOptions::default());
    let mut same = here.paho(&two, &PahoOptions { version: 4, ..PahoOptions::default() });
    sender.accepted();
    same.accepted();
    assert_eq!(same.subscribe("yard/+/state")["codes"][0], 1);
    sender.publish_acknowledged("yard/7/state", "same connector");
    assert_eq!(same.message("same connector")["qos"], 1);

    // Known to the second connector although it registered at the first; the session at the first is closed.
    let mut other = there.paho(&two, &PahoOptions::default());
    assert_eq!(other.accepted().as_deref(), Some("truck_two"));
    same.expect("disconnect");
    assert_eq!(other.subscribe("yard/#")["codes"][0], 1);
    sender.publish_acknowledged("yard/8/state", "other connector");
    assert_eq!(other.message("other connector")["topic"], "yard/8/state");
    assert!(same.said().iter().all(|event| event["payload"] != "other connector"));
    // And back: now MQTT 5 hears why.
    let back = here.paho(&two, &PahoOptions::default());
    back.accepted();
    let goodbye = other.expect("disconnect");
    assert_eq!(goodbye["code"], 0x8e, "{goodbye}");
    assert!(reason_string(&goodbye).starts_with("taken_over: "), "{goodbye}");
    deployment.operator().send_down("north", "truck_two", "$oc/devices/truck_two/sys/messages/down", "follows the device");
    back.message("follows the device");
    assert_eq!(deployment.operator().registrations("north").len(), 2);
}

#[test]
fn a_connector_that_is_told_to_stop_says_goodbye_and_ends() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = deployment.target("north.test", 0);
    let (one, two) = (ca.quick_device(deployment.folder(), "one"), ca.quick_device(deployment.folder(), "two"));
    let mut new = target.paho(&one, &PahoOptions::default());
    let old = target.paho(&two, &PahoOptions { version: 4, ..PahoOptions::default() });
    new.accepted();
    old.accepted();
    // Its handshake is over, its CONNECT has not come.
    let mut waiting = Raw::open(&target, Some(&one), Tls::V13).expect("trusted");
    new.publish_acknowledged("$oc/devices/truck_one/sys/messages/up", "last words");
    let status = deployment.connector(0).process.stop();
    assert!(status.success(), "{status}");
    let goodbye = new.expect("disconnect");
    assert_eq!(goodbye["code"], 0x8b, "{goodbye}");
    assert!(reason_string(&goodbye).starts_with("shutting_down: "), "{goodbye}");
    old.expect("disconnect");
    assert_eq!(waiting.connect(&Connect::new(V5, "x")).map(|answer| answer.code).unwrap_or(0x88), 0x88);
    deployment.operator().uplinks("north").expect("truck_one", "last words");
    assert!(deployment.registrar().stop().success());
}

/// F27: a packet that is not for a client to send, or that breaks the standard, ends the connection; its neighbours do not
/// notice.
#[test]
fn f27_packets_that_break_the_standard_end_their_own_connection() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = up.target("north.test");
    let device = ca.quick_device(up.folder(), "truck-1");
    let neighbour = target.paho(&ca.quick_device(up.folder(), "truck-2"), &PahoOptions::default());
    neighbour.accepted();
    let topic = "$oc/devices/truck_truck-1/sys/messages/up";
    // Bytes after CONNACK, and the reason code that MQTT 5 answers with.
    let table: [(&str, Vec<u8>, u8); 10] = [
        ("a second CONNECT", Connect::new(V5, "again").bytes(), 0x82),
        ("CONNACK", vec![0x20, 3, 0, 0, 0], 0x82),
        ("PUBREL", vec![0x62, 2, 0, 1], 0x82),
        ("AUTH", vec![0xf0, 2, 0x18, 0], 0x82),
        ("a reserved type", vec![0x00, 0], 0x81),
        ("QoS 2", wire::publish(V5, 0x04, topic, b"x"), 0x9b),
        ("QoS 3", wire::publish(V5, 0x06, topic, b"x"), 0x81),
        ("retain", wire::publish(V5, 0x03, topic, b"x"), 0x9a),
        ("a wildcard in a topic name", wire::publish(V5, 0x02, "a/#", b"x"), 0x90),
        ("a length of five bytes", vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x7f], 0x81),
    ];
    for (what, bytes, code) in table {
        let mut raw = Raw::open(&target, Some(&device), Tls::V13).expect("trusted");
        assert_eq!(raw.connect(&Connect::new(V5, "raw")).expect("CONNACK").code, 0, "{what}");
        raw.send(&bytes).expect("sent");
        let goodbye = raw.goodbye(V5).unwrap_or_else(|| panic!("{what}: closed without a word"));
        assert_eq!(goodbye.code, code, "{what}: {goodbye:?}");
        assert!(!goodbye.reason.is_empty(), "{what}: {goodbye:?}");
        let mut raw = Raw::open(&target, Some(&device), Tls::V13).expect("trusted");
        assert_eq!(raw.connect(&Connect::new(V311, "raw")).expect("CONNACK").code, 0);
        if !what.contains("retain") {
            let bytes = if bytes[0] >> 4 == 3 { reversion(&bytes) } else { bytes };
            raw.send(&bytes).expect("sent");
            assert_eq!(raw.goodbye(V311), None, "{what}: 3.1.1 is closed without a word");
        }
    }
    for first in [wire::publish(V5, 0, topic, b"x"), vec![0x10, 0], vec![0xc0, 0], b"GET / HTTP/1.1\r\n\r\n".to_vec()] {
        let mut raw = Raw::open(&target, Some(&device), Tls::V13).expect("trusted");
        raw.send(&first).expect("sent");
        raw.goodbye(V5);
    }
    assert!(neighbour.said().iter().all(|event| event["event"] != "disconnect"));
    up.process().assert_running();
}

/// A PUBLISH of MQTT 5 without properties, as 3.1.1 has it: the byte that says how long they are is left out.
fn reversion(publish: &[u8]) -> Vec<u8> {
    if publish.len() < 6 || publish[1] & 0x80 != 0 {
        return publish.to_vec();
    }
    let topic_bytes = usize::from(u16::from_be_bytes([publish[2], publish[3]]));
    let mut body = publish[2..].to_vec();
    body.remove(2 + topic_bytes + if publish[0] & 6 != 0 { 2 } else { 0 });
    wire::packet(publish[0], &body)
}
