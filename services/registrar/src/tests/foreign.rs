//! Others than registrars write into the log, all the time.

use std::time::Duration;

use bytes::Bytes;
use rollcall_log::log::AppendError;

use super::{
    answers::join_all,
    world::{World, accepted, log},
};

/// A hundred a second.
const EVERY: Duration = Duration::from_millis(10);
const DEVICES: usize = 40;

#[tokio::test(start_paused = true)]
async fn f37_registrations_go_on_while_a_hundred_foreign_records_a_second_arrive() {
    let world = World::new(37).await;
    let _registrars = [world.registrar(0, world.backbone.clone()), world.registrar(1, world.backbone.clone())];
    world.furnish().await;
    world.let_others_write();
    let forged = world.records().await.last().map(rollcall_log::codec::encode_record).unwrap();
    let (log_of, log) = (world.backbone.log.clone(), log());
    let forging = tokio::spawn(async move {
        let mut written = 0_u32;
        for record in [forged, Bytes::from_static(b"{}")].into_iter().cycle() {
            let end = log_of.last(&log).await.unwrap();
            match log_of.append(&log, end, vec![record].into()).await {
                Ok(_) => written += 1,
                Err(AppendError::Conflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            if written == 1000 {
                break;
            }
            tokio::time::sleep(EVERY).await;
        }
    });
    let world_ref = &world;
    let connecting = (0..DEVICES).map(|n| async move {
        tokio::time::sleep(EVERY * u32::try_from(n).unwrap() * 3).await;
        world_ref.connect(&world_ref.ca.device(&n.to_string())).await
    });
    for ruling in join_all(connecting.collect()).await {
        accepted(ruling);
    }
    let registered = world.registered().await;
    assert_eq!(registered.len(), DEVICES, "each once: {registered:?}");
    assert!(world.foreign().await > 10, "others have written in between");
    forging.abort();
}
