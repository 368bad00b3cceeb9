//! Faults that a seed repeats, and that no promise of the traits is broken by.

use std::time::Duration;

use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position, RequestId};
use rollcall_log::{
    BackboneError,
    log::{AppendError, Followed},
    requests::{AnnouncedRuling, RequestKind},
};
use rollcall_log_memory::{Faults, MemoryConfig, new, with_control};

/// One run of a caller that lives with faults: what it saw, in order.
async fn history(seed: u64) -> Vec<String> {
    let mut config = MemoryConfig::seeded(seed);
    config.faults = Faults { unavailable: 200, lost_ack: 200, spurious_conflict: 200, redelivery: 300, ..Faults::some() };
    config.faults.dropped_ruling = 300;
    let (backbone, control) = with_control(config);
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
    control.clear();
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
    let (backbone, control) = with_control(config);
    backbone.log.open(&LogId::Fleet).await.unwrap();
    let append = async |expected| backbone.log.append(&LogId::Fleet, expected, vec![Bytes::from("record")].into()).await;
    let lost = append(Position::START).await;
    assert!(matches!(lost, Err(AppendError::Backbone(BackboneError::Unavailable { .. }))), "{lost:?}");
    assert_eq!(backbone.log.last(&LogId::Fleet).await.unwrap(), Position(1));
    control.set_faults(Faults { spurious_conflict: 1000, ..Faults::default() });
    assert!(matches!(append(Position(1)).await, Err(AppendError::Conflict { expected: Position(1) })));
    control.clear();
    assert_eq!(append(Position(1)).await.unwrap(), Position(2));
}

#[tokio::test]
async fn a_cut_follower_ends_with_an_error_and_can_go_on_from_its_position() {
    let mut config = MemoryConfig::seeded(1);
    config.faults = Faults { cut_follower: 300, ..Faults::default() };
    let backbone = new(config);
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
    let (backbone, control) = with_control(MemoryConfig::seeded(1));
    backbone.log.open(&LogId::Fleet).await.unwrap();
    control.set_faults(Faults { foreign_record: 1000, ..Faults::default() });
    let batch = || vec![Bytes::from_static(b"ours")].into();
    let conflict = backbone.log.append(&LogId::Fleet, Position::START, batch()).await.unwrap_err();
    assert!(matches!(conflict, AppendError::Conflict { expected: Position::START }), "{conflict}");
    control.clear();
    assert_eq!(backbone.log.append(&LogId::Fleet, Position(1), batch()).await.unwrap(), Position(2));
    let read = backbone.log.read(&LogId::Fleet, Position::START, 10).await.unwrap();
    assert_ne!(read[0].record, read[1].record, "the first is not ours");
}
