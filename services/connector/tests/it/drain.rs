//! A connector that is told to stop says goodbye.

use rollcall_domain::ids::Incarnation;
use rollcall_log::presence::PresenceChange;

use crate::{
    client::{Client, within},
    world::{ALPHA, World, attempt, eventually, id, instance_id},
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
    remove_alpha(&world);
    let (_, reason) = client.disconnected().await;
    assert!(reason.starts_with("shutting_down: "), "{reason}");
    assert!(attempt(&connector, ALPHA, world.config(&ca.device("0001"))).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shook_hands_before_and_says_connect_after_an_instance_is_gone_is_not_let_in() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let known = ca.device("0001");
    drop(world.connect(&connector, &known).await.unwrap());
    let mut client = Client::handshake(connector.address, ALPHA, world.config(&known)).await.unwrap();
    remove_alpha(&world);
    connector.until(|status| status.instances.len() == 1).await;
    assert!(!matches!(client.connect("any client").await, Ok(Ok(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_is_back_is_served_by_a_view_that_moves() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let _client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    let before = world.fleet.borrow().clone();
    remove_alpha(&world);
    connector.until(|status| status.instances.len() == 1).await;
    world.fleet.send_replace(before);
    let unknown = world.config(&ca.device("0002"));
    let let_in = async || attempt(&connector, ALPHA, unknown.clone()).await.is_ok_and(|answer| answer.is_ok());
    eventually("a new device is let in again", let_in).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_made_again_under_its_id_is_served_after_the_sessions_of_the_former_have_ended() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let known = ca.device("0001");
    let mut client = world.connect(&connector, &known).await.unwrap();
    world.fleet.send_modify(|snapshot| {
        let mut fleet = (**snapshot).clone();
        let alpha = fleet.fleet.instances.get_mut(&instance_id("alpha")).unwrap();
        alpha.incarnation = Incarnation([2; 16]);
        *snapshot = std::sync::Arc::new(fleet);
    });
    let (_, reason) = client.disconnected().await;
    assert!(reason.starts_with("shutting_down: "), "{reason}");
    drop(client);
    let let_in = async || attempt(&connector, ALPHA, world.config(&known)).await.is_ok_and(|answer| answer.is_ok());
    eventually("the device is let in by the one made again", let_in).await;
    connector.until(|status| status.complete && status.instances.len() == 2).await;
}

fn remove_alpha(world: &World) {
    world.fleet.send_modify(|snapshot| {
        let mut fleet = (**snapshot).clone();
        fleet.fleet.instances.remove(&instance_id("alpha"));
        *snapshot = std::sync::Arc::new(fleet);
    });
}
