//! SUBSCRIBE and UNSUBSCRIBE.

use super::*;
use crate::mqtt::{FilterOutcome, FilterRequest, violation::Violation};

fn subscribe_3(filters: &[(&str, types::QoS)]) -> v3::Packet {
    let topic_filters = filters.iter().map(|(filter, qos)| ((*filter).into(), *qos)).collect();
    v3::Packet::Subscribe { packet_id: packet_id(7), topic_filters }
}

fn subscribe_5(filters: &[&str]) -> v5::Subscribe {
    let options = v5::SubscriptionOptions { qos: types::QoS::AtLeastOnce, ..Default::default() };
    v5::Subscribe {
        packet_id: packet_id(7),
        id: None,
        user_properties: Vec::new(),
        topic_filters: filters.iter().map(|filter| ((*filter).into(), options)).collect(),
    }
}

#[test]
fn the_owner_rules_on_each_filter() {
    let mut bench = Bench::open(Version::V3_1_1);
    let [zero, two] = [types::QoS::AtMostOnce, types::QoS::ExactlyOnce];
    bench.send_3(subscribe_3(&[("a", zero), ("b/#", two), ("c", two)]));
    let effects = bench.effects();
    let [Effect::Subscribe(subscribe)] = effects.as_slice() else { panic!("{effects:?}") };
    let asked: Vec<_> =
        [("a", 0), ("b/#", 1), ("c", 1)].map(|(filter, qos)| FilterRequest { filter: filter.into(), qos }).into();
    assert_eq!(subscribe.filters, asked);
    assert!(bench.output().is_empty());
    bench.protocol.subscribed(&[FilterOutcome::Granted, FilterOutcome::Granted, FilterOutcome::Denied]);
    assert_eq!(bench.output(), [0x90, 5, 0, 7, 0, 1, 0x80]);
    assert_eq!(["a", "b/1", "c"].map(|topic| bench.is_subscribed(topic)), [true, true, false]);
}

#[test]
fn a_denied_filter_is_0x87_in_mqtt_5_and_a_missing_ruling_a_denial() {
    let mut bench = Bench::open(Version::V5);
    bench.send_5(subscribe_5(&["a", "b"]).into());
    bench.effects();
    bench.protocol.subscribed(&[FilterOutcome::Denied]);
    assert_eq!(bench.output(), [0x90, 5, 0, 7, 0, 0x87, 0x87]);
}

#[test]
fn what_follows_a_subscribe_is_read_after_its_ruling() {
    let mut bench = Bench::open(Version::V3_1_1);
    let subscribe = encoded_3(subscribe_3(&[("a", types::QoS::AtMostOnce)]));
    bench.send(&[subscribe, encoded_3(publish_packet("a", "m", None).into())].concat());
    assert!(matches!(bench.effects().as_slice(), [Effect::Subscribe(_)]));
    bench.protocol.subscribed(&[FilterOutcome::Granted]);
    assert_eq!(bench.published().topic, "a");
}

#[test]
fn shared_subscriptions_long_filters_and_too_many_are_refused_one_by_one() {
    let limits = Limits { subscriptions_max: 2, ..Limits::default() };
    let long = "f".repeat(129);
    let filters = ["a", "$share/g/a", &long, "b", "c", "a"];
    let mut bench = Bench::open_as(Version::V5, limits, v5::Connect::default());
    bench.send_5(subscribe_5(&filters).into());
    let effects = bench.effects();
    let [Effect::Subscribe(subscribe)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(subscribe.filters.iter().map(|asked| &*asked.filter).collect::<Vec<_>>(), ["a", "b"]);
    bench.protocol.subscribed(&[FilterOutcome::Granted; 2]);
    assert_eq!(bench.output()[5..], [1, 0x9e, 0x8f, 1, 0x97, 0x97]);

    // Subscribing again to what one has needs no room.
    bench.send_5(subscribe_5(&["a", "c"]).into());
    bench.effects();
    bench.protocol.subscribed(&[FilterOutcome::Granted]);
    assert_eq!(bench.output()[5..], [1, 0x97]);

    let mut bench = Bench::open(Version::V3_1_1);
    bench.send_3(subscribe_3(&[("$share/g/a", types::QoS::AtMostOnce)]));
    assert_eq!((bench.effects(), bench.output()), (vec![], vec![0x90, 3, 0, 7, 0x80]));
}

#[test]
fn f10_a_malformed_filter_ends_the_session() {
    for filter in ["a+", "a/#/b", "", "a\u{1}"] {
        let mut bench = Bench::open(Version::V5);
        bench.send_5(subscribe_5(&["ok", filter]).into());
        let (disconnect, closing) = bench.disconnect_5();
        assert_eq!(disconnect.reason_code, v5::DisconnectReasonCode::TopicFilterInvalid);
        assert_eq!(closing, Closing::Violated(Violation::TopicFilter));
    }
}

#[test]
fn a_subscription_identifier_ends_the_session() {
    let mut bench = Bench::open(Version::V5);
    bench.send_5(v5::Subscribe { id: Some(std::num::NonZeroU32::MIN), ..subscribe_5(&["a"]) }.into());
    let code = bench.disconnect_5().0.reason_code;
    assert_eq!(code, v5::DisconnectReasonCode::SubscriptionIdentifiersNotSupported);
}

#[test]
fn unsubscribing_is_answered_and_told() {
    for version in [Version::V3_1_1, Version::V5] {
        let mut bench = Bench::open(version);
        let topic_filters = vec!["a".into(), "b".into()];
        let unsubscribe = match version {
            Version::V5 => {
                bench.send_5(subscribe_5(&["a"]).into());
                let user_properties = Vec::new();
                encoded_5(v5::Unsubscribe { packet_id: packet_id(8), user_properties, topic_filters }.into())
            }
            Version::V3_1 | Version::V3_1_1 => {
                bench.send_3(subscribe_3(&[("a", types::QoS::AtMostOnce)]));
                encoded_3(v3::Packet::Unsubscribe { packet_id: packet_id(8), topic_filters })
            }
        };
        bench.effects();
        bench.protocol.subscribed(&[FilterOutcome::Granted]);
        bench.output();
        bench.send(&unsubscribe);
        assert_eq!(bench.effects(), [Effect::Unsubscribed(vec!["a".into()])]);
        let expected: &[u8] = if version == Version::V5 { &[0xb0, 5, 0, 8, 0, 0, 0x11] } else { &[0xb0, 2, 0, 8] };
        assert_eq!(bench.output(), expected);
        assert!(bench.is_open() && !bench.is_subscribed("a"));
    }
}

/// A session that is kept goes on with what its owner is told when it hears of the change, and by then it may have ended.
#[test]
fn what_is_subscribed_to_outlives_a_goodbye_in_the_same_write() {
    const DISCONNECT: [u8; 2] = [0xe0, 0];
    let filters = |bench: &Bench| -> Vec<String> {
        bench.protocol.subscriptions().iter().map(|subscription| subscription.filter.to_string()).collect()
    };
    let mut bench = Bench::open(Version::V3_1_1);
    let subscribe = encoded_3(subscribe_3(&[("a", types::QoS::AtLeastOnce), ("b", types::QoS::AtLeastOnce)]));
    bench.send(&subscribe);
    bench.effects();
    bench.protocol.subscribed(&[FilterOutcome::Granted; 2]);
    let unsubscribe = encoded_3(v3::Packet::Unsubscribe { packet_id: packet_id(8), topic_filters: vec!["a".into()] });
    bench.send(&[&unsubscribe[..], &DISCONNECT].concat());
    assert!(!bench.is_open());
    assert_eq!(filters(&bench), ["b"]);

    let mut bench = Bench::open(Version::V3_1_1);
    bench.send(&[&subscribe[..], &DISCONNECT].concat());
    bench.effects();
    bench.protocol.subscribed(&[FilterOutcome::Granted; 2]);
    assert!(!bench.is_open());
    assert_eq!(filters(&bench), ["a", "b"]);
}
