//! The fleet in memory: followed, cut off, of another log.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rollcall_domain::{
    fleet::{Edition, FleetEvent, Instance},
    ids::{Incarnation, InstanceId, LogId, Position},
    registry::Actor,
    time::Timestamp,
};
use rollcall_log::{
    codec::{AnyEvent, Record, encode_record},
    seal::SealKeys,
    signing::SigningKey,
};
use tokio_util::sync::CancellationToken;
use tracing::Level;

use super::{BOUND, history, lines::Lines, log::TestLog};
use crate::{
    fleet::{FleetSnapshot, follow},
    freshness::Seen,
    readiness::unready,
};

#[tokio::test]
async fn the_fleet_is_the_fold_of_its_log_through_cuts_and_another_log() {
    let log = Arc::new(TestLog::of(vec![created(0), created(1)]));
    let mut snapshots = follow(log.clone(), SealKeys::default(), 0, CancellationToken::new());
    let snapshot = until(&mut snapshots, |snapshot| snapshot.caught_up).await;
    assert_eq!((snapshot.position(), names(&snapshot)), (Position(2), vec!["one-0".to_owned(), "one-1".to_owned()]));
    assert_eq!(snapshot.ruled.get(&history::request(1)), Some(&Position(2)));

    log.reachable(false);
    log.push([encoded(2, FleetEvent::InstanceDeleted(id(0)))]);
    log.reachable(true);
    let snapshot = until(&mut snapshots, |snapshot| snapshot.position() == Position(3)).await;
    assert_eq!(names(&snapshot), ["one-1"]);

    log.replace(vec![created(7)]);
    let snapshot = until(&mut snapshots, |snapshot| snapshot.position() == Position(1)).await;
    assert_eq!(names(&snapshot), ["one-7"]);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_leaves_the_fleet_before_it() {
    let log = Arc::new(TestLog::of(vec![created(0)]));
    let mut snapshots = follow(log.clone(), SealKeys::default(), 0, CancellationToken::new());
    until(&mut snapshots, |snapshot| snapshot.caught_up).await;
    log.push([created(1), Bytes::from_static(b"{}"), created(2)]);
    let snapshot = until(&mut snapshots, |snapshot| snapshot.position() == Position(2)).await;
    assert_eq!(names(&snapshot), ["one-0", "one-1"]);
}

#[tokio::test]
async fn a_fleet_that_is_not_to_be_relied_upon_says_why() {
    let why = |snapshot: &FleetSnapshot| unready(&snapshot.status(), &Seen::default()).map(|unready| unready.code());
    let log = Arc::new(TestLog::of(vec![created(0)]));
    let mut snapshots = follow(log.clone(), SealKeys::default(), 0, CancellationToken::new());
    assert_eq!(why(&*until(&mut snapshots, |_| true).await), Some("reading"));
    until(&mut snapshots, |snapshot| why(snapshot).is_none()).await;
    log.reachable(false);
    let cut_off = until(&mut snapshots, |snapshot| why(snapshot) == Some("stale")).await;
    assert_eq!(names(&cut_off), ["one-0"], "what is known stays");
    log.reachable(true);
    until(&mut snapshots, |snapshot| why(snapshot).is_none()).await;
    log.push([Bytes::from_static(b"{}")]);
    let parked = until(&mut snapshots, |snapshot| why(snapshot) == Some("parked")).await;
    assert_eq!((names(&parked), parked.position()), (vec!["one-0".to_owned()], Position(1)));

    // One that cannot be read from the start has never been whole: nothing is shown of it but that.
    let mut snapshots = follow(log.clone(), SealKeys::default(), 0, CancellationToken::new());
    let parked = until(&mut snapshots, |snapshot| why(snapshot) == Some("parked")).await;
    assert!(!parked.caught_up && parked.fleet.instances.is_empty());

    let keys: SealKeys = [SigningKey::generate().public()].into_iter().collect();
    let mut snapshots = follow(Arc::new(TestLog::of(vec![created(0)])), keys, 0, CancellationToken::new());
    until(&mut snapshots, |snapshot| why(snapshot) == Some("unsigned")).await;
}

#[tokio::test(start_paused = true)]
async fn a_fleet_log_that_is_away_for_a_day_fills_no_log() {
    let (lines, log) = (Lines::default(), Arc::new(TestLog::of(vec![created(0)])));
    let _counting = lines.count();
    log.reachable(false);
    let mut snapshots = follow(log.clone(), SealKeys::default(), 0, CancellationToken::new());
    tokio::time::sleep(Duration::from_secs(24 * 60 * 60)).await;
    // The first, one after a minute, one after ten, and one an hour.
    assert_eq!(lines.of(Level::WARN), 2 + 24, "of some 17,000 tries");
    assert_eq!(lines.of(Level::INFO), 0);
    log.reachable(true);
    until(&mut snapshots, |snapshot| snapshot.caught_up).await;
    assert_eq!(lines.of(Level::INFO), 1);
}

async fn until(
    snapshots: &mut tokio::sync::watch::Receiver<Arc<FleetSnapshot>>,
    state: impl Fn(&FleetSnapshot) -> bool,
) -> Arc<FleetSnapshot> {
    let waited = tokio::time::timeout(BOUND, snapshots.wait_for(|snapshot| state(snapshot))).await;
    waited.expect("the fleet comes to this state").unwrap().clone()
}

fn names(snapshot: &FleetSnapshot) -> Vec<String> {
    snapshot.fleet.instances.keys().map(ToString::to_string).collect()
}

fn id(n: usize) -> InstanceId {
    InstanceId::parse(&format!("one-{n}")).unwrap()
}

fn created(n: usize) -> Bytes {
    let access_domain = format!("one-{n}.example.com").into();
    let instance = Instance {
        id: id(n),
        access_domain,
        edition: Edition::Enterprise,
        region: "cn-north-4".into(),
        incarnation: Incarnation::NIL,
        devices_max: None,
        self_registration_available: None,
    };
    encoded(n, FleetEvent::InstanceCreated(instance))
}

fn encoded(n: usize, event: FleetEvent) -> Bytes {
    encode_record(&Record {
        id: uuid::Uuid::from_u128(n as u128 + 1),
        log: LogId::Fleet,
        time: Timestamp::from_unix_ms(1_700_000_000_000),
        cause: history::request(n),
        actor: Actor::Operator("test".into()),
        traceparent: None,
        event: AnyEvent::Fleet(event),
    })
}
