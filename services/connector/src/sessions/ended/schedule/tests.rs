//! What is due for which end of a session, and when.

use std::{sync::LazyLock, time::Duration};

use rollcall_domain::{
    authenticate::{Identification, Recognised},
    certificate::{CertificateFacts, path::Proven},
};

use super::*;
use crate::sessions::{
    ended::{
        entries::{UNSTORED_BYTES_MAX, WILLS_OF_DEVICE_MAX},
        will::{KeptWill, SessionWill},
        work::RETRY_DELAY,
    },
    mailbox::Bounds,
    session::Opening,
};

const DELAY: Duration = Duration::from_secs(30);

static FACTS: LazyLock<Arc<CertificateFacts>> = LazyLock::new(|| {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    Arc::new(CertificateFacts::from_der(certificate.der()).unwrap())
});

fn device(name: &str) -> DeviceId {
    DeviceId::parse(name).unwrap()
}

fn connector(name: &str) -> ConnectorId {
    ConnectorId::parse(name).unwrap()
}

fn own() -> ConnectorId {
    connector("own")
}

fn of(connector_name: &str, number: u64) -> PresenceSession {
    PresenceSession { connector: connector(connector_name), number }
}

fn key(connector_name: &str, number: u64) -> DocumentKey {
    DocumentKey::Will(device("d1"), of(connector_name, number))
}

fn online(connector_name: &str, number: u64) -> PresenceChange {
    let at = Timestamp::from_unix_ms(0);
    PresenceChange::Online { device: device("d1"), session: of(connector_name, number), at }
}

fn lost(name: &str) -> PresenceChange {
    PresenceChange::ConnectorLost { connector: connector(name) }
}

fn will(delay: Duration, payload_bytes: usize) -> Box<KeptWill> {
    let holder =
        r#"{"registered_at_ms":0,"client_id":"c","sha256":"","sha1":"","not_after_ms":0,"ca_sha256":"","above":[]}"#;
    let (payload, delay_s) = ("0".repeat(2 * payload_bytes), delay.as_secs());
    let will = format!(r#"{{"holder":{holder},"topic":"yard/1","payload":"{payload}","qos":1,"delay_s":{delay_s}}}"#);
    Box::new(KeptWill::read(will.as_bytes()).unwrap())
}

/// A session of the device `d1` here, with this will.
fn session(number: u64, will: Box<KeptWill>, stored: Option<Revision>) -> Arc<Session> {
    let opening = Opening {
        device: Recognised { device: device("d1"), space: "space".parse().unwrap(), product: "truck".parse().unwrap() },
        identification: Identification { client_id: "c", user_name: None },
        facts: FACTS.clone(),
        path: Arc::new(Proven { ca: "ca".parse().unwrap(), ca_sha256: [0; 32], v1: false, chain: Vec::new() }),
        since: Timestamp::from_unix_ms(0),
    };
    let session = Session::new(number, opening, Bounds { messages_max: 1, bytes_max: 1 });
    session.set_will(SessionWill { will, stored });
    Arc::new(session)
}

/// What is due by then, told shortly.
fn due(schedule: &Schedule, by: Instant) -> Vec<(DocumentKey, &'static str)> {
    let taken = schedule.take(usize::MAX, by);
    schedule.done(taken.len());
    let told = |work: Work| match work {
        Work::Publish(Source::Document { .. }) => "publish what is stored",
        Work::Publish(Source::Left { .. }) => "publish what was left",
        Work::Publish(Source::Claimed(_)) => "publish what is claimed",
        Work::Publish(Source::Here(_)) => "publish what is here",
        Work::Discard { revision: Some(_), .. } => "discard what is stored",
        Work::Discard { revision: None, .. } => "discard what may be stored",
        Work::Withdraw => "withdraw",
        Work::KeepAgain(_) => "keep again",
        Work::Delete(_) | Work::Keep(_) | Work::Check(_) => "something else",
    };
    taken.into_iter().map(|(key, work)| (key, told(work))).collect()
}

/// How the session ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Broken,
    Goodbye,
    TakenOver,
    /// By a connection that presence has shown.
    Superseded,
}

#[test]
fn every_end_of_a_session_has_one_thing_done_with_its_will() {
    use End::{Broken, Goodbye, Superseded, TakenOver};
    let (none, stored) = (Duration::ZERO, Some(Revision(7)));
    let cases = [
        (Broken, none, stored, none, "publish what is stored"),
        (Broken, DELAY, stored, DELAY, "publish what is stored"),
        (Broken, none, None, none, "publish what is here"),
        (Broken, DELAY, None, DELAY, "publish what is here"),
        (Goodbye, none, stored, none, "discard what is stored"),
        (Goodbye, DELAY, stored, none, "discard what is stored"),
        (Goodbye, none, None, none, "discard what may be stored"),
        (Goodbye, DELAY, None, none, "discard what may be stored"),
        (TakenOver, none, stored, none, "publish what is stored"),
        (TakenOver, DELAY, stored, DELAY, "publish what is stored"),
        (Superseded, DELAY, stored, none, "publish what is stored"),
        (TakenOver, none, None, none, "publish what is here"),
        // Whether its session goes on would be read off its document.
        (TakenOver, DELAY, None, none, "discard what may be stored"),
        (Superseded, DELAY, None, none, "discard what may be stored"),
    ];
    for (end, delay, stored, due_after, what) in cases {
        let (schedule, now) = (Schedule::default(), Instant::now());
        let session = session(1, will(delay, 1), stored);
        match end {
            Broken => {}
            Goodbye => session.discard_will(),
            TakenOver | Superseded => session.mailbox.close(Refusal::TakenOver),
        }
        schedule.ended(&session, &own(), end == Superseded, now);
        schedule.ended(&session, &own(), end == Superseded, now);
        if due_after > none {
            assert_eq!(due(&schedule, now + due_after / 2), [], "{end:?} {delay:?} {stored:?}");
        }
        assert_eq!(due(&schedule, now + due_after), [(key("own", 1), what)], "{end:?} {delay:?} {stored:?}");
    }
}

#[test]
fn a_delay_ends_with_the_session_as_the_client_has_said_with_its_goodbye() {
    for (said_s, due_after) in [(0, Duration::ZERO), (10, Duration::from_secs(10)), (90, DELAY)] {
        let (schedule, now) = (Schedule::default(), Instant::now());
        let session = session(1, will(DELAY, 1), Some(Revision(7)));
        session.persistence.start().note_expiry(said_s);
        schedule.ended(&session, &own(), false, now);
        let publishes = |by| due(&schedule, by).contains(&(key("own", 1), "publish what is stored"));
        if due_after > Duration::ZERO {
            assert!(!publishes(now + due_after / 2), "{said_s}");
        }
        assert!(publishes(now + due_after), "{said_s}");
    }
}

#[test]
fn what_is_tried_again_does_not_take_the_place_of_what_is_to_be_done_since() {
    let (schedule, now) = (Schedule::default(), Instant::now());
    let session = session(1, will(Duration::ZERO, 1), None);
    schedule.keep_again(&session, &own(), now);
    assert_eq!(due(&schedule, now), [(key("own", 1), "keep again")]);
    session.discard_will();
    schedule.ended(&session, &own(), false, now);
    schedule.keep_again(&session, &own(), now);
    schedule.again(key("own", 1), now, Work::KeepAgain(session));
    assert_eq!(due(&schedule, now), [(key("own", 1), "discard what may be stored")]);
}

#[test]
fn what_is_due_first_is_taken_first_and_settled_when_it_is_done() {
    let (schedule, now) = (Schedule::default(), Instant::now());
    for (number, after) in [(1, 3), (2, 1), (3, 2)] {
        schedule.add(key("own", number), now + Duration::from_secs(after), Work::publish_document());
    }
    let taken = schedule.take(2, now + Duration::from_secs(3));
    assert_eq!(taken.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), [key("own", 2), key("own", 3)]);
    assert_eq!(schedule.lock().working, 2);
    schedule.done(2);
    assert_eq!(due(&schedule, now + Duration::from_secs(2)), []);
    assert_eq!(due(&schedule, now + Duration::from_secs(3)).len(), 1);
}

#[test]
fn a_newer_connection_ends_the_delay() {
    let (schedule, now) = (Schedule::default(), Instant::now());
    schedule.ended(&session(1, will(DELAY, 1), Some(Revision(7))), &own(), false, now);
    schedule.observe(&online("own", 1), &own(), now);
    assert_eq!(due(&schedule, now), [], "its own connection, shown late");
    schedule.observe(&online("other", 1), &own(), now);
    assert_eq!(due(&schedule, now), [(key("own", 1), "publish what is stored")]);

    schedule.ended(&session(2, will(DELAY, 1), None), &own(), false, now);
    schedule.observe(&online("other", 2), &own(), now);
    assert_eq!(due(&schedule, now), [(key("own", 2), "discard what may be stored")], "its session may go on");
}

#[test]
fn a_session_that_goes_on_cancels_a_delay_and_no_will_that_was_due() {
    let (schedule, now) = (Schedule::default(), Instant::now());
    let later = now + DELAY;
    schedule.ended(&session(1, will(DELAY, 1), Some(Revision(7))), &own(), false, now);
    // It was due, and could not be published yet.
    schedule.again(key("own", 0), now + RETRY_DELAY, Work::Publish(Source::Claimed(Revision(6))));
    schedule.cancel_delayed(&device("d1"), now);
    assert_eq!(due(&schedule, later), [(key("own", 0), "publish what is claimed")]);

    schedule.ended(&session(2, will(DELAY, 1), None), &own(), false, now);
    schedule.cancel_delayed(&device("d1"), now);
    assert_eq!(due(&schedule, later), [(key("own", 2), "discard what may be stored")]);

    // The document could not be deleted before the connection ended.
    schedule.again(key("own", 3), later, Work::Withdraw);
    schedule.ended(&session(3, will(DELAY, 1), Some(Revision(7))), &own(), false, now);
    assert_eq!(due(&schedule, later), [(key("own", 3), "discard what is stored")]);
    schedule.again(key("own", 4), later, Work::Withdraw);
    schedule.ended(&session(4, will(Duration::ZERO, 1), Some(Revision(7))), &own(), false, now);
    assert_eq!(due(&schedule, later), [(key("own", 4), "publish what is stored")], "that one is not withdrawn");
}

/// Presence shows that a connector is lost; the number of the watch, and what to look for.
fn lose(schedule: &Schedule, name: &str) -> Search {
    schedule.observe(&lost(name), &own(), Instant::now());
    schedule.lock().shown.take_search().unwrap()
}

fn adopt(schedule: &Schedule, search: &Search, number: u64, delay: Duration) {
    schedule.adopt_will(search.watch, &device("d1"), of("gone", number), Revision(7), (Instant::now(), delay));
}

#[test]
fn what_a_lost_connector_has_left_is_published_unless_it_is_back() {
    let schedule = Schedule::default();
    schedule.watching();
    schedule.observe(&online("gone", 1), &own(), Instant::now());
    schedule.observe(&PresenceChange::CaughtUp, &own(), Instant::now());
    let everything = schedule.lock().shown.take_search().unwrap();
    assert!(everything.everything);
    adopt(&schedule, &everything, 1, Duration::ZERO);
    assert_eq!(due(&schedule, Instant::now()), [], "presence shows it");
    schedule.searched(&everything);

    let search = lose(&schedule, "gone");
    assert_eq!(search.lost, [connector("gone")]);
    adopt(&schedule, &search, 1, Duration::ZERO);
    assert_eq!(due(&schedule, Instant::now()), [(key("gone", 1), "publish what was left")]);

    let search = lose(&schedule, "gone");
    schedule.observe(&online("gone", 2), &own(), Instant::now());
    adopt(&schedule, &search, 2, Duration::ZERO);
    assert_eq!(due(&schedule, Instant::now()), [], "shown while it was listed");
    schedule.searched(&search);

    let search = lose(&schedule, "gone");
    adopt(&schedule, &search, 3, DELAY);
    schedule.searched(&search);
    schedule.observe(&online("gone", 3), &own(), Instant::now());
    assert_eq!(due(&schedule, Instant::now() + DELAY), [], "shown while its will was delayed");

    let search = lose(&schedule, "gone");
    schedule.watch_ended();
    adopt(&schedule, &search, 4, Duration::ZERO);
    schedule.watching();
    adopt(&schedule, &search, 4, Duration::ZERO);
    assert_eq!(due(&schedule, Instant::now()), [], "it may have been shown since: the next watch looks again");
}

#[test]
fn a_connector_that_is_lost_again_is_looked_for_again() {
    let schedule = Schedule::default();
    schedule.watching();
    let first = lose(&schedule, "gone");
    schedule.observe(&online("gone", 1), &own(), Instant::now());
    schedule.observe(&lost("gone"), &own(), Instant::now());
    schedule.observe(&online("gone", 2), &own(), Instant::now());
    schedule.searched(&first);
    let second = schedule.lock().shown.take_search().unwrap();
    adopt(&schedule, &second, 1, Duration::ZERO);
    adopt(&schedule, &second, 2, Duration::ZERO);
    assert_eq!(due(&schedule, Instant::now()), [(key("gone", 1), "publish what was left")]);
    schedule.observe(&lost("own"), &own(), Instant::now());
    assert_eq!(schedule.lock().shown.take_search(), None, "what is lost of this connector, it has");
}

#[test]
fn wills_of_one_device_that_wait_are_bounded() {
    let (schedule, now) = (Schedule::default(), Instant::now());
    let many = 3 * WILLS_OF_DEVICE_MAX as u64;
    for number in 1..=many {
        schedule.ended(&session(number, will(Duration::ZERO, 1), None), &own(), false, now);
    }
    let other = DocumentKey::Will(device("d2"), of("own", 9));
    schedule.add(other.clone(), now, Work::publish_document());
    let due = due(&schedule, now);
    let published: Vec<_> = due.iter().filter(|(_, what)| what.starts_with("publish")).map(|(key, _)| key).collect();
    let newest: Vec<_> = (many - WILLS_OF_DEVICE_MAX as u64 + 1..=many).map(|number| key("own", number)).collect();
    assert_eq!(published, newest.iter().chain([&other]).collect::<Vec<_>>(), "the oldest are given up");
    assert_eq!(due.len(), 2 * WILLS_OF_DEVICE_MAX + 1, "as many that are given up are deleted");
    assert_eq!(schedule.take_given_up(), many - WILLS_OF_DEVICE_MAX as u64 + many - 2 * WILLS_OF_DEVICE_MAX as u64);
    assert_eq!(schedule.take_given_up(), 0);
}

#[test]
fn wills_that_are_stored_nowhere_are_bounded_at_the_cost_of_the_device_that_adds_them() {
    let (schedule, now) = (Schedule::default(), Instant::now());
    let half = || Work::Publish(Source::Here(will(Duration::ZERO, UNSTORED_BYTES_MAX / 4)));
    let of_device = |name: &str, number| DocumentKey::Will(device(name), of("own", number));
    schedule.add(of_device("d2", 1), now, half());
    schedule.add(of_device("d1", 1), now, Work::Publish(Source::Here(will(Duration::ZERO, 1))));
    schedule.add(of_device("d1", 2), now, half());
    assert_eq!(schedule.take_given_up(), 2, "its oldest, and then the new one itself");
    let due: Vec<_> = due(&schedule, now).into_iter().filter(|(_, what)| *what == "publish what is here").collect();
    assert_eq!(due, [(of_device("d2", 1), "publish what is here")]);
    schedule.add(of_device("d1", 3), now, half());
    assert_eq!(schedule.take_given_up(), 0, "what has been taken leaves room");
}
