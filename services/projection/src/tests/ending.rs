//! When a view ends and how that is told: it is never taken for one that follows.

use rollcall_domain::ids::Incarnation;
use std::sync::{Arc, atomic::Ordering};

use rollcall_domain::ids::Position;
use tokio_util::sync::CancellationToken;

use super::{BOUND, Running, history::History, instance, log::TestLog};
use crate::admission::{AdmissionView, Store, ViewError, ViewHealth};

async fn follows_to(view: &AdmissionView, position: Position) {
    tokio::time::timeout(BOUND, view.reached(position)).await.expect("the view moves").expect("the view has not ended");
}

async fn ends(view: &AdmissionView) {
    tokio::time::timeout(BOUND, view.ended()).await.expect("the view ends");
}

#[tokio::test]
async fn a_view_follows_for_whoever_came_later_than_who_leaves() {
    let mut history = History::random(41, 30).encoded();
    let late = history.split_off(20);
    let log = Arc::new(TestLog::of(history));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(Position(20)).await;
    // An instance deleted and made again: the one that retires still has the view when the new one asks for it.
    let created_again = CancellationToken::new();
    let view = running.store.admission(&instance(), Incarnation::NIL, log.clone(), created_again.clone()).unwrap();
    running.shutdown.cancel();
    tokio::task::yield_now().await;
    log.push(late);
    follows_to(&view, Position(30)).await;
    created_again.cancel();
    ends(&view).await;
    running.close().await;
}

#[tokio::test]
async fn a_view_ends_with_its_last_handle_and_says_so() {
    let log = Arc::new(TestLog::of(History::random(42, 20).encoded()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(log.len()).await;
    let clone = running.view.clone();
    let mut status = running.view.status();
    let Running { store, view, .. } = running;
    drop(view);
    log.push(History::devices(1).encoded());
    follows_to(&clone, Position(21)).await;
    drop(clone);
    let ended = status.wait_for(|status| status.health == ViewHealth::Ended);
    let ended = tokio::time::timeout(BOUND, ended).await.expect("the view ends").unwrap().clone();
    assert!(!ended.caught_up);
    drop(status);
    tokio::time::timeout(BOUND, store.close()).await.expect("nobody is left to wait for");
}

#[tokio::test]
async fn a_view_that_fails_says_so_and_can_be_opened_again() {
    let history = History::random(43, 40).encoded();
    let log = Arc::new(TestLog::of(history[..20].to_vec()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(Position(20)).await;
    log.panics(true);
    log.reachable(false);
    ends(&running.view).await;
    let status = running.view.status().borrow().clone();
    assert_eq!((status.health, status.caught_up), (ViewHealth::Ended, false));
    assert!(matches!(running.view.reached(Position(1)).await, Err(ViewError::Closed)), "not even what it had reached");
    log.panics(false);
    log.reachable(true);
    log.push(history[20..].to_vec());
    let again = Running::start(running.store.clone(), &log);
    again.reached(Position(40)).await;
    drop(running);
    again.close().await;
}

#[tokio::test]
async fn f16_another_generation_is_told_when_the_log_was_cut_back_or_replaced() {
    let history = History::random(44, 200).encoded();
    let log = Arc::new(TestLog::of(history[..150].to_vec()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    let first = running.reached(Position(150)).await;
    log.truncate(100);
    let cut = running.until("has been cut back", |status| status.position == Position(100) && status.caught_up).await;
    assert!(cut.generation > first.generation, "{cut:?}");
    log.replace(history);
    let replaced = running.until("has been replaced", |status| status.position == Position(200) && status.caught_up).await;
    assert!(replaced.generation > cut.generation, "{replaced:?}");
    log.push(History::devices(1).encoded());
    assert_eq!(running.reached(Position(201)).await.generation, replaced.generation, "going on is not another one");
}

#[tokio::test]
async fn f16_every_record_is_told_even_if_it_could_not_be_written_at_first() {
    let history = History::devices(40);
    let log = Arc::new(TestLog::of(Vec::new()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(Position::START).await;
    let mut applied = running.view.applied();
    // The disk is full: no more writes after the first few, and no other database can be made either.
    let database = running.store.database();
    std::fs::write(super::config(&folder).folder.join(format!("db-{}", database.number + 1)), b"in the way").unwrap();
    database.writes_left.store(10, Ordering::SeqCst);
    log.push(history.encoded());
    running
        .until(
            "cannot be rebuilt",
            |status| matches!(&status.health, ViewHealth::Stale { reason } if reason.contains("cannot")),
        )
        .await;
    database.writes_left.store(i64::MAX, Ordering::SeqCst);
    running.reached(log.len()).await;
    for n in 1..=log.len().0 {
        let told = tokio::time::timeout(BOUND, applied.recv()).await.expect("every record is told").unwrap();
        assert_eq!(told.position, Position(n));
        assert_eq!(*told.record, history.records[n as usize - 1]);
    }
}

#[tokio::test]
async fn f17_a_record_from_behind_a_cut_is_no_sign_that_the_log_is_within_reach() {
    let history = History::random(46, 20).encoded();
    let log = Arc::new(TestLog::of(history[..10].to_vec()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(Position(10)).await;
    log.reachable(false);
    running.until("is stale", |status| matches!(status.health, ViewHealth::Stale { .. })).await;
    log.holds_back_the_end(true);
    log.push(history[10..].to_vec());
    log.reachable(true);
    let folded = running.until("has gone on", |status| status.position == Position(20)).await;
    assert!(matches!(folded.health, ViewHealth::Stale { .. }), "{folded:?}");
    log.holds_back_the_end(false);
    running.until("follows", |status| status.health == ViewHealth::Following).await;
}

#[tokio::test]
async fn a_view_that_is_not_used_any_more_is_opened_again_from_what_it_left() {
    let log = Arc::new(TestLog::of(History::random(47, 50).encoded()));
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(&folder, &log);
    running.reached(log.len()).await;
    let Running { store, view, shutdown } = running;
    shutdown.cancel();
    ends(&view).await;
    log.reachable(false);
    let again = Running::start(Store::clone(&store), &log);
    assert_eq!(again.view.status().borrow().position, Position(50), "known at once, without the log");
    drop((view, store));
    again.close().await;
}
