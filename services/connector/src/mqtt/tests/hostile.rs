//! Packets that no honest client sends, and random ones.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::mqtt::{FilterOutcome, violation::Violation};

/// Ends an open session of 3.1.1.
fn ends(what: &str, bytes: &[u8]) -> Closing {
    let mut bench = Bench::open(Version::V3_1_1);
    bench.send(bytes);
    let effects = bench.effects();
    let [Effect::Close(closing)] = effects.as_slice() else { panic!("{what}: expected the end alone, got {effects:?}") };
    assert!(bench.output().is_empty(), "{what}");
    closing.clone()
}

#[test]
fn f27_packets_that_only_a_server_sends_end_the_session() {
    for (packet, bytes) in [
        ("CONNACK", &[0x20, 2, 0, 0][..]),
        ("PUBREC", &[0x50, 2, 0, 1]),
        ("PUBREL", &[0x62, 2, 0, 1]),
        ("PUBCOMP", &[0x70, 2, 0, 1]),
        ("SUBACK", &[0x90, 3, 0, 1, 0]),
        ("UNSUBACK", &[0xb0, 2, 0, 1]),
        ("PINGRESP", &[0xd0, 0]),
    ] {
        assert_eq!(ends(packet, bytes), Closing::Violated(Violation::UnexpectedPacket { packet }));
    }
    for reserved in [0x00, 0x0f, 0xf0] {
        assert!(matches!(ends("reserved", &[reserved, 0]), Closing::Violated(Violation::Malformed { .. })));
    }
    let mut bench = Bench::open(Version::V5);
    bench.send(&[0xf0, 0]);
    assert_eq!(bench.closing(), Closing::Violated(Violation::UnexpectedPacket { packet: "AUTH" }));
}

#[test]
fn flags_bodies_and_lengths_are_the_ones_reserved() {
    for (what, bytes) in [
        ("PINGREQ with a flag", &[0xc1, 0][..]),
        ("PINGREQ with a body", &[0xc0, 1, 0]),
        ("DISCONNECT with a flag", &[0xe2, 0]),
        ("DISCONNECT with a body", &[0xe0, 1, 0]),
        ("PUBACK with a flag", &[0x42, 2, 0, 1]),
        ("PUBACK of id 0", &[0x40, 2, 0, 0]),
        ("PUBACK too long", &[0x40, 3, 0, 1, 0]),
        ("PUBACK too short", &[0x40, 1, 0]),
        ("SUBSCRIBE without its flag", &[0x80, 6, 0, 1, 0, 1, b'a', 0]),
        ("SUBSCRIBE of id 0", &[0x82, 6, 0, 0, 0, 1, b'a', 0]),
        ("SUBSCRIBE without a QoS", &[0x82, 5, 0, 1, 0, 1, b'a']),
        ("SUBSCRIBE at QoS 3", &[0x82, 6, 0, 1, 0, 1, b'a', 3]),
        ("SUBSCRIBE with a reserved bit", &[0x82, 6, 0, 1, 0, 1, b'a', 0x41]),
        ("SUBSCRIBE with a byte left", &[0x82, 7, 0, 1, 0, 1, b'a', 0, 0]),
        ("UNSUBSCRIBE cut off", &[0xa2, 4, 0, 1, 0, 1]),
        ("PUBLISH at QoS 3", &[0x36, 5, 0, 1, b'a', 0, 1]),
        ("PUBLISH of id 0", &[0x32, 5, 0, 1, b'a', 0, 0]),
        ("PUBLISH without its id", &[0x32, 3, 0, 1, b'a']),
        ("PUBLISH again at QoS 0", &[0x38, 3, 0, 1, b'a']),
        ("PUBLISH with a cut topic", &[0x30, 3, 0, 2, b'a']),
        ("PUBLISH to half a character", &[0x30, 5, 0, 3, 0xed, 0xa0, 0x80]),
        ("a length of five bytes", &[0x30, 0x80, 0x80, 0x80, 0x80, 1]),
    ] {
        assert!(matches!(ends(what, bytes), Closing::Violated(Violation::Malformed { .. })), "{what}");
    }
    for (what, bytes) in [
        ("SUBSCRIBE to nothing", &[0x82, 2, 0, 1][..]),
        ("SUBSCRIBE to an empty filter", &[0x82, 5, 0, 1, 0, 0, 0]),
        ("SUBSCRIBE to a broken wildcard", &[0x82, 7, 0, 1, 0, 2, b'a', b'+', 0]),
        ("UNSUBSCRIBE from nothing", &[0xa2, 2, 0, 1]),
        ("UNSUBSCRIBE from an empty filter", &[0xa2, 4, 0, 1, 0, 0]),
        ("UNSUBSCRIBE from a control character", &[0xa2, 6, 0, 1, 0, 2, b'a', 1]),
    ] {
        assert_eq!(ends(what, bytes), Closing::Violated(Violation::TopicFilter), "{what}");
    }
    for (what, bytes) in [
        ("PUBLISH to nothing", &[0x30, 2, 0, 0][..]),
        ("PUBLISH to a wildcard", &[0x30, 3, 0, 1, b'#']),
        ("PUBLISH to DEL", &[0x30, 4, 0, 2, b'a', 0x7f]),
        ("PUBLISH to a C1 control", &[0x30, 4, 0, 2, 0xc2, 0x9f]),
    ] {
        assert_eq!(ends(what, bytes), Closing::Violated(Violation::TopicName), "{what}");
    }
}

#[test]
fn mqtt_5_writes_lengths_in_as_few_bytes_as_possible() {
    let mut bench = Bench::open(Version::V5);
    bench.send(&[0xc0, 0x80, 0]);
    assert_eq!(bench.disconnect_5().0.reason_code, v5::DisconnectReasonCode::MalformedPacket);
}

#[test]
fn a_disconnect_is_the_clients_own_end() {
    for bytes in [&[0xe0, 0][..], &[0xe0, 1, 4], &[0xe0, 2, 0, 0]] {
        let mut bench = Bench::open(Version::V5);
        bench.send(bytes);
        assert_eq!((bench.closing(), bench.output()), (Closing::Client, vec![]));
    }
}

/// An owner that answers everything at once and delivers every message back.
fn drive(protocol: &mut Protocol, effects: &mut Vec<Effect>, output: &mut Vec<u8>) {
    while let Some(effect) = protocol.next_effect() {
        effects.push(effect.clone());
        match effect {
            Effect::Connect(_) => protocol.accept(&grant(), 0),
            Effect::Publish(publish) => {
                let Publish { topic, payload, properties, qos, .. } = &*publish;
                let (implicit, own) = (topic.starts_with("$oc"), true);
                protocol.deliver(&Delivery { properties, implicit, own, ..delivery(topic, payload, *qos) });
                protocol.published(publish.publish, PublishOutcome::Stored);
            }
            Effect::Subscribe(subscribe) => protocol.subscribed(&vec![FilterOutcome::Granted; subscribe.filters.len()]),
            Effect::Unsubscribed(_)
            | Effect::Disconnected(_)
            | Effect::Dropped(_)
            | Effect::Ignored(_)
            | Effect::Close(_) => {}
        }
    }
    output.extend_from_slice(protocol.output());
    protocol.written(protocol.output().len());
}

/// All effects and all output, if the owner answers after each piece (`at_once`) or after the last.
fn run(pieces: &[&[u8]], at_once: bool) -> (Vec<Effect>, Vec<u8>) {
    let (mut effects, mut output) = (Vec::new(), Vec::new());
    let mut protocol = Protocol::new(Limits::default(), 0);
    for piece in pieces {
        protocol.receive(piece, 0);
        if at_once {
            drive(&mut protocol, &mut effects, &mut output);
        }
    }
    drive(&mut protocol, &mut effects, &mut output);
    (effects, output)
}

fn topics() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a".to_owned()),
        Just("a/b".to_owned()),
        Just("$oc/devices/dev1/x".to_owned()),
        "[a-c/+#]{1,6}",
        ".{0,9}"
    ]
}

fn publish_packets() -> impl Strategy<Value = types::Publish> {
    (topics(), vec(any::<u8>(), 0..300), proptest::option::of(1_u16..9), proptest::option::of(1_u16..20), ".{0,5}").prop_map(
        |(topic, payload, id, alias, text)| types::Publish {
            payload: payload.into(),
            properties: Some(v5::PublishProperties {
                topic_alias: alias.map(packet_id),
                content_type: (!text.is_empty()).then(|| text.as_str().into()),
                user_properties: vec![(text.as_str().into(), text.as_str().into())],
                ..Default::default()
            }),
            ..publish_packet(&topic, "", id)
        },
    )
}

/// Well-formed packets of a client, mostly.
fn packets(version: Version) -> impl Strategy<Value = Vec<u8>> {
    let subscribe = (topics(), 0_u8..3).prop_map(move |(filter, qos)| {
        let qos = types::QoS::try_from(qos).expect("0 to 2");
        let options = v5::SubscriptionOptions { qos, ..Default::default() };
        let (packet_id, user_properties) = (packet_id(1), Vec::new());
        match version {
            Version::V5 => encoded_5(
                v5::Subscribe { packet_id, id: None, user_properties, topic_filters: vec![(filter.into(), options)] }.into(),
            ),
            _ => encoded_3(v3::Packet::Subscribe { packet_id, topic_filters: vec![(filter.into(), qos)] }),
        }
        .to_vec()
    });
    let publish = publish_packets().prop_map(move |publish| match version {
        Version::V5 => encoded_5(publish.into()).to_vec(),
        _ => encoded_3(types::Publish { properties: None, ..publish }.into()).to_vec(),
    });
    prop_oneof![6 => publish, 2 => subscribe, 1 => Just(vec![0xc0, 0]), 1 => Just(vec![0x40, 2, 0, 1])]
}

/// A connection's bytes: CONNECT, packets, and here and there a byte that was changed.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let of = |version| {
        let connect = match version {
            Version::V5 => encoded_5(
                v5::Connect { client_id: "c".into(), keep_alive: 60, clean_start: true, ..Default::default() }.into(),
            ),
            _ => encoded_3(connect_3("c").into()),
        };
        (vec(packets(version), 0..20), vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)).prop_map(
            move |(packets, changes)| {
                let mut stream = [connect.to_vec(), packets.concat()].concat();
                for (index, byte) in changes {
                    let index = index.index(stream.len());
                    stream[index] = byte;
                }
                stream
            },
        )
    };
    prop_oneof![of(Version::V3_1_1), of(Version::V5), vec(any::<u8>(), 0..200)]
}

proptest! {
    #[test]
    fn f27_any_bytes_in_any_pieces_have_one_outcome(stream in streams(), cuts in vec(any::<prop::sample::Index>(), 0..12)) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let bounds: Vec<_> = [0].into_iter().chain(cuts).chain([stream.len()]).collect();
        let pieces: Vec<_> = bounds.windows(2).map(|bounds| &stream[bounds[0]..bounds[1]]).collect();
        let single: Vec<_> = stream.chunks(1).collect();
        let whole = run(&[&stream], false);
        for pieces in [pieces, single] {
            prop_assert_eq!(&run(&pieces, false), &whole);
            // An answer may come before the packet that ends the session, or after it: the output then ends sooner.
            prop_assert_eq!(&run(&pieces, true).0, &whole.0);
        }
    }

    /// What the codec's own client side writes is what the owner is told, byte for byte.
    #[test]
    fn messages_pass_unchanged(publish in publish_packets(), five in any::<bool>()) {
        let version = if five { Version::V5 } else { Version::V3_1_1 };
        let mut bench = Bench::open(version);
        let given = publish.properties.clone().expect("made with them");
        let fine = crate::mqtt::topic::is_topic_name(&publish.topic)
            && !(five && given.topic_alias.is_some_and(|alias| alias.get() > 16))
            && !(five && given.content_type.as_deref().is_some_and(|text| text.contains('\0')));
        if five { bench.send_5(publish.clone().into()) } else { bench.send_3(types::Publish { properties: None, ..publish.clone() }.into()) }
        match bench.effects().as_slice() {
            [Effect::Publish(got)] if fine => {
                prop_assert_eq!(&*got.topic, &*publish.topic);
                prop_assert_eq!(&got.payload, &publish.payload);
                prop_assert_eq!(got.qos, publish.qos.value());
                let content_type = given.content_type.as_deref().filter(|_| five);
                prop_assert_eq!(got.properties.content_type.as_deref(), content_type);
            }
            [Effect::Close(Closing::Violated(_))] if !fine => {}
            effects => prop_assert!(false, "{:?}", effects),
        }
    }

    /// Whatever the client's Maximum Packet Size, no packet is larger.
    #[test]
    fn no_packet_is_larger_than_the_client_takes(room in 1_u32..400, publishes in vec(publish_packets(), 0..8)) {
        let mut bench = Bench::new(Version::V5);
        bench.send_connect(v5::Connect { max_packet_size: std::num::NonZeroU32::new(room), ..Default::default() });
        let (mut effects, mut output) = (Vec::new(), Vec::new());
        drive(&mut bench.protocol, &mut effects, &mut output);
        for publish in publishes {
            bench.send_5(publish.into());
            drive(&mut bench.protocol, &mut effects, &mut output);
        }
        let (mut bytes, mut codec) = (BytesMut::from(&*output), v5::Codec::default());
        let mut before = bytes.len();
        while codec.decode(&mut bytes).expect("the server's packets are well-formed").is_some() {
            prop_assert!(before - bytes.len() <= room as usize);
            before = bytes.len();
        }
        prop_assert!(bytes.is_empty());
    }
}
