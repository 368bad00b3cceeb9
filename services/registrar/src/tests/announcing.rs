//! What a registrar announces of its views.

use std::time::Duration;

use rollcall_backbone::heartbeat::{Announcement, Heard, INTERVAL};
use rollcall_domain::ids::LogId;
use tokio::time::timeout;

use super::world::{World, log};

async fn next(
    world: &World,
    heard: &mut tokio::sync::mpsc::Receiver<Result<Heard, rollcall_backbone::BackboneError>>,
) -> Announcement {
    match timeout(Duration::from_secs(60), heard.recv()).await.expect("announced").unwrap().unwrap() {
        Heard::Announced(bytes) => {
            Announcement::read(&bytes, &[world.key.public()]).expect("signed with the registrar's key")
        }
        Heard::Interrupted => panic!("nothing interrupts the memory"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_registrar_announces_where_its_views_are_under_a_counter_that_rises_over_its_lives() {
    let world = World::new(7).await;
    let mut heard = world.backbone.heartbeats.follow().await.unwrap();
    let first = world.registrar(1, world.backbone.clone());
    world.furnish().await;
    let last = world.backbone.log.last(&log()).await.unwrap();
    let mut counter = 0;
    let source = loop {
        let announcement = next(&world, &mut heard).await;
        assert!(announcement.counter > counter, "{announcement:?}");
        counter = announcement.counter;
        let [standing] = &*announcement.logs else { panic!("one instance, one log: {announcement:?}") };
        assert_eq!(standing.log, log());
        if standing.position == last {
            break announcement.source;
        }
    };
    first.shutdown.cancel();
    first.task.await.unwrap();
    tokio::time::sleep(2 * INTERVAL).await;
    while heard.try_recv().is_ok() {}
    let _second = world.registrar(2, world.backbone.clone());
    let announcement = next(&world, &mut heard).await;
    assert_ne!(announcement.source.registrar, source.registrar, "another life, another id");
    assert_eq!(LogId::Instance(super::world::instance()), announcement.logs[0].log);
}
