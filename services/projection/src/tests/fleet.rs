//! The fleet in memory: followed, cut off, of another log.

use std::sync::Arc;

use bytes::Bytes;
use rollcall_backbone::codec::{AnyEvent, Record, encode_record};
use rollcall_domain::{
    fleet::{Edition, FleetEvent, Instance},
    ids::{Incarnation, InstanceId, LogId, Position},
    registry::Actor,
    time::Timestamp,
};
use tokio_util::sync::CancellationToken;

use super::{BOUND, history, log::TestLog};
use crate::fleet::{FleetSnapshot, follow};

#[tokio::test]
async fn the_fleet_is_the_fold_of_its_log_through_cuts_and_another_log() {
    let log = Arc::new(TestLog::of(vec![created(0), created(1)]));
    let mut snapshots = follow(log.clone(), CancellationToken::new());
    let snapshot = until(&mut snapshots, |snapshot| snapshot.caught_up).await;
    assert_eq!((snapshot.position, names(&snapshot)), (Position(2), vec!["one-0".to_owned(), "one-1".to_owned()]));
    assert_eq!(snapshot.ruled.get(&history::request(1)), Some(&Position(2)));

    log.reachable(false);
    log.push([encoded(2, FleetEvent::InstanceDeleted(id(0)))]);
    log.reachable(true);
    let snapshot = until(&mut snapshots, |snapshot| snapshot.position == Position(3)).await;
    assert_eq!(names(&snapshot), ["one-1"]);

    log.replace(vec![created(7)]);
    let snapshot = until(&mut snapshots, |snapshot| snapshot.position == Position(1)).await;
    assert_eq!(names(&snapshot), ["one-7"]);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_leaves_the_fleet_before_it() {
    let log = Arc::new(TestLog::of(vec![created(0)]));
    let mut snapshots = follow(log.clone(), CancellationToken::new());
    until(&mut snapshots, |snapshot| snapshot.caught_up).await;
    log.push([created(1), Bytes::from_static(b"{}"), created(2)]);
    let snapshot = until(&mut snapshots, |snapshot| snapshot.position == Position(2)).await;
    assert_eq!(names(&snapshot), ["one-0", "one-1"]);
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
