//! A connector that is told to stop says goodbye.

use rollcall_backbone::presence::PresenceChange;

use crate::{
    client::within,
    world::{ALPHA, World, attempt, id, instance_id},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_connector_tells_devices_and_presence_and_takes_nobody_new() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut presence = world.backbone.presence.watch(&instance_id("alpha")).await.unwrap();
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    connector.shutdown.cancel();
    let (said, reason) = client.disconnected().await;
    assert_eq!(said, 0x8b);
    assert!(reason.starts_with("shutting_down: "), "{reason}");
    drop(client);
    within(connector.ended).await.unwrap();
    let offline = async {
        loop {
            if let PresenceChange::Offline { device, .. } = presence.recv().await.unwrap() {
                return device;
            }
        }
    };
    assert_eq!(within(offline).await, id("truck_0001"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_is_no_longer_served_is_gone() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    world.fleet.send_modify(|snapshot| {
        let mut fleet = (**snapshot).clone();
        fleet.fleet.instances.remove(&instance_id("alpha"));
        *snapshot = std::sync::Arc::new(fleet);
    });
    let (_, reason) = client.disconnected().await;
    assert!(reason.starts_with("shutting_down: "), "{reason}");
    assert!(attempt(&connector, ALPHA, world.config(&ca.device("0001"))).await.is_err());
}
