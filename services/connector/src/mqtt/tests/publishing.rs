//! Messages from the client.

use rollcall_domain::refusal::Refusal;

use super::*;
use crate::mqtt::{
    interface::{Dropped, Ignored},
    violation::Violation,
};

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

fn with_properties(topic: &str, properties: v5::PublishProperties) -> v5::Packet {
    types::Publish { properties: Some(properties), ..publish_packet(topic, "m", None) }.into()
}

/// The reason code that an MQTT 5 client is told, and why.
fn violated_5(packet: v5::Packet) -> (v5::DisconnectReasonCode, Closing) {
    let mut bench = Bench::open(Version::V5);
    bench.send_5(packet);
    let (disconnect, closing) = bench.disconnect_5();
    assert!(disconnect.reason_string.as_deref().is_some_and(|reason| reason.starts_with("protocol_error: ")));
    (disconnect.reason_code, closing)
}

#[test]
fn a_message_is_acknowledged_when_it_is_stored_and_not_before() {
    for version in VERSIONS {
        let mut bench = Bench::open(version);
        bench.send_publish("$oc/devices/dev1/sys/messages/up", "hello", Some(0x1234));
        let publish = bench.published();
        assert_eq!((publish.topic.as_str(), publish.qos), ("$oc/devices/dev1/sys/messages/up", 1));
        assert_eq!(publish.payload, "hello");
        assert!(bench.output().is_empty());
        bench.stored(publish.publish);
        assert_eq!(bench.output()[..4], [0x40, if version == Version::V5 { 4 } else { 2 }, 0x12, 0x34]);
    }
}

#[test]
fn qos_0_gets_no_acknowledgement() {
    let mut bench = Bench::open(Version::V3_1_1);
    bench.send_publish("a", "m", None);
    let publish = bench.published();
    assert_eq!(publish.qos, 0);
    bench.stored(publish.publish);
    assert!(bench.output().is_empty());
}

#[test]
fn acknowledgements_keep_the_order_of_the_messages() {
    let mut bench = Bench::open(Version::V3_1_1);
    for id in [5, 3, 9] {
        bench.send_publish("a", "m", Some(id));
    }
    let references = bench.references();
    bench.stored(references[2]);
    bench.stored(references[1]);
    assert!(bench.output().is_empty());
    bench.stored(references[0]);
    assert_eq!(bench.output(), [0x40, 2, 0, 5, 0x40, 2, 0, 3, 0x40, 2, 0, 9]);
}

#[test]
fn a_denied_message_is_refused_where_the_version_can_say_so() {
    let mut bench = Bench::open(Version::V5);
    bench.send_publish("a", "m", Some(1));
    let publish = bench.published().publish;
    bench.protocol.published(publish, PublishOutcome::Denied);
    let packets = bench.output_5();
    let [v5::Packet::PublishAck(ack)] = packets.as_slice() else { panic!("{packets:?}") };
    assert_eq!(ack.reason_code, v5::PublishAckReason::NotAuthorized);
    assert!(ack.reason_string.as_deref().is_some_and(|reason| reason.starts_with("denied: ")));

    let settings = v5::Connect { request_problem_info: false, ..v5::Connect::default() };
    let mut bench = Bench::open_as(Version::V5, Limits::default(), settings);
    bench.send_publish("a", "m", Some(1));
    let publish = bench.published().publish;
    bench.protocol.published(publish, PublishOutcome::Denied);
    assert_eq!(bench.output(), [0x40, 4, 0, 1, 0x87, 0]);

    let mut bench = Bench::open(Version::V3_1_1);
    bench.send_publish("a", "m", Some(1));
    let publish = bench.published().publish;
    bench.protocol.published(publish, PublishOutcome::Denied);
    assert_eq!(bench.output(), [0x40, 2, 0, 1]);
    assert!(bench.is_open());
}

#[test]
fn f16_a_message_that_could_not_be_stored_is_never_acknowledged() {
    for version in VERSIONS {
        let mut bench = Bench::open(version);
        bench.send_publish("a", "m", Some(1));
        let publish = bench.published().publish;
        bench.protocol.published(publish, PublishOutcome::Failed);
        assert_eq!(bench.closing(), Closing::Refused(Refusal::RegistryUnavailable));
        assert!(bench.output().first().is_none_or(|byte| *byte == 0xe0));
    }
    let mut bench = Bench::open(Version::V3_1_1);
    bench.send_publish("a", "m", None);
    let publish = bench.published().publish;
    bench.protocol.published(publish, PublishOutcome::Failed);
    assert!(bench.is_open());
}

#[test]
fn qos_2_is_refused() {
    let publish = types::Publish { qos: types::QoS::ExactlyOnce, ..publish_packet("a", "m", Some(1)) };
    let (code, closing) = violated_5(publish.clone().into());
    assert_eq!((code, closing), (v5::DisconnectReasonCode::QosNotSupported, Closing::Violated(Violation::Qos2)));
    let mut bench = Bench::open(Version::V3_1_1);
    bench.send_3(publish.into());
    assert_eq!((bench.closing(), bench.output()), (Closing::Violated(Violation::Qos2), vec![]));
}

#[test]
fn retain_is_refused_where_it_was_said_and_ignored_where_it_could_not_be() {
    let publish = types::Publish { retain: true, ..publish_packet("a", "m", None) };
    assert_eq!(violated_5(publish.clone().into()).0, v5::DisconnectReasonCode::RetainNotSupported);
    for version in [Version::V3_1, Version::V3_1_1] {
        let mut bench = Bench::open(version);
        // The owner hears of it before the message, once.
        for expected in [true, false] {
            bench.send_3(publish.clone().into());
            let mut effects = bench.effects();
            let Some(Effect::Publish(message)) = effects.pop() else { panic!("{effects:?}") };
            assert_eq!(message.payload, "m");
            let ignored = Effect::Ignored(Ignored::Retain { topic: "a".into() });
            assert_eq!(effects, expected.then_some(ignored).into_iter().collect::<Vec<_>>(), "{version:?}");
        }
    }
}

#[test]
fn f10_a_wildcard_is_no_topic_name() {
    for topic in ["a/+", "#", "a/#/b", "a\u{0}b", "a\nb"] {
        let (code, closing) = violated_5(publish_packet(topic, "m", None).into());
        assert_eq!((code, closing), (v5::DisconnectReasonCode::TopicNameInvalid, Closing::Violated(Violation::TopicName)));
    }
    let properties = v5::PublishProperties { response_topic: Some("a/#".into()), ..Default::default() };
    assert_eq!(violated_5(with_properties("a", properties)).0, v5::DisconnectReasonCode::TopicNameInvalid);
    assert_eq!(violated_5(publish_packet("", "m", None).into()).0, v5::DisconnectReasonCode::TopicNameInvalid);
}

#[test]
fn a_topic_over_the_limit_is_dropped_and_the_session_kept() {
    for version in VERSIONS {
        let mut bench = Bench::open(version);
        bench.send_publish(&"t".repeat(129), "m", Some(1));
        assert_eq!(bench.effects(), [Effect::Dropped(Dropped::TopicTooLong)]);
        let output = bench.output();
        assert_eq!(output[..1], [0x40]);
        assert_eq!(output.get(4).copied(), (version == Version::V5).then_some(0x90));
        assert!(bench.is_open());
    }
}

#[test]
fn topic_aliases_are_followed_up_to_the_announced_maximum() {
    let alias = |alias| v5::PublishProperties { topic_alias: Some(packet_id(alias)), ..Default::default() };
    let mut bench = Bench::open(Version::V5);
    bench.send_5(with_properties("a/b", alias(16)));
    bench.send_5(with_properties("", alias(16)));
    let of = |effect| if let Effect::Publish(publish) = effect { publish.topic } else { String::new() };
    assert_eq!(bench.effects().into_iter().map(of).collect::<Vec<_>>(), ["a/b", "a/b"]);
    let mut bench = Bench::open(Version::V5);
    bench.send_5(with_properties(&"t".repeat(129), alias(2)));
    assert_eq!(bench.effects(), [Effect::Dropped(Dropped::TopicTooLong)]);
    bench.send_5(with_properties("", alias(2)));
    assert_eq!(bench.closing(), Closing::Violated(Violation::TopicAlias));
    for packet in [with_properties("a", alias(17)), with_properties("", alias(1))] {
        assert_eq!(violated_5(packet).0, v5::DisconnectReasonCode::TopicAliasInvalid);
    }
}

#[test]
fn properties_travel_with_the_message() {
    let properties = v5::PublishProperties {
        correlation_data: Some(Bytes::from_static(b"\x01\x02")),
        message_expiry_interval: std::num::NonZeroU32::new(60),
        content_type: Some("application/json".into()),
        user_properties: vec![("a".into(), "1".into()), ("a".into(), "2".into())],
        is_utf8_payload: true,
        response_topic: Some("r".into()),
        ..Default::default()
    };
    let mut bench = Bench::open(Version::V5);
    bench.send_5(with_properties("a", properties));
    let expected = MessageProperties {
        payload_format: Some(1),
        expiry_s: Some(60),
        content_type: Some("application/json".into()),
        response_topic: Some("r".into()),
        correlation_data: Some(Bytes::from_static(b"\x01\x02")),
        user: vec![("a".into(), "1".into()), ("a".into(), "2".into())],
    };
    assert_eq!(bench.published().properties, expected);
}

/// PUBLISH to `a` with these properties, raw.
fn with_raw_properties(properties: &[u8]) -> Vec<u8> {
    let body = [&[0, 1, b'a', properties.len() as u8], properties, b"m"].concat();
    [&[0x30, body.len() as u8], &*body].concat()
}

#[test]
fn a_message_that_expires_at_once_is_one() {
    let mut bench = Bench::open(Version::V5);
    bench.send(&with_raw_properties(&[0x02, 0, 0, 0, 0]));
    let publish = bench.published();
    assert_eq!((publish.properties.expiry_s, &*publish.payload), (Some(0), &b"m"[..]));
    assert!(bench.is_open());
}

#[test]
fn a_topic_alias_of_zero_has_its_reason_code() {
    let mut bench = Bench::open(Version::V5);
    bench.send(&with_raw_properties(&[0x23, 0, 0]));
    let (disconnect, closing) = bench.disconnect_5();
    assert_eq!(u8::from(disconnect.reason_code), 0x94);
    assert_eq!(closing, Closing::Violated(Violation::TopicAlias));
}

#[test]
fn the_payload_format_indicator_passes_as_it_came() {
    for (properties, format) in [(&[][..], None), (&[0x01, 0], Some(0)), (&[0x01, 1], Some(1))] {
        let mut bench = Bench::open(Version::V5);
        bench.send(&with_raw_properties(properties));
        let publish = bench.published();
        assert_eq!(publish.properties.payload_format, format);
        let properties = MessageProperties { content_type: Some("\u{1}".into()), ..publish.properties };
        let (payload, plain) = (Bytes::from_static(&[1, 1]), delivery("$oc/a", &publish.payload, 0));
        bench.protocol.deliver(&Delivery { payload: &payload, properties: &properties, implicit: true, ..plain });
        let indicator: &[u8] = match format {
            None => &[],
            Some(0) => &[0x01, 0],
            Some(_) => &[0x01, 1],
        };
        let expected = [&[0, 5], &b"$oc/a"[..], &[4 + indicator.len() as u8, 3, 0, 1, 1], indicator, &[1, 1]].concat();
        assert_eq!(bench.output()[2..], expected);
    }
}

#[test]
fn a_property_of_a_message_is_named_when_it_may_not_be_there() {
    for (properties, code, words) in [
        (&[0x01, 1, 0x01, 1][..], 0x82, "PUBLISH has the property Payload Format Indicator more than once"),
        (&[0x11, 0, 0, 0, 1], 0x81, "Session Expiry Interval is no property of PUBLISH"),
    ] {
        let mut bench = Bench::open(Version::V5);
        bench.send(&with_raw_properties(properties));
        let (disconnect, _) = bench.disconnect_5();
        assert_eq!(u8::from(disconnect.reason_code), code);
        assert_eq!(disconnect.reason_string.as_deref(), Some(format!("protocol_error: {words}").as_str()));
    }
}

#[test]
fn a_subscription_identifier_from_a_client_breaks_the_standard() {
    let properties = v5::PublishProperties { subscription_ids: vec![std::num::NonZeroU32::MIN], ..Default::default() };
    assert_eq!(violated_5(with_properties("a", properties)).0, v5::DisconnectReasonCode::MalformedPacket);
}

#[test]
fn the_services_payload_limit_is_exact() {
    let limits = Limits { payload_bytes_max: 1000, ..Limits::default() };
    for version in VERSIONS {
        let mut bench = Bench::open_as(version, limits, v5::Connect::default());
        bench.send_publish("a", &"x".repeat(1000), None);
        let publish = bench.published();
        assert_eq!(publish.payload.len(), 1000);
        bench.stored(publish.publish);
        bench.send_publish("a", &"x".repeat(1001), None);
        assert_eq!(bench.closing(), Closing::Violated(Violation::TooLarge));
        assert_eq!(Closing::Violated(Violation::TooLarge).refusal(), Some(Refusal::PacketTooLarge));
    }
}

#[test]
fn an_mqtt_5_client_that_ignores_the_receive_maximum_is_read_slower() {
    let mut bench = Bench::open(Version::V5);
    for id in 1..=100 {
        bench.send_publish("a", "m", Some(id));
    }
    let mut taken = bench.references();
    assert_eq!(taken.len(), 32);
    for _ in 0..100 {
        bench.stored(taken.remove(0));
        taken.extend(bench.references());
        assert!(taken.len() <= 32);
    }
    assert_eq!((bench.output_5().len(), bench.is_open()), (100, true));
}

#[test]
fn more_messages_than_the_owner_answers_are_not_read() {
    let limits = Limits { receive_maximum: 2, ..Limits::default() };
    let mut bench = Bench::open_as(Version::V3_1_1, limits, v5::Connect::default());
    for id in 1..=7 {
        bench.send_publish("a", &id.to_string(), Some(id));
    }
    let first = bench.references();
    assert_eq!(first.len(), 4);
    let pings = [0xc0, 0].repeat(40_000);
    bench.send(&pings);
    assert!(!bench.protocol.wants_input());
    for publish in first {
        bench.stored(publish);
    }
    assert_eq!(bench.references().len(), 3);
    assert!(bench.protocol.wants_input());
    assert_eq!(bench.output().len(), 4 * 4 + pings.len());
}
