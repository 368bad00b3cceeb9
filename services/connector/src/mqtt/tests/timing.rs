//! Time: CONNECT's deadline, keep-alive, and whose turn it is.

use rollcall_domain::refusal::Refusal;

use super::*;
use crate::mqtt::violation::Violation;

#[test]
fn f26_a_silent_client_has_until_the_deadline() {
    let mut bench = Bench::new(Version::V3_1_1);
    assert_eq!(bench.protocol.deadline_ms(), Some(10_000));
    bench.now_ms = 9_999;
    bench.send(&[0x10]);
    bench.protocol.tick(9_999);
    assert_eq!((bench.effects(), bench.protocol.deadline_ms()), (vec![], Some(10_000)));
    bench.protocol.tick(10_000);
    assert_eq!(bench.closing(), Closing::Violated(Violation::ConnectTooSlow));
    assert_eq!(bench.protocol.deadline_ms(), None);
}

#[test]
fn while_the_owner_judges_no_time_runs() {
    let mut bench = Bench::new(Version::V3_1_1);
    bench.send_3(connect_3("any").into());
    bench.effects();
    assert_eq!(bench.protocol.deadline_ms(), None);
    bench.protocol.tick(1_000_000);
    bench.protocol.accept(&grant(), 1_000_000);
    assert_eq!(bench.protocol.deadline_ms(), Some(1_090_000));
}

#[test]
fn silence_for_one_and_a_half_keep_alives_ends_the_session() {
    let mut bench = Bench::open(Version::V5);
    bench.now_ms = 80_000;
    bench.send(&[0xc0, 0]);
    assert_eq!(bench.output(), [0xd0, 0]);
    assert_eq!(bench.protocol.deadline_ms(), Some(170_000));
    bench.protocol.tick(169_999);
    assert!(bench.is_open());
    bench.protocol.tick(170_000);
    let (disconnect, closing) = bench.disconnect_5();
    assert_eq!(disconnect.reason_code, v5::DisconnectReasonCode::KeepAliveTimeout);
    assert_eq!(closing, Closing::Refused(Refusal::KeepAliveTimedOut));
}

#[test]
fn a_large_message_on_a_slow_link_is_a_sign_of_life_and_a_dripping_one_is_not() {
    let message = encoded_3(publish_packet("a", &"x".repeat(100_000), None).into());
    let mut bench = Bench::open(Version::V3_1_1);
    for piece in message.chunks(2_000) {
        bench.now_ms += 60_000;
        bench.protocol.tick(bench.now_ms);
        bench.send(piece);
    }
    assert_eq!(bench.published().payload.len(), 100_000);

    let mut bench = Bench::open(Version::V3_1_1);
    for piece in message.chunks(1).take(20) {
        bench.now_ms += 10_000;
        bench.protocol.tick(bench.now_ms);
        bench.send(piece);
    }
    assert_eq!(bench.closing(), Closing::Refused(Refusal::KeepAliveTimedOut));
}

#[test]
fn a_client_is_not_blamed_for_an_owner_that_takes_its_time() {
    let limits = Limits { receive_maximum: 1, ..Limits::default() };
    let mut bench = Bench::open_as(Version::V3_1_1, limits, v5::Connect::default());
    bench.send_publish("a", "m", Some(1));
    bench.send_publish("a", "m", Some(2));
    let references = bench.references();
    assert_eq!(bench.protocol.deadline_ms(), None);
    bench.protocol.tick(500_000);
    bench.protocol.tick(1_000_000);
    for publish in references {
        bench.stored(publish);
    }
    // The owner is asked what time it is, and the client's time starts there.
    assert_eq!(bench.protocol.deadline_ms(), Some(1_000_000));
    bench.protocol.tick(1_000_100);
    assert_eq!(bench.protocol.deadline_ms(), Some(1_090_100));
    assert!(bench.is_open());
}

#[test]
fn a_client_is_not_blamed_for_what_the_owner_leaves_unread() {
    let mut bench = Bench::open(Version::V5);
    bench.protocol.suspend_reading(true);
    assert_eq!(bench.protocol.deadline_ms(), None);
    bench.protocol.tick(1_000_000);
    bench.protocol.suspend_reading(true);
    assert!(bench.is_open());
    bench.protocol.suspend_reading(false);
    bench.protocol.tick(1_000_100);
    assert_eq!(bench.protocol.deadline_ms(), Some(1_090_100));
    bench.protocol.suspend_reading(false);
    bench.protocol.tick(1_090_100);
    assert_eq!(bench.closing(), Closing::Refused(Refusal::KeepAliveTimedOut));
}

#[test]
fn before_connack_an_owner_that_leaves_bytes_unread_does_not_put_off_the_deadline() {
    let mut bench = Bench::new(Version::V3_1_1);
    bench.protocol.suspend_reading(true);
    assert_eq!(bench.protocol.deadline_ms(), Some(10_000));
}

#[test]
fn a_client_that_takes_nothing_is_a_slow_consumer() {
    let payload = Bytes::from(vec![0; 300_000]);
    let mut bench = Bench::open(Version::V3_1_1);
    bench.protocol.deliver(&Delivery { implicit: true, ..delivery("$oc/a", &payload, 0) });
    bench.protocol.tick(60_000);
    bench.protocol.written(1);
    bench.protocol.tick(100_000);
    assert!(bench.is_open());
    bench.protocol.tick(190_000);
    assert_eq!(bench.closing(), Closing::Refused(Refusal::SlowConsumer));
}
