//! Many small messages in one write are stored in the order in which they were sent.

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::{folder, success},
    fleet::Instance,
    operator::Operator,
    raw::{Raw, Tls},
    up::Up,
    wire::{self, Connect, V311},
};

const TOPIC: &str = "$oc/devices/truck_truck-1/sys/messages/up";
const COUNT: u16 = 250;

#[test]
fn f47_two_hundred_and_fifty_small_messages_in_one_write_are_stored_in_their_order() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let device = ca.quick_device(up.folder(), "truck-1");
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
    up.process().stop();
    let operator = Operator::embedded(&up.data());
    let mut uplinks = operator.uplinks("north");
    uplinks.expect("truck_truck-1", "last");
    let payloads = uplinks.seen().iter().map(|stored| String::from_utf8_lossy(&stored.message.payload).into_owned());
    assert_eq!(payloads.collect::<Vec<_>>(), expected);
}
