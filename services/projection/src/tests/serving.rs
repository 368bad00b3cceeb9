//! Following: live, through cuts, before records that cannot be read.

use rollcall_domain::ids::Incarnation;
use std::sync::Arc;

use bytes::Bytes;
use rollcall_domain::{ids::Position, registry::Devices, time::Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Running, assert_equal, history, history::History, instance, log::TestLog};
use crate::{
    admission::{Store, ViewError, ViewHealth},
    files::Scan,
};

#[tokio::test]
async fn a_view_is_the_fold_of_its_log() {
    for seed in 0..20 {
        eprintln!("seed {seed}");
        let history = History::random(seed, 300);
        let log = Arc::new(TestLog::of(Vec::new()));
        let folder = tempfile::tempdir().unwrap();
        let running = Running::open(&folder, &log);
        running.reached(Position::START).await;
        let mut encoded = history.encoded().into_iter();
        for step in [1, 63, 1, 100, 135] {
            log.push(encoded.by_ref().take(step));
            running.reached(log.len()).await;
            assert_equal(&running.view, &history, &history.folded(log.len().0 as usize));
        }
        running.close().await;
    }
}

#[tokio::test]
async fn every_record_is_told_once_and_after_it_can_be_looked_up() {
    let history = History::random(3, 200);
    let log = Arc::new(TestLog::of(Vec::new()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(Position::START).await;
    let mut applied = running.view.applied();
    log.push(history.encoded());
    for (n, record) in history.records.iter().enumerate() {
        let told = applied.recv().await.unwrap();
        assert_eq!(told.position, Position(n as u64 + 1));
        assert_eq!(*told.record, *record);
        assert!(running.view.status().borrow().position >= told.position);
        assert_eq!(running.view.ruled(&record.cause), Some(told.position));
    }
    assert_eq!(running.view.ruled(&history::request(200)), None);
}

#[tokio::test]
async fn a_request_is_known_for_a_week_and_no_longer() {
    const WEEK_H: usize = 7 * 24;
    let mut history = History::random(31, 30 * 24);
    for (hour, record) in history.records.iter_mut().enumerate() {
        record.time = Timestamp::from_unix_s(1_700_000_000 + 3600 * hour as i64);
    }
    let log = Arc::new(TestLog::of(history.encoded()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(log.len()).await;
    let last = history.records.len() - 1;
    for hour in 0..=last {
        let known = (hour + WEEK_H >= last).then_some(Position(hour as u64 + 1));
        assert_eq!(running.view.ruled(&history::request(hour)), known, "hour {hour} of {last}");
    }
    for kind in [b'R', b'r'] {
        let mut rows = 0;
        let count = |key: &[u8], _: &[u8]| {
            rows += usize::from(key[4] == kind && key[..4] != [0; 4]);
            Ok(Scan::Next)
        };
        running.store.database().scan(&[], count).unwrap();
        assert_eq!(rows, WEEK_H + 1, "rows of kind {}", char::from(kind));
    }
}

#[tokio::test]
async fn the_same_instance_is_the_same_view() {
    let log = Arc::new(TestLog::of(History::random(1, 10).encoded()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(log.len()).await;
    let again = running.store.admission(&instance(), Incarnation::NIL, log.clone(), CancellationToken::new()).unwrap();
    assert_eq!(*again.status().borrow(), *running.view.status().borrow());
    assert!(Arc::ptr_eq(&again.configuration(), &running.view.configuration()));
}

#[tokio::test]
async fn f17_a_cut_log_leaves_what_is_known_in_use_and_is_followed_again_without_a_gap() {
    let history = History::random(5, 120);
    let mut encoded = history.encoded();
    let late = encoded.split_off(80);
    let log = Arc::new(TestLog::of(encoded));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(Position(80)).await;
    log.reachable(false);
    running.until("is stale", |status| matches!(status.health, ViewHealth::Stale { .. })).await;
    assert_equal(&running.view, &history, &history.folded(80));
    log.push(late);
    log.reachable(true);
    running.until("follows", |status| status.health == ViewHealth::Following && status.position == Position(120)).await;
    assert_equal(&running.view, &history, &history.folded(120));
}

#[tokio::test]
async fn f17_a_follower_that_is_interrupted_is_stale_until_it_has_caught_up() {
    let history = History::random(48, 120);
    let mut encoded = history.encoded();
    let late = encoded.split_off(80);
    let log = Arc::new(TestLog::of(encoded));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(Position(80)).await;
    log.interrupts(true);
    running.until("is stale", |status| matches!(status.health, ViewHealth::Stale { .. })).await;
    assert_equal(&running.view, &history, &history.folded(80));
    log.push(late);
    log.interrupts(false);
    running.until("follows", |status| status.health == ViewHealth::Following && status.position == Position(120)).await;
    assert_equal(&running.view, &history, &history.folded(120));
}

#[tokio::test]
async fn a_reopened_view_serves_while_the_log_is_out_of_reach() {
    let history = History::random(6, 100);
    let log = Arc::new(TestLog::of(history.encoded()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(log.len()).await;
    running.close().await;
    log.reachable(false);
    let running = Running::open(&folder, &log);
    assert_eq!(running.view.status().borrow().position, Position(100), "known at once, without the log");
    assert_equal(&running.view, &history, &history.folded(100));
    running.until("is stale", |status| matches!(status.health, ViewHealth::Stale { .. })).await;
    assert!(!running.view.status().borrow().caught_up);
}

#[tokio::test]
async fn an_unreadable_record_parks_the_view_before_it() {
    let history = History::random(7, 60);
    let mut encoded = history.encoded();
    encoded.insert(50, Bytes::from_static(b"{\"type\":\"from a later version\"}"));
    let log = Arc::new(TestLog::of(encoded));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    let parked = running.until("is parked", |status| matches!(status.health, ViewHealth::Parked { .. })).await;
    assert_eq!(parked.position, Position(50));
    assert!(matches!(parked.health, ViewHealth::Parked { at: Position(51), .. }), "{parked:?}");
    assert_equal(&running.view, &history, &history.folded(50));
}

#[tokio::test]
async fn waiting_for_a_position_ends_when_the_view_does() {
    let log = Arc::new(TestLog::of(Vec::new()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    let view = running.view.clone();
    let waiting = tokio::spawn(async move { view.reached(Position(1)).await });
    running.shutdown.cancel();
    assert!(matches!(waiting.await.unwrap(), Err(ViewError::Closed)));
}

#[tokio::test]
async fn f22_a_deleted_device_stays_deleted_through_a_rebuild() {
    let mut history = History::devices(3);
    let delete = rollcall_domain::registry::Event::DeviceDeleted { device: history::device(1) };
    history.records.push(history::record(4, delete));
    let log = Arc::new(TestLog::of(history.encoded()));
    for _ in 0..2 {
        // A folder of its own each time: the second is a rebuild from the log alone.
        let folder = tempfile::tempdir().unwrap();
        let running = Running::open(&folder, &log);
        running.reached(log.len()).await;
        let entry = running.view.entry(&history::device(1));
        assert!(matches!(entry, Some(rollcall_domain::registry::DeviceEntry::Deleted { .. })), "{entry:?}");
        assert_eq!(running.view.count(), 2);
    }
}

#[test]
fn two_processes_cannot_use_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Store::open(&super::config(&folder)).unwrap();
    let refused = Store::open(&super::config(&folder)).err().map(|error| error.to_string());
    assert!(refused.as_deref().is_some_and(|text| text.contains("another process")), "{refused:?}");
}
