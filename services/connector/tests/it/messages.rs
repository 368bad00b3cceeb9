//! What devices may send and are sent.

use bytes::Bytes;
use rmqtt_codec::{
    types::QoS,
    v5::{PublishAckReason, SubscribeAckReason},
};
use rollcall_domain::{
    policy::{Action, Effect, Statement},
    registry::{Command, event::PolicyTarget},
};
use rollcall_log::messages::{DeviceMessage, Lane, MessageProperties};

use crate::{
    pki::Authority,
    world::{World, create_product, eventually, id, instance_id, trust},
};

fn statement(effect: Effect, actions: &[Action], resources: &[&str]) -> Statement {
    Statement { effect, actions: actions.into(), resources: resources.iter().map(|resource| Box::from(*resource)).collect() }
}

pub(crate) async fn deny(world: &World, actions: &[Action], resources: &[&str]) {
    let statements = vec![statement(Effect::Deny, actions, resources)];
    let (policy, space) = (id("denied"), id("space"));
    world.alpha.command(Command::CreatePolicy { policy, space, name: "denied".into(), statements }).await;
    let target = PolicyTarget::Device(id("truck_0001"));
    world.alpha.command(Command::BindPolicy { policy: id("denied"), target }).await;
}

async fn down(world: &World, device: &str, topic: &str, payload: &'static [u8], qos: u8) {
    let message = DeviceMessage {
        lane: Lane::Downlink,
        space: id("space"),
        device: id(device),
        topic: topic.into(),
        payload: Bytes::from_static(payload),
        qos,
        properties: MessageProperties::default(),
    };
    world.backbone.messages.publish(&instance_id("alpha"), message).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_between_devices_arrives_once_at_either_connector() {
    let (world, ca) = World::with_ca().await;
    let (one, two) = (world.connector().await, world.connector().await);
    let mut sender = world.connect(&one, &ca.device("0001")).await.unwrap();
    let mut near = world.connect(&one, &ca.device("0002")).await.unwrap();
    let mut far = world.connect(&two, &ca.device("0003")).await.unwrap();
    for client in [&mut near, &mut far] {
        assert_eq!(client.subscribe("fleet/+/news", QoS::AtLeastOnce).await, SubscribeAckReason::GrantedQos1);
        assert_eq!(client.subscribe("fleet/#", QoS::AtMostOnce).await, SubscribeAckReason::GrantedQos0);
    }
    assert_eq!(sender.publish("fleet/a/news", b"1").await, PublishAckReason::Success);
    assert_eq!(sender.publish("elsewhere", b"2").await, PublishAckReason::Success);
    assert_eq!(sender.publish("fleet/a", b"3").await, PublishAckReason::Success);
    for client in [&mut near, &mut far] {
        assert_eq!(client.message().await, ("fleet/a/news".into(), b"1".into(), 1));
        assert_eq!(client.message().await, ("fleet/a".into(), b"3".into(), 0));
        client.quiet().await;
    }
    sender.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f10_a_filter_wider_than_a_deny_does_not_get_round_it() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut watched = world.connect(&connector, &ca.device("0001")).await.unwrap();
    let mut sender = world.connect(&connector, &ca.device("0002")).await.unwrap();
    deny(&world, &[Action::Subscribe], &["topic:secret/*"]).await;
    world.settled(&connector).await;
    assert_eq!(watched.subscribe("#", QoS::AtMostOnce).await, SubscribeAckReason::GrantedQos0);
    assert_eq!(sender.publish("secret/plan", b"1").await, PublishAckReason::Success);
    assert_eq!(sender.publish("open", b"2").await, PublishAckReason::Success);
    assert_eq!(watched.message().await, ("open".into(), b"2".into(), 0));
    watched.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_stays_in_its_resource_space() {
    let (world, ca) = World::with_ca().await;
    let (space, default_policy) = (id("beside"), Some(id("default-beside")));
    world.alpha.command(Command::CreateSpace { space, name: "Beside".into(), default_policy }).await;
    create_product(&world.alpha, &id("beside"), "truck").await;
    let other = Authority::root("Other CA");
    trust(&world.alpha, &other, "other-ca", "beside").await;
    let connector = world.connector().await;
    let mut sender = world.connect(&connector, &ca.device("0001")).await.unwrap();
    let mut inside = world.connect(&connector, &ca.device("0002")).await.unwrap();
    let mut outside = world.connect(&connector, &other.device("0003")).await.unwrap();
    for client in [&mut inside, &mut outside] {
        assert_eq!(client.subscribe("#", QoS::AtMostOnce).await, SubscribeAckReason::GrantedQos0);
    }
    sender.publish("news", b"1").await;
    assert_eq!(inside.message().await.1, b"1");
    outside.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_downlink_arrives_without_subscribe_and_at_a_higher_qos_with_it() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    let topic = "$oc/devices/truck_0001/sys/messages/down";
    down(&world, "truck_0001", topic, b"1", 1).await;
    assert_eq!(client.message().await, (topic.into(), b"1".into(), 0));
    assert_eq!(client.subscribe(topic, QoS::AtLeastOnce).await, SubscribeAckReason::GrantedQos1);
    down(&world, "truck_0001", topic, b"2", 1).await;
    assert_eq!(client.message().await, (topic.into(), b"2".into(), 1));
    // Somebody else's topic, and somebody else's device.
    down(&world, "truck_0001", "$oc/devices/truck_0002/sys/messages/down", b"3", 0).await;
    down(&world, "truck_0002", "$oc/devices/truck_0002/sys/messages/down", b"4", 0).await;
    down(&world, "truck_0001", topic, b"5", 0).await;
    assert_eq!(client.message().await.1, b"5");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_downlink_on_a_custom_topic_is_for_one_device_that_has_subscribed_and_may() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    let mut other = world.connect(&connector, &ca.device("0002")).await.unwrap();
    assert_eq!(other.subscribe("#", QoS::AtMostOnce).await, SubscribeAckReason::GrantedQos0);
    down(&world, "truck_0001", "/air/data/up", b"not subscribed to", 1).await;
    // What follows it on the stream has come: it has passed.
    down(&world, "truck_0001", "$oc/devices/truck_0001/sys/messages/down", b"0", 0).await;
    assert_eq!(client.message().await.1, b"0");
    assert_eq!(client.subscribe("/air/#", QoS::AtLeastOnce).await, SubscribeAckReason::GrantedQos1);
    down(&world, "truck_0001", "/air/data/up", b"1", 1).await;
    assert_eq!(client.message().await, ("/air/data/up".into(), b"1".into(), 1));
    deny(&world, &[Action::Subscribe], &["topic:/air/data/*"]).await;
    world.settled(&connector).await;
    down(&world, "truck_0001", "/air/data/up", b"2", 1).await;
    down(&world, "truck_0001", "/air/open", b"3", 1).await;
    assert_eq!(client.message().await, ("/air/open".into(), b"3".into(), 1));
    other.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_has_its_own_system_topics_and_nobody_elses() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    for topic in ["$oc/devices/truck_0002/sys/messages/up", "$SYS/broker", "$oc/devices/truck_00011/sys/messages/up"] {
        assert_eq!(client.publish(topic, b"x").await, PublishAckReason::NotAuthorized, "{topic}");
    }
    for filter in ["$oc/devices/truck_0002/#", "$oc/devices/+/sys/messages/down", "$oc/#", "$SYS/#"] {
        assert_eq!(client.subscribe(filter, QoS::AtMostOnce).await, SubscribeAckReason::NotAuthorized, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_policy_counts_for_the_next_message_and_withdraws_filters() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut sender = world.connect(&connector, &ca.device("0002")).await.unwrap();
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    assert_eq!(client.subscribe("secret/a", QoS::AtLeastOnce).await, SubscribeAckReason::GrantedQos1);
    assert_eq!(client.publish("secret/b", b"x").await, PublishAckReason::Success);
    sender.publish("secret/a", b"before").await;
    assert_eq!(client.message().await.1, b"before");

    deny(&world, &[Action::Publish, Action::Subscribe], &["topic:secret/*"]).await;
    world.settled(&connector).await;
    assert_eq!(client.publish("secret/b", b"x").await, PublishAckReason::NotAuthorized);
    assert_eq!(client.subscribe("secret/c", QoS::AtMostOnce).await, SubscribeAckReason::NotAuthorized);
    sender.publish("secret/a", b"after").await;
    client.quiet().await;

    let target = PolicyTarget::Device(id("truck_0001"));
    world.alpha.command(Command::UnbindPolicy { policy: id("denied"), target }).await;
    world.settled(&connector).await;
    assert_eq!(client.publish("secret/b", b"x").await, PublishAckReason::Success);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_closed_and_others_are_served() {
    static MUCH: [u8; 64 * 1024] = [7; 64 * 1024];
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| limits.queue_bytes_max = 512 * 1024).await;
    let asleep = world.connect(&connector, &ca.device("0001")).await.unwrap();
    let mut awake = world.connect(&connector, &ca.device("0002")).await.unwrap();
    eventually("the sleeper is closed", async || {
        down(&world, "truck_0001", "$oc/devices/truck_0001/sys/messages/down", &MUCH, 0).await;
        connector.sessions() == 1
    })
    .await;
    let topic = "$oc/devices/truck_0002/sys/messages/down";
    down(&world, "truck_0002", topic, b"still here", 0).await;
    assert_eq!(awake.message().await.1, b"still here");
    drop(asleep);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_far_over_its_rate_loses_nothing() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| limits.uplinks_per_s_max = 100).await;
    let mut uplinks = world.backbone.messages.follow(&instance_id("alpha"), &[Lane::Uplink], None).await.unwrap();
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    for _ in 0..300 {
        assert_eq!(client.publish("$oc/devices/truck_0001/sys/messages/up", b"x").await, PublishAckReason::Success);
    }
    for _ in 0..300 {
        crate::client::within(uplinks.recv()).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_cannot_be_stored_is_acknowledged_once_it_can() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    let mut uplinks = world.backbone.messages.follow(&instance_id("alpha"), &[Lane::Uplink], None).await.unwrap();
    world.lose_backbone().await;
    let topic = "$oc/devices/truck_0001/sys/messages/up";
    let ids = [client.publish_unanswered(topic, b"1").await, client.publish_unanswered(topic, b"2").await];
    client.quiet().await;
    world.find_backbone();
    for (id, payload) in ids.into_iter().zip([b"1", b"2"]) {
        match client.receive().await.unwrap() {
            rmqtt_codec::v5::Packet::PublishAck(ack) => {
                assert_eq!((ack.packet_id, ack.reason_code), (id, PublishAckReason::Success))
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(crate::client::within(uplinks.recv()).await.unwrap().unwrap().message.payload.as_ref(), payload);
    }
}
