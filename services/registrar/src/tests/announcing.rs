//! What a registrar announces of its views.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use rollcall_domain::ids::LogId;
use rollcall_log::{
    BackboneError,
    heartbeat::{Announcement, Heard, INTERVAL, LogPosition, Source},
    log::{Batch, NewRecord},
    seal::{self, SealedLog},
};
use rollcall_projection::admission::ViewHealth;
use tokio::{sync::mpsc, time::timeout};

use super::world::{World, log};

type Hearing = mpsc::Receiver<Result<Heard, BackboneError>>;

async fn next(world: &World, heard: &mut Hearing) -> Announcement {
    match timeout(Duration::from_secs(60), heard.recv()).await.expect("announced").unwrap().unwrap() {
        Heard::Announced(bytes) => {
            Announcement::read(&bytes, &[world.key.public()]).expect("signed with the registrar's key")
        }
        Heard::Interrupted => panic!("nothing interrupts the memory"),
    }
}

/// Where every log is at its end.
async fn ends(world: &World) -> BTreeMap<LogId, rollcall_domain::ids::Position> {
    let mut ends = BTreeMap::new();
    for log in [LogId::Fleet, log()] {
        ends.insert(log.clone(), world.backbone.log.last(&log).await.unwrap());
    }
    ends
}

#[tokio::test(start_paused = true)]
async fn a_registrar_announces_where_its_views_and_the_fleets_are_under_a_counter_that_rises_over_its_lives() {
    let world = World::new(7).await;
    let mut heard = world.backbone.heartbeats.follow().await.unwrap();
    let first = world.registrar(1, world.backbone.clone());
    world.furnish().await;
    let ends = ends(&world).await;
    let mut counters: BTreeMap<Source, u64> = BTreeMap::new();
    let mut announced: BTreeMap<LogId, LogPosition> = BTreeMap::new();
    while ends.iter().any(|(log, end)| announced.get(log).is_none_or(|standing| standing.position != *end)) {
        let Announcement { source, counter, logs } = next(&world, &mut heard).await;
        let before = counters.insert(source, counter);
        assert!(before.is_none_or(|before| counter > before), "{before:?}, then {counter}");
        announced.extend(logs.into_iter().map(|standing| (standing.log.clone(), standing)));
    }
    assert_eq!(announced.keys().cloned().collect::<Vec<_>>(), ends.keys().cloned().collect::<Vec<_>>());
    let fleet = world.snapshots.clone().wait_for(|fleet| fleet.position() == ends[&LogId::Fleet]).await.unwrap().point;
    assert_eq!(announced[&LogId::Fleet].digest, fleet.digest, "what every reader of the fleet's log comes to");
    let known: Vec<_> = counters.keys().map(|source| source.registrar.clone()).collect();
    first.shutdown.cancel();
    first.task.await.unwrap();
    tokio::time::sleep(2 * INTERVAL).await;
    while heard.try_recv().is_ok() {}
    let _second = world.registrar(2, world.backbone.clone());
    let announcement = next(&world, &mut heard).await;
    assert!(!known.contains(&announcement.source.registrar), "another life, another id");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_stands_before_a_record_it_cannot_read_is_announced_no_more() {
    let world = World::new(8).await;
    let mut heard = world.backbone.heartbeats.follow().await.unwrap();
    let _registrar = world.registrar(1, world.backbone.clone());
    world.furnish().await;
    while !next(&world, &mut heard).await.logs.iter().any(|standing| standing.log == LogId::Fleet) {}
    let mut fleet = world.snapshots.clone();
    let end = world.backbone.log.last(&LogId::Fleet).await.unwrap();
    let digest = fleet.wait_for(|fleet| fleet.position() == end).await.unwrap().point.digest;
    let records = vec![NewRecord { record: Bytes::from_static(b"{}"), request_sha256: None }];
    let seal = seal::seal(&world.key, &SealedLog::FLEET, (end, digest), &records);
    world.backbone.log.append(&LogId::Fleet, end, Batch { seal: Some(seal), records }).await.unwrap();
    fleet.wait_for(|fleet| matches!(fleet.health, ViewHealth::Parked { .. })).await.unwrap();
    // The instance's log is announced as before. A reader of the fleet's sees its age grow.
    let (mut of_the_fleet, mut of_the_instance) = (0, 0);
    while of_the_instance < of_the_fleet + 5 {
        let Announcement { counter, logs, .. } = next(&world, &mut heard).await;
        for standing in logs {
            match standing.log {
                LogId::Fleet => of_the_fleet = counter,
                LogId::Instance(_) => of_the_instance = counter,
            }
        }
    }
}
