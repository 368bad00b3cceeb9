//! Ends of a session, each with messages that were taken before it.

use rollcall_domain::refusal::Refusal;

use super::*;
use crate::mqtt::{
    limits::{GOODBYE_MS_MAX, GOODBYE_QUIET_MS},
    violation::Violation,
};

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];
const DISCONNECT: [u8; 2] = [0xe0, 0];

type End = fn(&mut Bench);

/// Every end that can come while a message is being stored.
fn ends() -> Vec<(End, Closing)> {
    vec![
        (|bench| bench.send(&DISCONNECT), Closing::Client),
        (|bench| bench.protocol.receive_ended(), Closing::Gone),
        (
            |bench| {
                bench.send(&DISCONNECT);
                bench.protocol.receive_ended();
                bench.protocol.close(Refusal::DeviceFrozen);
            },
            Closing::Client,
        ),
        (|bench| bench.send(&[0x10, 0]), Closing::Violated(Violation::SecondConnect)),
        (|bench| bench.protocol.close(Refusal::DeviceFrozen), Closing::Refused(Refusal::DeviceFrozen)),
        (
            |bench| {
                bench.protocol.leave(Refusal::TakenOver);
                bench.protocol.receive_ended();
            },
            Closing::Refused(Refusal::TakenOver),
        ),
        (
            |bench| {
                bench.protocol.receive_ended();
                bench.protocol.close(Refusal::DeviceFrozen);
            },
            Closing::Refused(Refusal::DeviceFrozen),
        ),
    ]
}

#[test]
fn f46_whatever_ends_the_session_what_was_taken_is_answered_first() {
    for version in VERSIONS {
        for (number, (end, closing)) in ends().into_iter().enumerate() {
            for id in [None, Some(7)] {
                let mut bench = Bench::open(version);
                bench.send_publish("a", "m", id);
                let publish = bench.published().publish;
                end(&mut bench);
                assert_eq!(bench.effects(), [], "end {number}");
                assert!(!bench.protocol.wants_input() && bench.output().is_empty(), "end {number}");
                bench.stored(publish);
                let output = bench.output();
                assert_eq!(output.first() == Some(&0x40), id.is_some(), "end {number}: {output:?}");
                assert_eq!(bench.closing(), closing, "end {number}");
            }
        }
    }
}

#[test]
fn with_nothing_taken_every_end_is_at_once() {
    for (number, (end, closing)) in ends().into_iter().enumerate() {
        let mut bench = Bench::open(Version::V5);
        end(&mut bench);
        // There is nothing that a later end would wait for.
        let first = if number == 6 { Closing::Gone } else { closing };
        assert_eq!(bench.closing(), first, "end {number}");
    }
}

#[test]
fn answers_are_waited_for_within_a_bound_that_begins_with_the_end() {
    for (number, (end, closing)) in ends().into_iter().enumerate() {
        let mut bench = Bench::open(Version::V3_1_1);
        bench.send_publish("a", "m", None);
        bench.effects();
        bench.now_ms = 40_000;
        end(&mut bench);
        bench.protocol.tick(bench.now_ms);
        assert_eq!(bench.protocol.deadline_ms(), Some(40_000 + GOODBYE_MS_MAX), "end {number}");
        bench.protocol.tick(40_000 + GOODBYE_MS_MAX - 1);
        assert_eq!(bench.effects(), [], "end {number}");
        bench.protocol.tick(40_000 + GOODBYE_MS_MAX);
        assert_eq!(bench.closing(), closing, "end {number}");
    }
}

/// Answers the oldest message until there is none; the payloads that were taken.
fn answer_all(bench: &mut Bench) -> (Vec<String>, Option<Closing>) {
    let (mut waiting, mut taken, mut closing) = (std::collections::VecDeque::new(), Vec::new(), None);
    loop {
        for effect in bench.effects() {
            match effect {
                Effect::Publish(publish) => {
                    taken.push(String::from_utf8(publish.payload.to_vec()).unwrap());
                    waiting.push_back(publish.publish);
                }
                Effect::Disconnected(_) => {}
                Effect::Close(end) => closing = Some(end),
                other => panic!("{other:?}"),
            }
        }
        match waiting.pop_front() {
            Some(publish) => bench.stored(publish),
            None => return (taken, closing),
        }
    }
}

#[test]
fn what_is_behind_a_full_window_is_taken_before_the_end() {
    let limits = Limits { receive_maximum: 1, ..Limits::default() };
    let all: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    for version in VERSIONS {
        let burst = |disconnect: bool| {
            let mut bench = Bench::open_as(version, limits, v5::Connect::default());
            for (number, payload) in all.iter().enumerate() {
                bench.send_publish("a", payload, (number % 2 == 1).then_some(number as u16));
            }
            if disconnect {
                bench.send(&DISCONNECT);
            }
            bench
        };
        let mut bench = burst(true);
        bench.protocol.receive_ended();
        assert_eq!(answer_all(&mut bench), (all.clone(), Some(Closing::Client)));
        let mut bench = burst(false);
        bench.protocol.receive_ended();
        assert_eq!(answer_all(&mut bench), (all.clone(), Some(Closing::Gone)));
        let mut bench = burst(false);
        bench.protocol.leave(Refusal::TakenOver);
        assert_eq!(answer_all(&mut bench), (all.clone(), None));
        bench.send_publish("a", "still in the socket", None);
        assert_eq!(answer_all(&mut bench), (vec!["still in the socket".to_owned()], None));
        bench.protocol.receive_ended();
        assert_eq!(answer_all(&mut bench), (vec![], Some(Closing::Refused(Refusal::TakenOver))));
    }
}

#[test]
fn a_session_that_keeps_its_rights_reads_until_it_is_quiet() {
    let mut bench = Bench::open(Version::V5);
    bench.now_ms = 40_000;
    bench.protocol.leave(Refusal::TakenOver);
    bench.protocol.tick(bench.now_ms);
    for _ in 0..3 {
        assert_eq!(bench.protocol.deadline_ms(), Some(bench.now_ms + GOODBYE_QUIET_MS));
        bench.now_ms += GOODBYE_QUIET_MS - 1;
        bench.send_publish("a", "m", None);
        let publish = bench.published().publish;
        bench.stored(publish);
    }
    bench.protocol.tick(bench.now_ms + GOODBYE_QUIET_MS);
    assert_eq!(bench.closing(), Closing::Refused(Refusal::TakenOver));

    // What is not read for other reasons is waited for.
    let mut bench = Bench::open(Version::V5);
    bench.protocol.suspend_reading(true);
    bench.protocol.leave(Refusal::TakenOver);
    bench.protocol.tick(0);
    assert_eq!(bench.protocol.deadline_ms(), Some(GOODBYE_MS_MAX));
    bench.protocol.suspend_reading(false);
    bench.protocol.tick(1_000);
    assert_eq!(bench.protocol.deadline_ms(), Some(1_000 + GOODBYE_QUIET_MS));
}

#[test]
fn nothing_more_is_taken_from_a_device_that_has_lost_its_rights() {
    let limits = Limits { receive_maximum: 1, ..Limits::default() };
    let mut bench = Bench::open_as(Version::V3_1_1, limits, v5::Connect::default());
    for payload in ["1", "2", "3", "4"] {
        bench.send_publish("a", payload, None);
    }
    bench.protocol.receive_ended();
    bench.protocol.close(Refusal::DeviceFrozen);
    let taken = ["1", "2"].map(str::to_owned).to_vec();
    assert_eq!(answer_all(&mut bench), (taken, Some(Closing::Refused(Refusal::DeviceFrozen))));
}

#[test]
fn nothing_behind_a_message_that_could_not_be_stored_is_acknowledged() {
    for leaves in [false, true] {
        let mut bench = Bench::open(Version::V3_1_1);
        for id in 1..=3 {
            bench.send_publish("a", "m", Some(id));
        }
        let [first, second, third] = bench.references()[..] else { panic!("three messages") };
        if leaves {
            bench.send(&DISCONNECT);
        }
        bench.stored(first);
        bench.protocol.published(second, PublishOutcome::Failed);
        bench.stored(third);
        let closing = if leaves { Closing::Client } else { Closing::Refused(Refusal::RegistryUnavailable) };
        assert_eq!((bench.output(), bench.closing()), (vec![0x40, 2, 0, 1], closing));
    }
}
