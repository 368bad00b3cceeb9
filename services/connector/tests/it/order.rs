//! The order in which a connection's messages are stored is the order in which they came.

use std::collections::HashMap;

use bytes::Bytes;
use rmqtt_codec::{
    types::{Publish, QoS},
    v5::{Packet, PublishProperties},
};
use rollcall_log::messages::Lane;
use rollcall_log_memory::Faults;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    client::within,
    world::{World, instance_id},
};

const TOPIC: &str = "$oc/devices/truck_0001/sys/messages/up";
/// Twice tokio's cooperative budget, nearly.
const BURST: u16 = 250;

fn message(number: u16, qos: QoS, aliased: bool) -> Packet {
    let named = !aliased || number == 0;
    let properties =
        PublishProperties { topic_alias: aliased.then_some(std::num::NonZeroU16::MIN), ..PublishProperties::default() };
    Packet::Publish(Box::new(Publish {
        dup: false,
        retain: false,
        qos,
        topic: if named { TOPIC } else { "" }.into(),
        packet_id: (qos == QoS::AtLeastOnce).then(|| std::num::NonZeroU16::new(number + 1).unwrap()),
        payload: Bytes::from(format!("{number:06}")),
        properties: Some(properties),
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f47_a_burst_of_small_messages_is_stored_in_its_order() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| limits.uplinks_per_s_max = 1000).await;
    let mut stored = world.backbone.messages.follow(&instance_id("alpha"), &[Lane::Uplink], None).await.unwrap();
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    for (qos, aliased) in
        [(QoS::AtLeastOnce, false), (QoS::AtMostOnce, false), (QoS::AtLeastOnce, true), (QoS::AtMostOnce, true)]
    {
        client.send_together((0..BURST).map(|number| message(number, qos, aliased))).await;
        for number in 0..BURST {
            let stored = within(stored.recv()).await.unwrap().unwrap();
            assert_eq!(stored.message.payload, format!("{number:06}"), "{qos:?}, aliased: {aliased}");
        }
        for number in 1..=BURST {
            if qos == QoS::AtLeastOnce {
                assert!(matches!(client.receive().await.unwrap(), Packet::PublishAck(ack) if ack.packet_id.get() == number));
            }
        }
    }
}

/// What is stored together is acknowledged in one TLS record, and so in one system call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_stored_together_are_acknowledged_together() {
    const COUNT: u16 = 40;
    /// Fixed header, packet id, reason code, length of no properties.
    const PUBACK_BYTES: usize = 6;
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    // In one read of the connector's.
    client.send_together((0..COUNT).map(|number| message(number, QoS::AtLeastOnce, false))).await;
    client.tls.flush().await.unwrap();
    let socket = client.tls.get_mut().0;
    let (mut records, mut plain_bytes) = (0, 0);
    while plain_bytes < usize::from(COUNT) * PUBACK_BYTES {
        let mut header = [0; 5];
        within(socket.read_exact(&mut header)).await.unwrap();
        let mut record = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        within(socket.read_exact(&mut record)).await.unwrap();
        // TLS 1.3: behind the contents are their type and a tag of 16 bytes.
        plain_bytes += record.len() - 17;
        records += 1;
    }
    assert!(records <= 2, "{records} records for {COUNT} acknowledgements");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_lose_no_acknowledged_message_and_let_none_overtake() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| limits.uplinks_per_s_max = 1000).await;
    let mut stored = world.backbone.messages.follow(&instance_id("alpha"), &[Lane::Uplink], None).await.unwrap();
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    world.faults.set_faults(Faults { unavailable: 200, lost_ack: 200, cut_sequence: 300, ..Faults::default() });
    client.send_together((0..BURST).map(|number| message(number, QoS::AtLeastOnce, false))).await;
    for number in 1..=BURST {
        assert!(matches!(client.receive().await.unwrap(), Packet::PublishAck(ack) if ack.packet_id.get() == number));
    }
    world.faults.clear();
    client.send_together([message(BURST, QoS::AtLeastOnce, false)]).await;
    // A message may come again, with all that came behind it; the first of each is behind the first of the one before.
    let mut first = HashMap::new();
    for place in 0.. {
        let stored = within(stored.recv()).await.unwrap().unwrap();
        let number: u16 = String::from_utf8(stored.message.payload.to_vec()).unwrap().parse().unwrap();
        first.entry(number).or_insert(place);
        assert!(number == 0 || first.contains_key(&(number - 1)), "message {number} has overtaken");
        if number == BURST {
            break;
        }
    }
    assert_eq!(first.len(), usize::from(BURST) + 1);
}
