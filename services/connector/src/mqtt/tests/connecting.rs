//! CONNECT and its answers.

use rollcall_domain::refusal::Refusal;

use super::*;
use crate::mqtt::{interface::Ignored, limits::CONNECT_BYTES_MAX};

/// A raw CONNECT: name, level, flags, keep-alive, then what follows.
fn raw(name: &str, level: u8, flags: u8, keep_alive_s: u16, rest: &[u8]) -> Vec<u8> {
    let mut body = vec![0, name.len() as u8];
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(&[level, flags]);
    body.extend_from_slice(&keep_alive_s.to_be_bytes());
    body.extend_from_slice(rest);
    [&[0x10, body.len() as u8], &*body].concat()
}

/// What the client is told and why, for a CONNECT that the owner never sees.
fn refused(bytes: &[u8]) -> (Vec<u8>, Closing) {
    let mut bench = Bench::new(Version::V3_1_1);
    bench.send(bytes);
    let effects = bench.effects();
    let [Effect::Close(closing)] = effects.as_slice() else { panic!("expected the end alone, got {effects:?}") };
    (bench.output(), closing.clone())
}

fn refused_5(settings: v5::Connect) -> (v5::ConnectAck, Closing) {
    let mut bench = Bench::new(Version::V5);
    bench.send_5(settings.into());
    let closing = bench.closing();
    match bench.output_5().pop() {
        Some(v5::Packet::ConnectAck(ack)) => (*ack, closing),
        other => panic!("expected CONNACK, got {other:?}"),
    }
}

fn connect_5() -> v5::Connect {
    v5::Connect { client_id: "any".into(), keep_alive: 60, clean_start: true, ..v5::Connect::default() }
}

#[test]
fn each_version_is_recognised() {
    for (name, level, version) in [("MQIsdp", 3, Version::V3_1), ("MQTT", 4, Version::V3_1_1)] {
        let mut bench = Bench::new(version);
        bench.send(&raw(name, level, 0x82, 60, b"\0\x01c\0\x01u"));
        let effects = bench.effects();
        let [Effect::Connect(connect)] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!(connect.version, version);
        assert_eq!((connect.client_id.as_str(), connect.user_name.as_deref(), connect.keep_alive_s), ("c", Some("u"), 60));
        bench.protocol.accept(&grant(), 0);
        assert_eq!(bench.output(), [0x20, 2, 0, 0]);
        assert!(bench.is_open());
    }
}

#[test]
fn mqtt_5_is_told_what_there_is_and_who_it_is() {
    let mut bench = Bench::new(Version::V5);
    bench.send_5(v5::Connect { session_expiry_interval_secs: 60, ..connect_5() }.into());
    bench.effects();
    bench.protocol.accept(&grant(), 0);
    let packets = bench.output_5();
    let [v5::Packet::ConnectAck(ack)] = packets.as_slice() else { panic!("{packets:?}") };
    assert_eq!(ack.reason_code, v5::ConnectAckReason::Success);
    assert_eq!((ack.session_present, ack.session_expiry_interval_secs), (false, Some(0)));
    assert_eq!((ack.max_qos, ack.retain_available), (types::QoS::AtLeastOnce, false));
    assert!(ack.wildcard_subscription_available);
    assert!(!ack.shared_subscription_available && !ack.subscription_identifiers_available);
    assert_eq!((ack.receive_max.get(), ack.topic_alias_max), (32, 16));
    assert_eq!(ack.max_packet_size, Some(Limits::default().packet_bytes_max()));
    assert_eq!((&ack.assigned_client_id, ack.server_keepalive_sec), (&None, None));
    let told: Vec<_> = ack.user_properties.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(told, [("device_id", "dev1"), ("space_id", "space1"), ("product_id", "product1")]);
}

#[test]
fn an_empty_client_id_is_the_servers_to_choose() {
    for clean_start in [true, false] {
        let mut bench = Bench::new(Version::V5);
        bench.send_5(v5::Connect { client_id: "".into(), clean_start: true, ..connect_5() }.into());
        bench = if clean_start {
            bench
        } else {
            // The codec cannot write this one: MQTT 5 allows it.
            let mut other = Bench::new(Version::V5);
            other.send(&raw("MQTT", 5, 0, 60, &[0, 0, 0]));
            other
        };
        let effects = bench.effects();
        let [Effect::Connect(connect)] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!((connect.client_id.as_str(), connect.clean_start), ("", clean_start));
        bench.protocol.accept(&grant(), 0);
        let packets = bench.output_5();
        let [v5::Packet::ConnectAck(ack)] = packets.as_slice() else { panic!("{packets:?}") };
        assert_eq!(ack.assigned_client_id.as_deref(), Some("dev1"));
    }
    let identifier = Closing::Refused(Refusal::ClientId);
    assert_eq!(refused(&raw("MQTT", 4, 0, 60, &[0, 0])), (vec![0x20, 2, 0, 2], identifier.clone()));
    assert_eq!(refused(&raw("MQIsdp", 3, 2, 60, &[0, 0])), (vec![0x20, 2, 0, 2], identifier));
}

#[test]
fn f25_a_long_client_id_or_user_name_is_refused() {
    let (ack, closing) = refused_5(v5::Connect { client_id: "c".repeat(257).into(), ..connect_5() });
    assert_eq!(
        (ack.reason_code, closing),
        (v5::ConnectAckReason::ClientIdentifierNotValid, Closing::Refused(Refusal::ClientId))
    );
    let (ack, _) = refused_5(v5::Connect { username: Some("u".repeat(257).into()), ..connect_5() });
    assert_eq!(ack.reason_code, v5::ConnectAckReason::ClientIdentifierNotValid);
}

#[test]
fn keep_alive_is_refused_before_mqtt_5_and_told_since() {
    for keep_alive_s in [0, 1, 4, 1201, u16::MAX] {
        for (name, level) in [("MQIsdp", 3), ("MQTT", 4)] {
            let (output, closing) = refused(&raw(name, level, 2, keep_alive_s, b"\0\x01c"));
            assert_eq!((output, &closing), (vec![0x20, 2, 0, 2], &Closing::Refused(Refusal::KeepAliveOutOfRange)));
            let told = closing.refusal().expect("a refusal").to_string();
            assert_eq!(told, "the keep-alive must be 5 to 1200 seconds, and not 0");
        }
    }
    for (asked_s, told_s) in [(0, Some(1200)), (5, Some(30)), (30, None), (1200, None), (1201, Some(1200))] {
        let mut bench = Bench::new(Version::V5);
        bench.send_5(v5::Connect { keep_alive: asked_s, ..connect_5() }.into());
        bench.effects();
        bench.protocol.accept(&grant(), 0);
        let packets = bench.output_5();
        let [v5::Packet::ConnectAck(ack)] = packets.as_slice() else { panic!("{packets:?}") };
        assert_eq!(ack.server_keepalive_sec, told_s, "{asked_s}");
        let counts_ms = u64::from(told_s.unwrap_or(asked_s)) * 1500;
        assert_eq!(bench.protocol.deadline_ms(), Some(counts_ms), "{asked_s}");
    }
    for keep_alive_s in [5, 29, 1200] {
        let mut bench = Bench::new(Version::V3_1_1);
        bench.send(&raw("MQTT", 4, 2, keep_alive_s, b"\0\x01c"));
        assert!(matches!(bench.effects().as_slice(), [Effect::Connect(_)]));
        bench.protocol.accept(&grant(), 0);
        assert_eq!(bench.protocol.deadline_ms(), Some(u64::from(keep_alive_s) * 1500));
    }
}

/// A CONNECT of MQTT 5 with these properties.
fn with_properties_5(properties: &[u8]) -> Vec<u8> {
    raw("MQTT", 5, 2, 60, &[&[properties.len() as u8], properties, b"\0\x01c"].concat())
}

#[test]
fn a_property_that_may_not_be_there_is_named() {
    use v5::ConnectAckReason::{MalformedPacket, ProtocolError};
    for (properties, code, words) in [
        (
            &[0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1][..],
            ProtocolError,
            "CONNECT has the property Session Expiry Interval more than once",
        ),
        (
            &[0x21, 0, 9, 0x27, 0, 0, 1, 0, 0x21, 0, 9],
            ProtocolError,
            "CONNECT has the property Receive Maximum more than once",
        ),
        (&[0x23, 0, 1], MalformedPacket, "Topic Alias is no property of CONNECT"),
        (&[0x24, 1], MalformedPacket, "Maximum QoS is no property of CONNECT"),
        (
            &[0x21, 0, 0],
            ProtocolError,
            "CONNECT has a value of the property Receive Maximum that the standard does not allow",
        ),
        (
            &[0x17, 2],
            ProtocolError,
            "CONNECT has a value of the property Request Problem Information that the standard does not allow",
        ),
        (&[0x7f, 1], MalformedPacket, "CONNECT cannot be read: it has a property that MQTT 5 does not know"),
        (&[0x21, 0], MalformedPacket, "CONNECT cannot be read: a property is cut off"),
    ] {
        let mut bench = Bench::new(Version::V5);
        bench.send(&with_properties_5(properties));
        assert!(matches!(bench.closing(), Closing::Violated(_)));
        let packets = bench.output_5();
        let [v5::Packet::ConnectAck(ack)] = packets.as_slice() else { panic!("{packets:?}") };
        let told = ack.reason_string.as_deref().expect("a reason");
        assert_eq!((ack.reason_code, told), (code, format!("protocol_error: {words}").as_str()));
    }
    let mut bench = Bench::new(Version::V5);
    bench.send(&with_properties_5(&[0x26, 0, 1, b'a', 0, 1, b'b', 0x26, 0, 1, b'a', 0, 1, b'b']));
    assert!(matches!(bench.effects().as_slice(), [Effect::Connect(_)]), "user properties may repeat");
}

#[test]
fn bits_that_mqtt_3_1_does_not_use_say_nothing() {
    let mut connect = raw("MQIsdp", 3, 3, 60, b"\0\x01c");
    connect[0] = 0x1f;
    let mut bench = Bench::new(Version::V3_1);
    bench.send(&connect);
    assert!(matches!(bench.effects().as_slice(), [Effect::Connect(_)]));
    bench.protocol.accept(&grant(), 0);
    bench.output();
    // SUBSCRIBE sent again, with DUP; bits beside the QoS.
    bench.send(&[0x8a, 6, 0, 1, 0, 1, b'a', 0xf1]);
    assert!(matches!(bench.effects().as_slice(), [Effect::Subscribe(subscribe)] if subscribe.filters[0].qos == 1));
    bench.protocol.subscribed(&[crate::mqtt::FilterOutcome::Granted]);
    bench.send(&[0xc7, 0]);
    bench.send(&[0xaa, 5, 0, 2, 0, 1, b'a']);
    assert_eq!(bench.output(), [0x90, 3, 0, 1, 1, 0xd0, 0, 0xb0, 2, 0, 2]);
    bench.effects();
    bench.send(&[0xe3, 0]);
    assert_eq!(bench.closing(), Closing::Client);

    let mut connect = raw("MQTT", 4, 2, 60, b"\0\x01c");
    connect[0] = 0x11;
    assert!(matches!(refused(&connect).1, Closing::Violated(Violation::Malformed { packet: "CONNECT", .. })));
}

#[test]
fn other_versions_are_told_so() {
    let version = Closing::Refused(Refusal::ProtocolVersion);
    for (name, level, answer) in [
        ("MQTT", 0, &[0x20, 2, 0, 1][..]),
        ("MQTT", 3, &[0x20, 2, 0, 1]),
        ("MQIsdp", 4, &[0x20, 2, 0, 1]),
        ("MQTT", 0x84, &[0x20, 2, 0, 1]),
        ("MQTT", 6, &[0x20, 3, 0, 0x84, 0]),
    ] {
        assert_eq!(refused(&raw(name, level, 2, 60, b"\0\x01c")), (answer.to_vec(), version.clone()), "{name} {level}");
    }
}

fn will_5(qos: types::QoS, retain: bool, topic: &'static str) -> v5::LastWill {
    v5::LastWill {
        qos,
        retain,
        topic: topic.into(),
        message: Bytes::from_static(b"gone"),
        will_delay_interval_sec: Some(7),
        correlation_data: Some(Bytes::from_static(&[0, 1])),
        message_expiry_interval: std::num::NonZeroU32::new(60),
        content_type: Some("text/plain".into()),
        user_properties: vec![("k".into(), "v".into())],
        is_utf8_payload: Some(true),
        response_topic: Some("reply".into()),
    }
}

#[test]
fn a_will_is_handed_over_with_all_its_properties() {
    let mut bench = Bench::new(Version::V5);
    let last_will = Some(will_5(types::QoS::AtLeastOnce, false, "yard/1"));
    bench.send_5(v5::Connect { last_will, session_expiry_interval_secs: 60, ..connect_5() }.into());
    let effects = bench.effects();
    let [Effect::Connect(connect)] = effects.as_slice() else { panic!("{effects:?}") };
    let properties = MessageProperties {
        payload_format: Some(1),
        expiry_s: Some(60),
        content_type: Some("text/plain".into()),
        response_topic: Some("reply".into()),
        correlation_data: Some(Bytes::from_static(&[0, 1])),
        user: vec![("k".into(), "v".into())],
    };
    let (topic, payload) = ("yard/1".into(), Bytes::from_static(b"gone"));
    assert_eq!(connect.will.as_deref(), Some(&Will { topic, payload, qos: 1, properties, delay_s: 7 }));
    assert_eq!(connect.session_expiry_s, 60);

    // Retain cannot be refused before MQTT 5: as with a PUBLISH, it is an ordinary message.
    let mut bench = Bench::new(Version::V3_1_1);
    bench.send(&raw("MQTT", 4, 0x2c, 60, b"\0\x01c\0\x01t\0\x01m"));
    let effects = bench.effects();
    let [Effect::Connect(connect), Effect::Ignored(ignored)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*ignored, Ignored::Retain { topic: "t".into() });
    let (payload, properties) = (Bytes::from_static(b"m"), MessageProperties::default());
    assert_eq!(connect.will.as_deref(), Some(&Will { topic: "t".into(), payload, qos: 1, properties, delay_s: 0 }));
    assert_eq!((connect.clean_start, connect.session_expiry_s), (false, u32::MAX));
}

#[test]
fn a_will_that_could_not_be_a_publish_is_refused() {
    use v5::ConnectAckReason as Reason;
    let long: &'static str = Box::leak("x".repeat(129).into_boxed_str());
    for (qos, retain, topic, reason) in [
        (types::QoS::ExactlyOnce, false, "t", Reason::QosNotSupported),
        (types::QoS::AtMostOnce, true, "t", Reason::RetainNotSupported),
        (types::QoS::AtMostOnce, false, "a/#", Reason::TopicNameInvalid),
        (types::QoS::AtMostOnce, false, "", Reason::TopicNameInvalid),
        (types::QoS::AtMostOnce, false, long, Reason::TopicNameInvalid),
    ] {
        let (ack, _) = refused_5(v5::Connect { last_will: Some(will_5(qos, retain, topic)), ..connect_5() });
        assert_eq!(ack.reason_code, reason, "{qos:?} {retain} {topic:?}");
    }
    let (output, closing) = refused(&raw("MQTT", 4, 0x16, 60, b"\0\x01c\0\x01t\0\x01m"));
    assert_eq!((output, closing), (vec![], Closing::Violated(Violation::Qos2)), "before MQTT 5 nothing can say so");
}

#[test]
fn a_client_says_with_disconnect_what_becomes_of_will_and_session() {
    let said = |expiry_s: u32, disconnect: v5::Disconnect| {
        let settings = v5::Connect { session_expiry_interval_secs: expiry_s, ..v5::Connect::default() };
        let mut bench = Bench::open_as(Version::V5, Limits::default(), settings);
        bench.send_5(disconnect.into());
        bench.effects()
    };
    let plain = v5::Disconnect::new(v5::DisconnectReasonCode::NormalDisconnection);
    let with_will = v5::Disconnect::new(v5::DisconnectReasonCode::DisconnectWithWillMessage);
    let gone = |with_will, session_expiry_s| {
        vec![Effect::Disconnected(Disconnected { with_will, session_expiry_s }), Effect::Close(Closing::Client)]
    };
    assert_eq!(said(0, plain.clone()), gone(false, None));
    assert_eq!(said(0, with_will), gone(true, None));
    let expiring = v5::Disconnect { session_expiry_interval_secs: Some(5), ..plain };
    assert_eq!(said(60, expiring.clone()), gone(false, Some(5)));
    assert_eq!(said(0, expiring), vec![Effect::Close(Closing::Violated(Violation::SessionExpiry))]);
}

#[test]
fn a_session_goes_on_with_its_subscriptions() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let mut bench = Bench::new(version);
        match version {
            Version::V3_1 => bench.send(&raw("MQIsdp", 3, 0, 60, b"\0\x01c")),
            Version::V3_1_1 | Version::V5 => {
                bench.send_connect(v5::Connect { session_expiry_interval_secs: 60, ..v5::Connect::default() });
            }
        }
        bench.effects();
        let subscriptions = vec![Subscription { filter: "a/+".into(), qos: 1, no_local: false }];
        let session = SessionGrant { present: true, expiry_s: 60, subscriptions: subscriptions.clone() };
        bench.protocol.accept(&Grant { session, ..grant() }, 0);
        match version {
            Version::V3_1 => assert_eq!(bench.output(), [0x20, 2, 0, 0], "3.1 has no such flag"),
            Version::V3_1_1 => assert_eq!(bench.output(), [0x20, 2, 1, 0]),
            Version::V5 => {
                let packets = bench.output_5();
                let [v5::Packet::ConnectAck(ack)] = packets.as_slice() else { panic!("{packets:?}") };
                assert_eq!((ack.session_present, ack.session_expiry_interval_secs), (true, None), "as it was asked for");
            }
        }
        assert_eq!(bench.protocol.subscriptions(), subscriptions);
        assert!(bench.is_subscribed("a/b"));
    }
}

#[test]
fn enhanced_authentication_is_refused_and_a_password_ignored() {
    let (ack, closing) = refused_5(v5::Connect { auth_method: Some("SCRAM".into()), ..connect_5() });
    assert_eq!(ack.reason_code, v5::ConnectAckReason::BadAuthenticationMethod);
    assert_eq!(closing, Closing::Refused(Refusal::AuthenticationMethod));
    for (flags, level, rest) in [(0xc2, 4, &b"\0\x01c\0\x01u\0\x01p"[..]), (0x42, 5, b"\0\0\x01c\0\x01p")] {
        let mut bench = Bench::new(Version::V3_1_1);
        bench.send(&raw("MQTT", level, flags, 60, rest));
        assert!(matches!(bench.effects().as_slice(), [Effect::Connect(_)]), "level {level}");
    }
}

#[test]
fn a_connect_that_breaks_the_standard_gets_no_answer_before_mqtt_5() {
    for (what, bytes) in [
        ("password without user name", raw("MQTT", 4, 0x42, 60, b"\0\x01c\0\x01p")),
        ("reserved flag", raw("MQTT", 4, 0x03, 60, b"\0\x01c")),
        ("will QoS without will", raw("MQTT", 4, 0x0a, 60, b"\0\x01c")),
        ("will retain without will", raw("MQTT", 4, 0x22, 60, b"\0\x01c")),
        ("will QoS 3", raw("MQTT", 4, 0x1e, 60, b"\0\x01c\0\x01t\0\x01m")),
        ("bytes after its end", raw("MQTT", 4, 2, 60, b"\0\x01c\0")),
        ("user name missing", raw("MQTT", 4, 0x82, 60, b"\0\x01c")),
        ("client id cut off", raw("MQTT", 4, 2, 60, b"\0\x02c")),
        ("client id not UTF-8", raw("MQTT", 4, 2, 60, b"\0\x03\xed\xa0\x80")),
        ("control character in client id", raw("MQTT", 4, 2, 60, b"\0\x03a\nb")),
        ("U+0000 in user name", raw("MQTT", 4, 0x82, 60, b"\0\x01c\0\x01\0")),
        ("another protocol", raw("MQTU", 4, 2, 60, b"\0\x01c")),
        ("nothing in it", vec![0x10, 0]),
    ] {
        let (output, closing) = refused(&bytes);
        assert!(output.is_empty(), "{what}: {output:?}");
        assert!(matches!(closing, Closing::Violated(Violation::Malformed { packet: "CONNECT", .. })), "{what}: {closing:?}");
    }
    let (output, _) = refused(&raw("MQTT", 5, 2, 60, b"\0\0\x01c\0"));
    assert_eq!(&output[2..4], [0, 0x81]);
}

#[test]
fn the_first_packet_must_be_connect() {
    for first in [0x00, 0x20, 0x30, 0x82, 0xc0, 0xe0, 0xf0] {
        let (output, closing) = refused(&[first]);
        assert_eq!((output, closing), (Vec::new(), Closing::Violated(Violation::FirstPacketNotConnect)), "{first:#x}");
    }
}

#[test]
fn f26_a_connect_that_announces_too_much_ends_at_once() {
    let announced = CONNECT_BYTES_MAX;
    let length = [0x80 | (announced & 0x7f) as u8, 0x80 | (announced >> 7 & 0x7f) as u8, (announced >> 14) as u8];
    assert_eq!(refused(&[&[0x10][..], &length].concat()).1, Closing::Violated(Violation::TooLarge));
    assert!(matches!(refused(&[0x10, 0xff, 0xff, 0xff, 0xff]).1, Closing::Violated(Violation::Malformed { .. })));
}

#[test]
fn a_second_connect_ends_the_session() {
    let mut bench = Bench::open(Version::V3_1_1);
    bench.send_3(connect_3("any").into());
    assert_eq!(bench.closing(), Closing::Violated(Violation::SecondConnect));
    let mut bench = Bench::open(Version::V5);
    bench.send_5(connect_5().into());
    assert_eq!(bench.disconnect_5().0.reason_code, v5::DisconnectReasonCode::ProtocolError);
}

#[test]
fn f14_an_owners_refusal_says_why_and_when_to_come_back() {
    let mut bench = Bench::new(Version::V5);
    bench.send_5(connect_5().into());
    bench.effects();
    bench.protocol.refuse(Refusal::RegistrationShed, Some(7));
    let packets = bench.output_5();
    let [v5::Packet::ConnectAck(ack)] = packets.as_slice() else { panic!("{packets:?}") };
    assert_eq!(ack.reason_code, v5::ConnectAckReason::ServerBusy);
    assert!(ack.reason_string.as_deref().is_some_and(|reason| reason.starts_with("registration_shed: ")));
    assert_eq!(ack.user_properties, [("retry_after_s".into(), "7".into())]);
    assert_eq!(bench.closing(), Closing::Refused(Refusal::RegistrationShed));

    let mut bench = Bench::new(Version::V3_1_1);
    bench.send_3(connect_3("any").into());
    bench.effects();
    bench.protocol.refuse(Refusal::DeviceFrozen, None);
    assert_eq!(bench.output(), [0x20, 2, 0, 5]);
}

#[test]
fn a_rejection_is_named_by_its_own_code() {
    let mut bench = Bench::new(Version::V5);
    bench.send_5(connect_5().into());
    bench.effects();
    let (code, text) = ("product_in_another_space".into(), "product p is not in the resource space".into());
    bench.protocol.refuse(Refusal::RegistrationRuledOut { code, text }, None);
    let packets = bench.output_5();
    let [v5::Packet::ConnectAck(ack)] = packets.as_slice() else { panic!("{packets:?}") };
    let reason = ack.reason_string.as_deref().expect("a reason");
    assert!(reason.starts_with("product_in_another_space: ") && reason.ends_with("product p is not in the resource space"));
}

#[test]
fn a_client_that_wants_no_reasons_or_has_no_room_gets_the_code_alone() {
    for settings in [
        v5::Connect { request_problem_info: false, ..connect_5() },
        v5::Connect { max_packet_size: std::num::NonZeroU32::new(20), ..connect_5() },
    ] {
        let (ack, _) = refused_5(v5::Connect { auth_method: Some("SCRAM".into()), ..settings });
        assert_eq!((ack.reason_code, ack.reason_string), (v5::ConnectAckReason::BadAuthenticationMethod, None));
    }
    for bytes in 1..8 {
        let mut bench = Bench::new(Version::V5);
        bench.send_5(v5::Connect { max_packet_size: std::num::NonZeroU32::new(bytes), ..connect_5() }.into());
        bench.effects();
        bench.protocol.accept(&grant(), 0);
        assert!(bench.output().len() <= bytes as usize);
        assert_eq!(bench.closing(), Closing::Refused(Refusal::PacketTooLarge));
    }
}

#[test]
fn what_is_sent_ahead_of_connack_waits_for_it() {
    let mut bench = Bench::new(Version::V3_1_1);
    let ahead = [encoded_3(connect_3("any").into()), encoded_3(publish_packet("a", "early", Some(1)).into())].concat();
    bench.send(&ahead);
    assert!(matches!(bench.effects().as_slice(), [Effect::Connect(_)]));
    bench.protocol.accept(&grant(), 0);
    let publish = bench.published();
    assert_eq!((publish.topic.as_str(), &*publish.payload), ("a", &b"early"[..]));
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let mut bench = Bench::new(Version::V3_1_1);
    bench.protocol.accept(&grant(), 0);
    bench.protocol.subscribed(&[]);
    bench.protocol.published(PublishRef(7), PublishOutcome::Stored);
    assert_eq!((bench.effects(), bench.output()), (vec![], vec![]));
    bench.protocol.refuse(Refusal::NotReady, None);
    assert_eq!((bench.closing(), bench.output()), (Closing::Refused(Refusal::NotReady), vec![]));
    bench.send_3(connect_3("any").into());
    bench.protocol.accept(&grant(), 0);
    bench.protocol.close(Refusal::ShuttingDown);
    assert_eq!((bench.effects(), bench.output(), bench.protocol.wants_input()), (vec![], vec![], false));
}
