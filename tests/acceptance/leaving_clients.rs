//! Clients that publish and leave, as their manuals begin: everything that they sent is stored, in its order.

use std::path::{Path, PathBuf};

use rollcall_harness::{
    certificates::{Authority, Key, Pair},
    clients::{Target, folder, success},
    fleet::Instance,
    operator::Operator,
    raw::{Raw, Tls},
    up::Up,
    wire::{self, Connect, V311},
};
use serde_json::json;

const TOPIC: &str = "$oc/devices/truck_truck-1/sys/messages/up";
/// What a device may send at once at the default rate.
const BURST: usize = 100;

fn up() -> (Up, Pair) {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let device = ca.quick_device(up.folder(), "truck-1");
    success(&up.target("north.test").mosquitto_pub(&device, TOPIC, "first", &[])).expect("the device is registered");
    (up, device)
}

/// What is stored behind the first message, once the process has ended.
fn stored(up: &mut Up, last: &str) -> Vec<String> {
    up.process().stop();
    let operator = Operator::embedded(&up.data());
    let mut uplinks = operator.uplinks("north");
    uplinks.expect("truck_truck-1", last);
    let payloads = uplinks.seen().iter().map(|stored| String::from_utf8_lossy(&stored.message.payload).into_owned());
    payloads.skip(1).collect()
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

fn leave(target: &Target, device: &Pair, client: &str) {
    let options = json!({"client": client, "topic": TOPIC, "count": BURST});
    let done = if client.starts_with("mqttjs") {
        target.program(Path::new("node"), &program("leave.cjs"), device, &options)
    } else {
        let python = std::env::var_os("ROLLCALL_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        target.program(Path::new(&python), &program("leave.py"), device, &options)
    };
    success(&done).unwrap_or_else(|error| panic!("{client}: {error}"));
}

#[test]
fn f46_what_real_clients_publish_before_they_leave_is_stored() {
    const MOSQUITTO: usize = 20;
    let (mut up, device) = up();
    let target = up.target("north.test");
    let mut expected = Vec::new();
    for number in 0..MOSQUITTO {
        let payload = format!("mosquitto-{number}");
        success(&target.mosquitto_pub(&device, TOPIC, &payload, &["-q", "0"])).expect("sent");
        expected.push(payload);
    }
    let mut clients = vec!["paho-3.1.1", "paho-5", "aiomqtt", "gmqtt"];
    // Set by `tests/run`, which says so, where it could not be installed.
    if std::env::var_os("ROLLCALL_TESTS_WITHOUT_MQTTJS").is_none() {
        clients.extend(["mqttjs-3.1.1", "mqttjs-5"]);
    }
    for client in clients {
        leave(&target, &device, client);
        expected.extend((0..BURST).map(|number| format!("{client}-{number}")));
    }
    success(&target.mosquitto_pub(&device, TOPIC, "last", &[])).expect("stored");
    expected.push("last".to_owned());
    assert_eq!(stored(&mut up, "last"), expected);
}

#[test]
fn f47_two_hundred_and_fifty_small_messages_in_one_write_are_stored_in_their_order() {
    const COUNT: u16 = 250;
    let (mut up, device) = up();
    let mut expected = Vec::new();
    for qos in [1_u8, 0] {
        let mut raw = Raw::open(&up.target("north.test"), Some(&device), Tls::V13).expect("a connection");
        let answer = raw.connect(&Connect::new(V311, "burst")).expect("an answer");
        assert_eq!(answer.code, 0);
        let mut burst = Vec::new();
        for number in 0..COUNT {
            let payload = format!("{qos}-{number:04}");
            let mut packet = wire::publish(V311, qos << 1, TOPIC, payload.as_bytes());
            if qos == 1 {
                // The packet id stands behind the topic: fixed header, length, topic.
                let at = 2 + 2 + TOPIC.len();
                packet[at..at + 2].copy_from_slice(&(number + 1).to_be_bytes());
            }
            burst.extend(packet);
            expected.push(payload);
        }
        raw.send(&burst).expect("sent");
        for id in 1..=COUNT {
            if qos == 1 {
                assert_eq!(raw.packet().expect("PUBACK")[2..], id.to_be_bytes());
            }
        }
        raw.send(&wire::DISCONNECT).expect("sent");
        // At the default rate that takes some seconds; a connection that takes over would not wait for all of it.
        assert_eq!(raw.goodbye(V311), None);
    }
    success(&up.target("north.test").mosquitto_pub(&device, TOPIC, "last", &[])).expect("stored");
    expected.push("last".to_owned());
    assert_eq!(stored(&mut up, "last"), expected);
}
