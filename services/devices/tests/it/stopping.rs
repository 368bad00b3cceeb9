//! What has been begun for a device is finished when the instance stops, and nothing is begun any more.

use std::sync::Arc;

use rollcall_device_model::{message_queue::MessageState, shadow::DesiredChange};
use rollcall_devices::{desired, messages};
use serde_json::json;

use crate::world::{World, message, within};

/// The messages that are kept, oldest first: their ids, and whether each was delivered.
async fn kept(world: &World) -> Vec<(String, bool)> {
    let kept = messages::list(&world.devices, &world.listed).await.unwrap();
    let state = |state| matches!(state, MessageState::Delivered { .. });
    kept.into_iter().rev().map(|message| (message.entry.id, state(message.entry.state))).collect()
}

async fn all_ended(world: &World) {
    within("all that runs has ended", world.tasks.wait()).await;
}

#[tokio::test]
async fn a_delivery_whose_caller_has_gone_ends_with_its_message_before_the_instance_has_stopped() {
    let world = World::new().await;
    world.device_comes_online().await;
    let (devices, listed) = (Arc::clone(&world.devices), world.listed.clone());
    let caller = tokio::spawn(async move { messages::create(&devices, &listed, message("m1")).await });
    world.gate.has_begun(1).await;
    caller.abort();
    // While the first is on its way, another comes.
    messages::create(&world.devices, &world.listed, message("m2")).await.unwrap();
    world.stop();
    world.ended_but(1).await;
    world.gate.let_through(2);
    all_ended(&world).await;
    assert_eq!(kept(&world).await, [("m1".to_owned(), true), ("m2".to_owned(), false)]);
    assert_eq!(world.gate.begun(), 1, "the other is left to the next process");
}

#[tokio::test]
async fn what_waits_for_a_device_that_came_online_is_not_cut_off_by_a_stop() {
    let world = World::new().await;
    for id in ["m1", "m2"] {
        messages::create(&world.devices, &world.listed, message(id)).await.unwrap();
    }
    world.device_comes_online().await;
    world.gate.has_begun(1).await;
    world.stop();
    world.ended_but(1).await;
    world.gate.let_through(2);
    all_ended(&world).await;
    assert_eq!(kept(&world).await, [("m1".to_owned(), true), ("m2".to_owned(), false)]);
    assert_eq!(world.gate.begun(), 1);
}

#[tokio::test]
async fn what_is_desired_is_sent_and_noted_before_the_instance_has_stopped() {
    let world = World::new().await;
    world.device_comes_online().await;
    let serde_json::Value::Object(properties) = json!({"speed": 7}) else { panic!("an object") };
    let change = DesiredChange { service_id: "engine".to_owned(), desired: properties, version: None };
    desired::change(&world.devices, &world.listed, &[change], None).await.unwrap();
    world.gate.has_begun(1).await;
    world.stop();
    world.ended_but(1).await;
    world.gate.let_through(1);
    all_ended(&world).await;
    let shadow = desired::show(&world.devices, &world.listed).await.unwrap();
    assert!(shadow.claim.is_none(), "the claim to send is given up: {:?}", shadow.claim);
    assert_eq!(world.gate.begun(), 1);
}
