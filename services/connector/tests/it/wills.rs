//! Wills: who publishes them, when, and through which policies.

use rmqtt_codec::{
    types::QoS,
    v5::{self, DisconnectReasonCode, Packet, PublishAckReason, SubscribeAckReason},
};
use rollcall_domain::{policy::Action, registry::Command};
use rollcall_log::documents::DocumentKey;

use crate::{
    client::Client,
    messages::deny,
    pki::{Authority, Identity},
    world::{ALPHA, Connector, World, eventually, id, instance_id},
};

pub(crate) fn will(topic: &str, payload: &'static [u8]) -> v5::LastWill {
    v5::LastWill {
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: topic.to_owned().into(),
        message: payload.into(),
        will_delay_interval_sec: None,
        correlation_data: None,
        message_expiry_interval: None,
        content_type: None,
        user_properties: Vec::new(),
        is_utf8_payload: None,
        response_topic: None,
    }
}

async fn with_will(world: &World, connector: &Connector, identity: &Identity, will: v5::LastWill) -> Client {
    let mut client = Client::handshake(connector.address, ALPHA, world.config(identity)).await.unwrap();
    let connect =
        v5::Connect { client_id: "any client".into(), clean_start: true, last_will: Some(will), ..v5::Connect::default() };
    client.connect_as(connect).await.unwrap().unwrap();
    client
}

async fn listener(world: &World, connector: &Connector, ca: &Authority) -> Client {
    let mut listener = world.connect(connector, &ca.device("listener")).await.unwrap();
    assert_eq!(listener.subscribe("yard/#", QoS::AtLeastOnce).await, SubscribeAckReason::GrantedQos1);
    listener
}

async fn leave(mut client: Client, reason: DisconnectReasonCode) {
    client.send(Packet::Disconnect(v5::Disconnect::new(reason))).await;
}

/// No will is kept or due: whatever was to be published has been.
pub(crate) async fn no_will_is_left(world: &World) {
    eventually("no will is left", || async {
        let mut listed = world.backbone.documents.sessions(&instance_id("alpha")).await.unwrap();
        while let Some(next) = listed.recv().await {
            if matches!(next.unwrap().0, DocumentKey::Will(..)) {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_will_is_published_whole_unless_the_client_says_goodbye() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut listener = listener(&world, &connector, &ca).await;
    let truck = ca.device("0001");
    let full = v5::LastWill {
        content_type: Some("text/plain".into()),
        response_topic: Some("reply".into()),
        correlation_data: Some(vec![0, 255].into()),
        user_properties: vec![("k".into(), "v".into())],
        is_utf8_payload: Some(true),
        ..will("yard/1", b"broken")
    };
    drop(with_will(&world, &connector, &truck, full).await);
    let heard = listener.publish_packet().await;
    let properties = heard.properties.unwrap();
    assert_eq!((&*heard.topic, &heard.payload[..], heard.qos), ("yard/1", &b"broken"[..], QoS::AtLeastOnce));
    assert_eq!(properties.content_type.as_deref(), Some("text/plain"));
    assert_eq!(properties.response_topic.as_deref(), Some("reply"));
    assert_eq!(properties.correlation_data.as_deref(), Some(&[0, 255][..]));
    assert_eq!(properties.user_properties, vec![("k".into(), "v".into())]);
    no_will_is_left(&world).await;

    let said_goodbye = with_will(&world, &connector, &truck, will("yard/1", b"not to be heard")).await;
    leave(said_goodbye, DisconnectReasonCode::NormalDisconnection).await;
    no_will_is_left(&world).await;
    let with_the_will = with_will(&world, &connector, &truck, will("yard/1", b"goodbye with the will")).await;
    leave(with_the_will, DisconnectReasonCode::DisconnectWithWillMessage).await;
    assert_eq!(listener.message().await, ("yard/1".into(), b"goodbye with the will".to_vec(), 1));
    no_will_is_left(&world).await;
    listener.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f27_a_will_is_published_through_the_rights_that_the_device_has_then() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut listener = listener(&world, &connector, &ca).await;
    let denied = with_will(&world, &connector, &ca.device("0001"), will("yard/denied", b"x")).await;
    let reserved = will("$oc/devices/truck_listener/sys/messages/up", b"x");
    let reserved = with_will(&world, &connector, &ca.device("0002"), reserved).await;
    let mut frozen = with_will(&world, &connector, &ca.device("0003"), will("yard/frozen", b"x")).await;
    deny(&world, &[Action::Publish], &["topic:yard/denied"]).await;
    world.settled(&connector).await;
    drop((denied, reserved));
    world.alpha.command(Command::FreezeDevice { device: id("truck_0003") }).await;
    assert_eq!(frozen.disconnected().await.0, 0x98);
    no_will_is_left(&world).await;
    let mut sender = world.connect(&connector, &ca.device("0004")).await.unwrap();
    assert_eq!(sender.publish("yard/last", b"last").await, PublishAckReason::Success);
    assert_eq!(listener.message().await.0, "yard/last", "none of the wills has been published");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_take_over_ends_the_session_and_publishes_its_will_once() {
    let (world, ca) = World::with_ca().await;
    let (one, two) = (world.connector().await, world.connector().await);
    let mut listener = listener(&world, &two, &ca).await;
    let truck = ca.device("0001");
    let first = with_will(&world, &one, &truck, will("yard/1", b"first")).await;
    let second = with_will(&world, &one, &truck, will("yard/1", b"second")).await;
    assert_eq!(listener.message().await.1, b"first");
    let third = with_will(&world, &two, &truck, will("yard/1", b"third")).await;
    assert_eq!(listener.message().await.1, b"second");
    drop((first, second));
    leave(third, DisconnectReasonCode::NormalDisconnection).await;
    no_will_is_left(&world).await;
    listener.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wills_of_a_connector_that_stops_are_published_before_it_is_gone() {
    let (world, ca) = World::with_ca().await;
    let (one, two) = (world.connector().await, world.connector().await);
    let mut listener = listener(&world, &two, &ca).await;
    let _truck = with_will(&world, &one, &ca.device("0001"), will("yard/1", b"stopped")).await;
    one.shutdown.cancel();
    one.ended.await.unwrap();
    assert_eq!(listener.message().await.1, b"stopped");
    no_will_is_left(&world).await;
}
