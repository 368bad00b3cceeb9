//! A device that nobody has entered anywhere connects, and exists.

use std::sync::atomic::Ordering;

use rmqtt_codec::v5::PublishAckReason;
use rollcall_domain::{ids::DeviceId, registry::Devices};
use rollcall_log::messages::Lane;

use crate::{
    client::{Client, within},
    world::{ALPHA, BETA, World, id, instance_id, set_up, trust},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_connection_registers_and_its_first_message_is_stored() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut uplinks = world.backbone.messages.follow(&instance_id("alpha"), &[Lane::Uplink], None).await.unwrap();

    let device = ca.device("0001");
    let mut client = Client::handshake(connector.address, ALPHA, world.config(&device)).await.unwrap();
    let ack = client.connect("any client").await.unwrap().unwrap();
    let told: Vec<_> = ack.user_properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    assert!(told.contains(&("device_id".into(), "truck_0001".into())), "{told:?}");
    let topic = "$oc/devices/truck_0001/sys/messages/up";
    assert_eq!(client.publish(topic, b"hello").await, PublishAckReason::Success);

    let stored = within(uplinks.recv()).await.unwrap().unwrap().message;
    assert_eq!((stored.topic.as_str(), stored.payload.as_ref()), (topic, b"hello".as_slice()));
    let device: DeviceId = id("truck_0001");
    assert_eq!((stored.space.as_str(), stored.device), ("space", device.clone()));
    assert!(world.alpha.read(|registry| registry.entry(&device).is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_connection_needs_no_registrar() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = ca.device("0001");
    drop(world.connect(&connector, &device).await.unwrap());
    world.alpha.hold().await;
    world.connect(&connector, &device).await.unwrap().quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_parallel_first_connections_of_one_certificate_register_once() {
    let (world, ca) = World::with_ca().await;
    let (one, two) = (world.connector().await, world.connector().await);
    let device = ca.device("0001");
    let attempts = (0..8).map(|n| world.connect(if n % 2 == 0 { &one } else { &two }, &device));
    // Take-overs in a row wait for their turn, and the newest has it.
    for outcome in futures_util::future::join_all(attempts).await {
        outcome.map_or_else(|refused| assert!(refused.reason.starts_with("taken_over: "), "{refused:?}"), drop);
    }
    assert_eq!(world.alpha.registrations.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ruling_that_is_lost_is_learnt_from_the_log() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    world.alpha.silent.store(true, Ordering::SeqCst);
    world.connect(&connector, &ca.device("0001")).await.unwrap().quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_registration_ends_with_a_retry_hint_and_the_next_try_finds_it_done() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| limits.registration_ms_max = 400).await;
    world.alpha.hold().await;
    let device = ca.device("0001");
    let refused = world.connect(&connector, &device).await.err().unwrap();
    assert_eq!(refused.code, 0x88);
    assert!(refused.reason.starts_with("registration_timed_out: "), "{}", refused.reason);
    assert!((5..=10).contains(&refused.retry_after_s.unwrap()));

    world.alpha.resume();
    crate::world::eventually("the queued request is ruled on", async || {
        world.alpha.registrations.load(Ordering::SeqCst) == 1
    })
    .await;
    world.settled(&connector).await;
    world.connect(&connector, &device).await.unwrap();
    assert_eq!(world.alpha.registrations.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_backbone_known_devices_get_in_and_unknown_ones_are_told_to_come_back() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| limits.registration_ms_max = 1000).await;
    let known = ca.device("0001");
    drop(world.connect(&connector, &known).await.unwrap());

    world.lose_backbone().await;
    world.connect(&connector, &known).await.unwrap().quiet().await;
    let refused = world.connect(&connector, &ca.device("0002")).await.err().unwrap();
    assert_eq!(refused.code, 0x88);
    assert!(refused.reason.starts_with("registry_unavailable: "), "{}", refused.reason);

    world.find_backbone();
    world.connect(&connector, &ca.device("0002")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejection_reaches_the_device_with_its_code() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    world.alpha.devices_max.store(0, Ordering::SeqCst);
    let refused = world.connect(&connector, &ca.device("0001")).await.err().unwrap();
    assert_eq!((refused.code, refused.retry_after_s), (0x87, None));
    assert!(refused.reason.starts_with("limit_reached: "), "{}", refused.reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_certificate_registers_on_each_instance_that_trusts_its_ca() {
    let (world, ca) = World::with_ca().await;
    set_up(&world.beta, "other").await;
    trust(&world.beta, &ca, "ca", "other").await;
    let connector = world.connector().await;
    let config = world.config(&ca.device("0001"));
    for name in [ALPHA, BETA] {
        let mut client = Client::handshake(connector.address, name, config.clone()).await.unwrap();
        client.connect("any client").await.unwrap().unwrap();
    }
    let device: DeviceId = id("truck_0001");
    for registrar in [&world.alpha, &world.beta] {
        assert!(registrar.read(|registry| registry.entry(&device).is_some()));
    }
}
