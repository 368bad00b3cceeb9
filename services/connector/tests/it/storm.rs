//! More unknown devices than can be registered at a time.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    client::Client,
    pki::Identity,
    world::{ALPHA, World, eventually},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f12_f14_a_storm_is_shed_with_a_hint_while_known_devices_get_in() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| limits.registrations_max = 5).await;
    let known = ca.device("known");
    drop(world.connect(&connector, &known).await.unwrap());

    world.alpha.hold().await;
    let unknown: Vec<Identity> = (0..40).map(|n| ca.device(&format!("{n:04}"))).collect();
    let mut storm = tokio::task::JoinSet::new();
    for device in &unknown {
        let (address, config) = (connector.address, world.config(device));
        storm.spawn(async move {
            let mut client = Client::handshake(address, ALPHA, config).await.unwrap();
            client.connect("any client").await.unwrap().map(drop)
        });
    }
    let mut shed = 0;
    while shed < 35 {
        let refused = storm.join_next().await.unwrap().unwrap().unwrap_err();
        assert!(refused.reason.starts_with("registration_shed: "), "{}", refused.reason);
        assert!(refused.retry_after_s.is_some_and(|s| s >= 5));
        shed += 1;
    }
    world.connect(&connector, &known).await.unwrap().quiet().await;

    world.alpha.resume();
    while let Some(outcome) = storm.join_next().await {
        outcome.unwrap().unwrap();
    }
    let world = Arc::new(world);
    for device in &unknown {
        let (world, connector) = (&world, &connector);
        eventually("everybody gets in", async || world.connect(connector, device).await.is_ok()).await;
    }
    assert_eq!(world.alpha.registrations.load(Ordering::SeqCst), 41);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f14_one_source_is_paced() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| limits.registrations_per_source_per_s_max = 1).await;
    let mut shed = 0;
    for n in 0..6 {
        match world.connect(&connector, &ca.device(&format!("{n:04}"))).await {
            Ok(_) => {}
            Err(refused) => {
                assert!(refused.reason.starts_with("registration_shed: "), "{}", refused.reason);
                shed += 1;
            }
        }
    }
    assert!(shed > 0);
}
