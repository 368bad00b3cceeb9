//! The backbone in memory: conformance, bounds, and faults that a seed repeats.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rollcall_backbone::{
    BackboneError,
    codec::{Ruling, encode_ruling},
    conformance::UnderTest,
    documents::{DocumentKey, PutError, Revision},
    limits::{Bounds, Limits},
    log::{AppendError, Followed},
    memory::{self, Faults, MemoryConfig},
    messages::{Lane, MessageCursor, MessagePosition},
    petition::{PetitionError, Petitioner, RESUBMIT},
    requests::{AnnouncedRuling, RequestKind, Submitted},
};
use rollcall_domain::ids::{DeviceId, LogId, Position, RequestId};
use tokio_util::sync::CancellationToken;

use crate::{LEASE, instance, message};

rollcall_backbone::conformance_tests!(under_test);

async fn under_test() -> (UnderTest, ()) {
    let mut config = MemoryConfig::seeded(1);
    config.limits.request_lease = LEASE;
    config.limits.presence_lease = LEASE;
    let (backbone, prefix) = (memory::new(config), "memory".to_owned());
    (UnderTest { backbone, prefix, request_lease: LEASE, presence_lease: LEASE }, ())
}

fn bounded(entries: u64, bytes: u64, age_ms: i64) -> (MemoryConfig, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(0));
    let bounds = Bounds { entries, bytes, age_ms };
    let mut config = MemoryConfig::seeded(1);
    config.limits = Limits { attempts: bounds, messages: bounds, requests_waiting: 3, ..Limits::default() };
    let now = Arc::clone(&clock);
    config.now_ms = Arc::new(move || now.load(Ordering::SeqCst));
    (config, clock)
}

async fn kept(backbone: &rollcall_backbone::Backbone) -> Vec<u64> {
    let read = backbone.attempts.read(&LogId::Fleet, Position::START, 1000).await.unwrap();
    read.into_iter().map(|entry| entry.position.0).collect()
}

#[tokio::test]
async fn attempts_over_their_number_or_bytes_go_oldest_first() {
    for (entries, bytes) in [(3, u64::MAX), (u64::MAX, 3 * (100 + 12))] {
        let (config, _) = bounded(entries, bytes, i64::MAX);
        let backbone = memory::new(config);
        for _ in 0..5 {
            backbone.attempts.keep(&LogId::Fleet, vec![Bytes::from(vec![b'x'; 100]); 2]).await.unwrap();
        }
        assert_eq!(kept(&backbone).await, [8, 9, 10], "at most {entries} attempts of {bytes} bytes");
    }
}

#[tokio::test]
async fn documents_over_their_bytes_are_refused_until_there_is_room() {
    let mut config = MemoryConfig::seeded(1);
    config.limits.documents_bytes = 3 * 1024;
    let documents = memory::new(config).documents;
    documents.open(&instance()).await.unwrap();
    let key = |number: u64| DocumentKey::Message(DeviceId::parse("device-1").unwrap(), number);
    let body = |bytes: usize| Bytes::from(vec![b'x'; bytes]);
    let first = documents.put(&instance(), &key(1), Revision::NONE, body(1000)).await.unwrap();
    documents.put(&instance(), &key(2), Revision::NONE, body(1900)).await.unwrap();
    let full = documents.put(&instance(), &key(3), Revision::NONE, body(1000)).await.unwrap_err();
    assert!(matches!(full, PutError::Backbone(BackboneError::LimitReached { max: 3072, .. })), "{full}");
    let first = documents.put(&instance(), &key(1), first, body(900)).await.expect("what does not grow is taken");
    documents.delete(&instance(), &key(1), first).await.unwrap();
    documents.put(&instance(), &key(3), Revision::NONE, body(1000)).await.expect("there is room again");
}

#[tokio::test]
async fn attempts_and_messages_over_their_age_go() {
    let (config, clock) = bounded(u64::MAX, u64::MAX, 1000);
    let backbone = memory::new(config);
    backbone.messages.open(&instance()).await.unwrap();
    for at in [0, 500, 1200] {
        clock.store(at, Ordering::SeqCst);
        backbone.attempts.keep(&LogId::Fleet, vec![Bytes::from("attempt")]).await.unwrap();
        backbone.messages.publish(&instance(), message(Lane::Up, "message")).await.unwrap();
    }
    assert_eq!(kept(&backbone).await, [2, 3]);
    let mut follower = backbone.messages.follow(&instance(), &[Lane::Up], Some(MessageCursor::START)).await.unwrap();
    for (position, stored_at_ms) in [(2, 500), (3, 1200)] {
        let found = follower.recv().await.unwrap().unwrap();
        assert_eq!((found.position, found.stored_at_ms), (MessagePosition::own(position), stored_at_ms));
    }
}

#[tokio::test]
async fn a_full_queue_refuses_by_name_until_one_is_finished() {
    let (config, _) = bounded(1, 1, 1);
    let backbone = memory::new(config);
    backbone.requests.open(&LogId::Fleet).await.unwrap();
    let submit = async |number: u64| {
        let id = RequestId::parse(&number.to_string()).unwrap();
        backbone.requests.submit(&LogId::Fleet, RequestKind::Connect, &id, Bytes::from("request")).await
    };
    for number in 1..=3 {
        assert_eq!(submit(number).await.unwrap(), Submitted::Queued);
    }
    assert!(matches!(submit(4).await, Err(BackboneError::LimitReached { max: 3, .. })));
    assert_eq!(submit(2).await.unwrap(), Submitted::AlreadyQueued, "what waits already needs no room");
    let taken = backbone.requests.take(&LogId::Fleet, 1, Duration::ZERO).await.unwrap();
    backbone.requests.finish(&LogId::Fleet, taken.into_iter().map(|taken| taken.receipt).collect()).await.unwrap();
    assert_eq!(submit(4).await.unwrap(), Submitted::Queued);
}

/// A backbone that is away, and a petitioner of its fleet.
async fn petitioner_away() -> (rollcall_backbone::Backbone, memory::Control, Petitioner) {
    let (config, _) = bounded(1, 1, 1);
    let (backbone, control) = memory::with_control(config);
    backbone.requests.open(&LogId::Fleet).await.unwrap();
    control.set_faults(Faults { unavailable: 1000, ..Faults::default() });
    let petitioner = Petitioner::start(LogId::Fleet, backbone.requests.clone(), CancellationToken::new());
    (backbone, control, petitioner)
}

#[tokio::test(start_paused = true)]
async fn f14_a_hiccup_of_the_backbone_is_outlived_by_whoever_asks() {
    let (backbone, control, petitioner) = petitioner_away().await;
    let id = RequestId::parse("request").unwrap();
    let asked = petitioner.ask(RequestKind::Connect, &id, || Bytes::from("request"), 4 * RESUBMIT);
    let ruled_on = async {
        // The first submission has been refused by then.
        tokio::time::sleep(RESUBMIT / 2).await;
        control.heal();
        let taken = backbone.requests.take(&LogId::Fleet, 1, 4 * RESUBMIT).await.unwrap();
        assert_eq!(taken.len(), 1, "it is submitted again");
        let ruling = encode_ruling(&Ruling::Accepted { position: Position(7) });
        backbone.requests.announce(&LogId::Fleet, vec![AnnouncedRuling { id: id.clone(), ruling }]).await.unwrap();
    };
    let (ruling, ()) = tokio::join!(asked, ruled_on);
    assert_eq!(ruling.unwrap(), Ruling::Accepted { position: Position(7) });
}

#[tokio::test(start_paused = true)]
async fn f14_whoever_asks_is_told_what_kept_the_request_from_its_queue() {
    let (_backbone, control, petitioner) = petitioner_away().await;
    let id = RequestId::parse("request").unwrap();
    let ask = || petitioner.ask(RequestKind::Connect, &id, || Bytes::from("request"), 2 * RESUBMIT);
    let error = ask().await.unwrap_err();
    assert!(matches!(error, PetitionError::Backbone(BackboneError::Unavailable { .. })), "{error}");
    control.heal();
    let error = ask().await.unwrap_err();
    assert!(matches!(error, PetitionError::TimedOut { .. }), "queued, and nobody rules: {error}");
}

/// One run of a caller that lives with faults: what it saw, in order.
async fn history(seed: u64) -> Vec<String> {
    let mut config = MemoryConfig::seeded(seed);
    config.faults = Faults { unavailable: 200, lost_ack: 200, spurious_conflict: 200, redelivery: 300, ..Faults::some() };
    config.faults.dropped_ruling = 300;
    let (backbone, control) = memory::with_control(config);
    let log = LogId::Fleet;
    let identity = backbone.log.open(&log).await.unwrap();
    backbone.requests.open(&log).await.unwrap();
    let mut rulings = backbone.requests.rulings(&log).await.unwrap();
    let mut seen = vec![format!("{identity:?}")];
    for number in 0..40 {
        let id = RequestId::parse(&number.to_string()).unwrap();
        let last = backbone.log.last(&log).await.unwrap();
        let appended = backbone.log.append(&log, last, vec![Bytes::from(format!("{number}"))].into()).await;
        seen.push(format!("{appended:?}"));
        seen.push(format!("{:?}", backbone.requests.submit(&log, RequestKind::Connect, &id, Bytes::new()).await));
        seen.push(format!("{:?}", backbone.requests.take(&log, 2, Duration::ZERO).await));
        let ruling = AnnouncedRuling { id, ruling: Bytes::new() };
        seen.push(format!("{:?}", backbone.requests.announce(&log, vec![ruling]).await));
    }
    control.heal();
    tokio::time::sleep(Faults::RULING_DELAY_MAX * 2).await;
    while let Ok(ruling) = rulings.try_recv() {
        seen.push(format!("{ruling:?}"));
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn one_seed_gives_one_history() {
    assert_eq!(history(11).await, history(11).await);
    assert_ne!(history(11).await, history(12).await);
}

#[tokio::test]
async fn a_lost_acknowledgement_is_in_the_log_and_a_spurious_conflict_is_not() {
    let mut config = MemoryConfig::seeded(1);
    config.faults = Faults { lost_ack: 1000, ..Faults::default() };
    let (backbone, control) = memory::with_control(config);
    backbone.log.open(&LogId::Fleet).await.unwrap();
    let append = async |expected| backbone.log.append(&LogId::Fleet, expected, vec![Bytes::from("record")].into()).await;
    let lost = append(Position::START).await;
    assert!(matches!(lost, Err(AppendError::Backbone(BackboneError::Unavailable { .. }))), "{lost:?}");
    assert_eq!(backbone.log.last(&LogId::Fleet).await.unwrap(), Position(1));
    control.set_faults(Faults { spurious_conflict: 1000, ..Faults::default() });
    assert!(matches!(append(Position(1)).await, Err(AppendError::Conflict { expected: Position(1) })));
    control.heal();
    assert_eq!(append(Position(1)).await.unwrap(), Position(2));
}

#[tokio::test]
async fn a_cut_follower_ends_with_an_error_and_can_go_on_from_its_position() {
    let mut config = MemoryConfig::seeded(1);
    config.faults = Faults { cut_follower: 300, ..Faults::default() };
    let backbone = memory::new(config);
    backbone.log.open(&LogId::Fleet).await.unwrap();
    let records: Vec<Bytes> = (1..=50).map(|number| Bytes::from(format!("{number}"))).collect();
    backbone.log.append(&LogId::Fleet, Position::START, records.clone().into()).await.unwrap();
    let (mut after, mut read, mut cuts) = (Position::START, Vec::new(), 0);
    while read.len() < records.len() {
        let mut follower = backbone.log.follow(&LogId::Fleet, after).await.unwrap();
        loop {
            match follower.recv().await.expect("an error comes before the end") {
                Ok(Followed::Entry(entry)) => {
                    after = entry.position;
                    read.push(entry.record);
                }
                Ok(Followed::CaughtUp(_)) => {}
                Ok(Followed::Interrupted { reason }) => panic!("{reason}"),
                Err(error) => {
                    assert!(matches!(error, BackboneError::Unavailable { .. }), "{error}");
                    assert!(follower.recv().await.is_none());
                    cuts += 1;
                    break;
                }
            }
            if read.len() == records.len() {
                break;
            }
        }
    }
    assert_eq!(read, records);
    assert!(cuts > 0, "300 in 1000 cuts some of 50");
}

#[tokio::test]
async fn a_foreign_record_comes_before_an_append_which_then_conflicts() {
    let (backbone, faults) = memory::with_control(MemoryConfig::seeded(1));
    backbone.log.open(&LogId::Fleet).await.unwrap();
    faults.set_faults(Faults { foreign_record: 1000, ..Faults::default() });
    let batch = || vec![Bytes::from_static(b"ours")].into();
    let conflict = backbone.log.append(&LogId::Fleet, Position::START, batch()).await.unwrap_err();
    assert!(matches!(conflict, AppendError::Conflict { expected: Position::START }), "{conflict}");
    faults.heal();
    assert_eq!(backbone.log.append(&LogId::Fleet, Position(1), batch()).await.unwrap(), Position(2));
    let read = backbone.log.read(&LogId::Fleet, Position::START, 10).await.unwrap();
    assert_ne!(read[0].record, read[1].record, "the first is not ours");
}
