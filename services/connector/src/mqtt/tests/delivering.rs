//! Messages to the client.

use rollcall_domain::refusal::Refusal;

use super::*;
use crate::mqtt::{FilterOutcome, limits::OUTPUT_BYTES_MAX};

const DOWN: &str = "$oc/devices/dev1/sys/messages/down";

/// A session that has subscribed.
fn subscribed(
    version: Version,
    limits: Limits,
    settings: v5::Connect,
    filter: &str,
    qos: types::QoS,
    no_local: bool,
) -> Bench {
    let mut bench = Bench::open_as(version, limits, settings);
    let packet_id = packet_id(1);
    match version {
        Version::V3_1 | Version::V3_1_1 => {
            bench.send_3(v3::Packet::Subscribe { packet_id, topic_filters: vec![(filter.into(), qos)] });
        }
        Version::V5 => {
            let options = v5::SubscriptionOptions { qos, no_local, ..Default::default() };
            let topic_filters = vec![(filter.into(), options)];
            bench.send_5(v5::Subscribe { packet_id, id: None, user_properties: Vec::new(), topic_filters }.into());
        }
    }
    bench.effects();
    bench.protocol.subscribed(&[FilterOutcome::Granted]);
    bench.output();
    bench
}

fn to_qos_1(version: Version, filter: &str) -> Bench {
    subscribed(version, Limits::default(), v5::Connect::default(), filter, types::QoS::AtLeastOnce, false)
}

fn acknowledge(bench: &mut Bench, id: u16) {
    bench.send_3(v3::Packet::PublishAck { packet_id: packet_id(id) });
}

#[test]
fn a_system_topic_needs_no_subscription_and_a_subscription_raises_its_qos() {
    let payload = Bytes::from_static(b"m");
    let implicit = Delivery { implicit: true, ..delivery(DOWN, &payload, 1) };
    let mut bench = Bench::open(Version::V3_1_1);
    assert_eq!(bench.protocol.deliver(&delivery(DOWN, &payload, 1)), Delivered::Not(Undelivered::NotSubscribed));
    assert_eq!(bench.protocol.deliver(&implicit), Delivered::Sent { qos: 0 });
    assert_eq!(bench.output()[0], 0x30);
    let mut bench = to_qos_1(Version::V3_1_1, "$oc/devices/dev1/sys/#");
    assert_eq!(bench.protocol.deliver(&implicit), Delivered::Sent { qos: 1 });
    assert_eq!(bench.output()[0], 0x32);
}

#[test]
fn a_message_arrives_as_it_was_published_and_never_retained_or_duplicate() {
    let payload = Bytes::from_static(b"hello");
    let properties = MessageProperties {
        payload_format: Some(1),
        expiry_s: Some(9),
        content_type: Some("text/plain".into()),
        response_topic: Some("r".into()),
        correlation_data: Some(Bytes::from_static(b"c")),
        user: vec![("k".into(), "v".into())],
    };
    let mut bench = to_qos_1(Version::V5, "a/+");
    let sent = bench.protocol.deliver(&Delivery { properties: &properties, ..delivery("a/b", &payload, 1) });
    assert_eq!(sent, Delivered::Sent { qos: 1 });
    let packets = bench.output_5();
    let [v5::Packet::Publish(publish)] = packets.as_slice() else { panic!("{packets:?}") };
    assert_eq!((&*publish.topic, &publish.payload, publish.packet_id), ("a/b", &payload, Some(packet_id(1))));
    assert!(!publish.retain && !publish.dup);
    let got = publish.properties.as_ref().expect("properties");
    assert_eq!((got.is_utf8_payload, got.message_expiry_interval.map(|s| s.get())), (true, Some(9)));
    assert_eq!((got.content_type.as_deref(), got.response_topic.as_deref()), (Some("text/plain"), Some("r")));
    assert_eq!(got.user_properties, [("k".into(), "v".into())]);

    let mut bench = to_qos_1(Version::V3_1_1, "a/+");
    bench.protocol.deliver(&Delivery { properties: &properties, ..delivery("a/b", &payload, 0) });
    assert_eq!(bench.output(), b"\x30\x0a\0\x03a/bhello");
}

#[test]
fn no_local_keeps_a_clients_own_messages_away() {
    let payload = Bytes::new();
    let settings = v5::Connect::default();
    let mut bench = subscribed(Version::V5, Limits::default(), settings, "a", types::QoS::AtMostOnce, true);
    let own = Delivery { own: true, ..delivery("a", &payload, 0) };
    assert_eq!(bench.protocol.deliver(&own), Delivered::Not(Undelivered::NotSubscribed));
    assert_eq!(bench.protocol.deliver(&delivery("a", &payload, 0)), Delivered::Sent { qos: 0 });
}

#[test]
fn the_clients_receive_maximum_is_kept_and_order_too() {
    let settings = v5::Connect { receive_max: std::num::NonZeroU16::new(2), ..v5::Connect::default() };
    let mut bench = subscribed(Version::V5, Limits::default(), settings, "a", types::QoS::AtLeastOnce, false);
    let payloads: Vec<_> = (0..5_u8).map(|n| Bytes::copy_from_slice(&[n])).collect();
    let outcomes: Vec<_> = payloads.iter().map(|payload| bench.protocol.deliver(&delivery("a", payload, 1))).collect();
    let [sent, queued] = [Delivered::Sent { qos: 1 }, Delivered::Queued];
    assert_eq!(outcomes, [sent, sent, queued, queued, queued]);
    let mut received = Vec::new();
    for _ in 0..5 {
        for packet in bench.output_5() {
            let v5::Packet::Publish(publish) = packet else { panic!("{packet:?}") };
            received.push(publish.payload.clone());
            let ack = v5::PublishAck { packet_id: publish.packet_id.expect("QoS 1"), ..Default::default() };
            bench.send_5(ack.into());
        }
    }
    assert_eq!(received, payloads);
}

#[test]
fn packet_ids_under_way_are_not_used_again() {
    let mut bench = to_qos_1(Version::V3_1_1, "a");
    let payload = Bytes::new();
    bench.protocol.deliver(&delivery("a", &payload, 1));
    for id in (2..=65_535).chain([2]) {
        assert_eq!(bench.protocol.deliver(&delivery("a", &payload, 1)), Delivered::Sent { qos: 1 });
        let output = bench.output();
        assert_eq!(output[output.len() - 2..], u16::to_be_bytes(id));
        acknowledge(&mut bench, id);
    }
    acknowledge(&mut bench, 999);
    assert!(bench.is_open());
}

#[test]
fn a_packet_that_the_client_has_no_room_for_is_not_sent() {
    let payload = Bytes::from(vec![b'x'; 200]);
    for (room, expected) in [(250, Delivered::Sent { qos: 0 }), (100, Delivered::Not(Undelivered::TooLarge))] {
        let settings = v5::Connect { max_packet_size: std::num::NonZeroU32::new(room), ..v5::Connect::default() };
        let mut bench = Bench::open_as(Version::V5, Limits::default(), settings);
        assert_eq!(bench.protocol.deliver(&Delivery { implicit: true, ..delivery(DOWN, &payload, 0) }), expected);
        assert_eq!(bench.output().is_empty(), expected != Delivered::Sent { qos: 0 });
        assert!(bench.is_open());
    }
}

#[test]
fn what_waits_grows_older_and_expires() {
    let limits = Limits { in_flight_max: 1, ..Limits::default() };
    let settings = v5::Connect::default();
    let mut bench = subscribed(Version::V5, limits, settings, "a", types::QoS::AtLeastOnce, false);
    let payload = Bytes::new();
    bench.protocol.deliver(&delivery("a", &payload, 1));
    for expiry_s in [5, 20] {
        let properties = MessageProperties { expiry_s: Some(expiry_s), ..MessageProperties::default() };
        let waits = Delivery { properties: &properties, ..delivery("a", &payload, 1) };
        assert_eq!(bench.protocol.deliver(&waits), Delivered::Queued);
    }
    let expired = MessageProperties { expiry_s: Some(0), ..MessageProperties::default() };
    let late = Delivery { properties: &expired, ..delivery("a", &payload, 1) };
    assert_eq!(bench.protocol.deliver(&late), Delivered::Not(Undelivered::Expired));
    bench.output();
    bench.now_ms = 8_000;
    bench.send_5(v5::PublishAck { packet_id: packet_id(1), ..Default::default() }.into());
    let packets = bench.output_5();
    let [v5::Packet::Publish(publish)] = packets.as_slice() else { panic!("{packets:?}") };
    let left = publish.properties.as_ref().and_then(|properties| properties.message_expiry_interval);
    assert_eq!(left.map(|s| s.get()), Some(12));
}

#[test]
fn a_client_that_does_not_take_its_messages_loses_qos_0_and_is_closed_at_qos_1() {
    let payload = Bytes::from(vec![0; OUTPUT_BYTES_MAX]);
    let mut bench = to_qos_1(Version::V3_1_1, "a");
    assert_eq!(bench.protocol.deliver(&delivery("a", &payload, 0)), Delivered::Sent { qos: 0 });
    assert_eq!(bench.protocol.deliver(&delivery("a", &payload, 0)), Delivered::Not(Undelivered::Full));
    assert!(!bench.protocol.wants_input());
    let mut waiting = 0;
    while bench.protocol.deliver(&delivery("a", &payload, 1)) == Delivered::Queued {
        waiting += payload.len();
        assert!(waiting <= Limits::default().queued_bytes_max as usize);
    }
    assert_eq!(bench.closing(), Closing::Refused(Refusal::SlowConsumer));
}

#[test]
fn what_waited_for_the_output_goes_when_it_is_taken() {
    let payload = Bytes::from(vec![0; OUTPUT_BYTES_MAX]);
    let mut bench = to_qos_1(Version::V3_1_1, "a");
    bench.protocol.deliver(&delivery("a", &payload, 0));
    assert_eq!(bench.protocol.deliver(&delivery("a", &payload, 1)), Delivered::Queued);
    bench.send(&[0xc0, 0]);
    bench.output();
    let output = bench.output();
    assert_eq!((output[0], output.len() > OUTPUT_BYTES_MAX), (0x32, true));
    assert_eq!(bench.output(), [0xd0, 0]);
    assert!(bench.protocol.wants_input());
}

#[test]
fn a_closed_session_says_why_to_mqtt_5() {
    let mut bench = Bench::open(Version::V5);
    bench.protocol.close(Refusal::DeviceFrozen);
    let (disconnect, closing) = bench.disconnect_5();
    assert_eq!(disconnect.reason_code, v5::DisconnectReasonCode::AdministrativeAction);
    assert_eq!(disconnect.reason_string.as_deref(), Some("device_frozen: the device is frozen"));
    assert_eq!(closing, Closing::Refused(Refusal::DeviceFrozen));
    assert_eq!(bench.protocol.deliver(&delivery(DOWN, &Bytes::new(), 0)), Delivered::Not(Undelivered::NotOpen));

    let mut bench = Bench::open(Version::V3_1_1);
    bench.protocol.close(Refusal::TakenOver);
    assert_eq!((bench.output(), bench.closing()), (vec![], Closing::Refused(Refusal::TakenOver)));
}

#[test]
fn a_withdrawn_subscription_takes_what_waits_for_it_along() {
    let limits = Limits { in_flight_max: 1, ..Limits::default() };
    let settings = v5::Connect::default();
    let mut bench = subscribed(Version::V3_1_1, limits, settings, "a", types::QoS::AtLeastOnce, false);
    let payload = Bytes::new();
    bench.protocol.deliver(&delivery("a", &payload, 1));
    assert_eq!(bench.protocol.deliver(&delivery("a", &payload, 1)), Delivered::Queued);
    bench.output();
    bench.protocol.withdraw(&["a".into()]);
    acknowledge(&mut bench, 1);
    assert!(bench.output().is_empty());
    assert_eq!(bench.protocol.deliver(&delivery("a", &payload, 1)), Delivered::Not(Undelivered::NotSubscribed));
    assert!(bench.is_open());
}
