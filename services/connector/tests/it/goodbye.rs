//! A client that sends its messages and leaves: everything that it sent is stored, whatever its goodbye looks like.

use std::time::Duration;

use bytes::Bytes;
use rmqtt_codec::{
    types::{Publish, QoS},
    v5::{Connect, Disconnect, DisconnectReasonCode, Packet, PublishProperties},
};
use rollcall_log::{
    BackboneError,
    messages::{Lane, StoredMessage},
};
use tokio::{io::AsyncWriteExt, sync::mpsc, time::timeout};

use crate::{
    client::{Client, within},
    pki::Identity,
    world::{ALPHA, Connector, World, instance_id},
};

const TOPIC: &str = "$oc/devices/truck_0001/sys/messages/up";
/// More than a window holds, fewer than a burst's share of the rate.
const COUNT: usize = 90;

fn message(qos: QoS, number: usize) -> Packet {
    Packet::Publish(Box::new(Publish {
        dup: false,
        retain: false,
        qos,
        topic: TOPIC.into(),
        packet_id: (qos == QoS::AtLeastOnce).then(|| std::num::NonZeroU16::new(number as u16 + 1).unwrap()),
        payload: Bytes::from(number.to_string()),
        properties: Some(PublishProperties::default()),
    }))
}

fn messages(qos: QoS) -> Vec<Packet> {
    (0..COUNT).map(|number| message(qos, number)).collect()
}

fn disconnect() -> Packet {
    Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection))
}

struct Scene {
    world: World,
    device: Identity,
    connector: Connector,
    stored: mpsc::Receiver<Result<StoredMessage, BackboneError>>,
}

impl Scene {
    async fn new() -> Self {
        let (world, ca) = World::with_ca().await;
        let connector = world.connector().await;
        let stored = world.backbone.messages.follow(&instance_id("alpha"), &[Lane::Uplink], None).await.unwrap();
        Self { world, device: ca.device("0001"), connector, stored }
    }

    async fn connect(&self) -> Client {
        self.world.connect(&self.connector, &self.device).await.unwrap()
    }

    /// Every message is stored, once and in order.
    async fn all_are_stored(&mut self) {
        for number in 0..COUNT {
            let stored = within(self.stored.recv()).await.unwrap().unwrap();
            assert_eq!(stored.message.payload, number.to_string());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f46_messages_read_together_with_disconnect_are_stored() {
    let mut scene = Scene::new().await;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut client = scene.connect().await;
        client.send_together(messages(qos).into_iter().chain([disconnect()])).await;
        drop(client);
        scene.all_are_stored().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f46_messages_before_a_connection_that_just_ends_are_stored() {
    let mut scene = Scene::new().await;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut client = scene.connect().await;
        client.send_together(messages(qos)).await;
        client.tls.get_mut().0.shutdown().await.unwrap();
        scene.all_are_stored().await;
        drop(client);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f46_messages_before_a_reset_are_stored() {
    let mut scene = Scene::new().await;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut client = scene.connect().await;
        client.send_together(messages(qos)).await;
        client.tls.flush().await.unwrap();
        // Closed with acknowledgements unread, a socket resets its connection.
        client.tls.get_mut().0.set_zero_linger().unwrap();
        drop(client);
        scene.all_are_stored().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f46_messages_before_a_violation_are_stored_and_acknowledged() {
    let mut scene = Scene::new().await;
    let mut client = scene.connect().await;
    let violation = message(QoS::ExactlyOnce, 0);
    let violation = match violation {
        Packet::Publish(publish) => {
            Packet::Publish(Box::new(Publish { packet_id: std::num::NonZeroU16::new(999), ..*publish }))
        }
        other => other,
    };
    client.send_together(messages(QoS::AtLeastOnce).into_iter().chain([violation])).await;
    scene.all_are_stored().await;
    for number in 1..=COUNT {
        match client.receive().await.unwrap() {
            Packet::PublishAck(ack) => assert_eq!(usize::from(ack.packet_id.get()), number),
            other => panic!("expected PUBACK {number}, got {other:?}"),
        }
    }
    assert_eq!(client.disconnected().await.0, 0x9b);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f46_messages_before_a_take_over_are_stored() {
    let mut scene = Scene::new().await;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut client = scene.connect().await;
        client.send_together(messages(qos)).await;
        let newer = scene.connect().await;
        scene.all_are_stored().await;
        drop((client, newer));
    }
}

/// The second take-over in a row waits a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f33_a_client_that_leaves_while_it_waits_takes_nothing_over() {
    let scene = Scene::new().await;
    let _first = scene.connect().await;
    let mut second = scene.connect().await;
    let config = scene.world.config(&scene.device);
    let mut third = Client::handshake(scene.connector.address, ALPHA, config).await.unwrap();
    let connect = Connect { client_id: "third".into(), keep_alive: 120, ..Connect::default() };
    // A message behind it does not hide that it has gone.
    third.send_together([Packet::Connect(Box::new(connect)), message(QoS::AtMostOnce, 0)]).await;
    drop(third);
    let taken_over = timeout(Duration::from_secs(2), second.receive()).await;
    assert!(taken_over.is_err(), "{taken_over:?}");
    second.quiet().await;
}

/// Two clients with one certificate that reconnect at once: the first take-over is at once, the next one waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f33_sessions_that_take_each_others_place_are_slowed_down() {
    let scene = Scene::new().await;
    let mut first = scene.connect().await;
    let mut second = scene.connect().await;
    assert_eq!(first.disconnected().await.0, 0x8e);
    let began = tokio::time::Instant::now();
    let (mut third, ()) = tokio::join!(scene.connect(), second.quiet());
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(second.disconnected().await.0, 0x8e);
    // When the session that has the device ends by itself, there is nothing to wait for.
    let (fourth, ()) = tokio::join!(scene.connect(), async {
        third.quiet().await;
        drop(third);
    });
    drop(fourth);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f46_messages_before_a_shutdown_are_stored() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut scene = Scene::new().await;
        let mut client = scene.connect().await;
        client.send_together(messages(qos)).await;
        scene.connector.shutdown.cancel();
        scene.all_are_stored().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_waits_for_a_store_that_fails_at_first() {
    let mut scene = Scene::new().await;
    let mut client = scene.connect().await;
    scene.world.lose_backbone().await;
    client.send_together(messages(QoS::AtLeastOnce).into_iter().chain([disconnect()])).await;
    drop(client);
    within(scene.world.faults.has_failed("publishing")).await;
    scene.world.find_backbone();
    scene.all_are_stored().await;
}
