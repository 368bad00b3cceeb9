//! The state machine as a client and an owner see it: bytes and answers in, packets and effects out.

mod connecting;
mod delivering;
mod goodbye;
mod hostile;
mod publishing;
mod reference;
mod subscribing;
mod timing;

use bytes::{Bytes, BytesMut};
use rmqtt_codec::{types, v3, v5};
use rollcall_domain::ids::{DeviceId, ProductId, SpaceId};
use rollcall_log::messages::{MessagePosition, MessageProperties};
use tokio_util::codec::{Decoder, Encoder};

use super::{
    Closing, Delivered, Delivery, Effect, Grant, Limits, Protocol, Publish, PublishOutcome, PublishRef, SessionGrant,
    Subscription, Will,
    interface::{Disconnected, Undelivered, Version},
    violation::Violation,
};

/// A machine with the packets of a client of one version.
struct Bench {
    version: Version,
    protocol: Protocol,
    now_ms: u64,
}

impl Bench {
    fn new(version: Version) -> Self {
        Self::with_limits(version, Limits::default())
    }

    fn with_limits(version: Version, limits: Limits) -> Self {
        Self { version, protocol: Protocol::new(limits, 0), now_ms: 0 }
    }

    /// Connected and accepted; CONNACK is read.
    fn open(version: Version) -> Self {
        Self::open_as(version, Limits::default(), v5::Connect::default())
    }

    /// `settings`: what an MQTT 5 client says beside the usual.
    fn open_as(version: Version, limits: Limits, settings: v5::Connect) -> Self {
        let mut bench = Self::with_limits(version, limits);
        bench.send_connect(settings);
        assert!(matches!(bench.effects().as_slice(), [Effect::Connect(_)]));
        bench.protocol.accept(&grant(), 0);
        bench.output();
        bench
    }

    fn send_connect(&mut self, settings: v5::Connect) {
        match self.version {
            Version::V3_1 | Version::V3_1_1 => self.send_3(connect_3("any").into()),
            Version::V5 => {
                let client_id = "any".into();
                self.send_5(v5::Connect { client_id, keep_alive: 60, clean_start: true, ..settings }.into());
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.protocol.receive(bytes, self.now_ms);
    }

    fn send_3(&mut self, packet: v3::Packet) {
        self.send(&encoded_3(packet));
    }

    fn send_5(&mut self, packet: v5::Packet) {
        self.send(&encoded_5(packet));
    }

    /// PUBLISH in the bench's version, at QoS 1 if there is an id.
    fn send_publish(&mut self, topic: &str, payload: &str, id: Option<u16>) {
        let publish = publish_packet(topic, payload, id);
        match self.version {
            Version::V3_1 | Version::V3_1_1 => self.send_3(publish.into()),
            Version::V5 => self.send_5(publish.into()),
        }
    }

    fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.protocol.next_effect()).collect()
    }

    /// The one message that came.
    fn published(&mut self) -> Publish {
        match self.effects().as_slice() {
            [Effect::Publish(publish)] => (**publish).clone(),
            effects => panic!("expected one message, got {effects:?}"),
        }
    }

    fn references(&mut self) -> Vec<PublishRef> {
        let of = |effect| if let Effect::Publish(publish) = effect { Some(publish.publish) } else { None };
        self.effects().into_iter().filter_map(of).collect()
    }

    fn stored(&mut self, publish: PublishRef) {
        self.protocol.published(publish, PublishOutcome::Stored);
    }

    /// All of the output, as if written.
    fn output(&mut self) -> Vec<u8> {
        let bytes = self.protocol.output().to_vec();
        self.protocol.written(bytes.len());
        bytes
    }

    fn output_5(&mut self) -> Vec<v5::Packet> {
        let (mut bytes, mut codec) = (BytesMut::from(&*self.output()), v5::Codec::default());
        std::iter::from_fn(|| codec.decode(&mut bytes).expect("the server's packets are well-formed")).map(|p| p.0).collect()
    }

    /// The end, which must have come.
    fn closing(&mut self) -> Closing {
        match self.effects().pop() {
            Some(Effect::Close(closing)) => closing,
            other => panic!("expected the end, got {other:?}"),
        }
    }

    /// The DISCONNECT that is the last word, and the end.
    fn disconnect_5(&mut self) -> (v5::Disconnect, Closing) {
        let closing = self.closing();
        match self.output_5().pop() {
            Some(v5::Packet::Disconnect(disconnect)) => (disconnect, closing),
            other => panic!("expected DISCONNECT, got {other:?}"),
        }
    }

    fn is_open(&mut self) -> bool {
        self.deliver("$not/subscribed") != Delivered::Not(Undelivered::NotOpen)
    }

    /// Whether the client has subscribed to a topic.
    fn is_subscribed(&mut self, topic: &str) -> bool {
        self.deliver(topic) != Delivered::Not(Undelivered::NotSubscribed)
    }

    fn deliver(&mut self, topic: &str) -> Delivered {
        let (payload, properties) = (Bytes::new(), MessageProperties::default());
        self.protocol.deliver(&Delivery { properties: &properties, ..delivery(topic, &payload, 0) })
    }
}

fn grant() -> Grant {
    Grant {
        device: DeviceId::parse("dev1").expect("an id"),
        space: SpaceId::parse("space1").expect("an id"),
        product: ProductId::parse("product1").expect("an id"),
        session: SessionGrant::default(),
    }
}

fn connect_3(client_id: &str) -> v3::Connect {
    v3::Connect { client_id: client_id.into(), keep_alive: 60, clean_session: true, ..v3::Connect::default() }
}

fn publish_packet(topic: &str, payload: &str, id: Option<u16>) -> types::Publish {
    types::Publish {
        dup: false,
        retain: false,
        qos: if id.is_some() { types::QoS::AtLeastOnce } else { types::QoS::AtMostOnce },
        topic: topic.into(),
        packet_id: id.map(packet_id),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        properties: None,
    }
}

fn packet_id(id: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(id).expect("not zero")
}

fn encoded_3(packet: v3::Packet) -> Bytes {
    let mut bytes = BytesMut::new();
    v3::Codec::default().encode(packet, &mut bytes).expect("encodes");
    bytes.freeze()
}

fn encoded_5(packet: v5::Packet) -> Bytes {
    let mut bytes = BytesMut::new();
    v5::Codec::default().encode(packet, &mut bytes).expect("encodes");
    bytes.freeze()
}

static NO_PROPERTIES: MessageProperties = MessageProperties {
    payload_format: None,
    expiry_s: None,
    content_type: None,
    response_topic: None,
    correlation_data: None,
    user: Vec::new(),
};

fn delivery<'a>(topic: &'a str, payload: &'a Bytes, qos: u8) -> Delivery<'a> {
    let position = MessagePosition::own(1);
    Delivery { topic, payload, qos, properties: &NO_PROPERTIES, implicit: false, own: false, position }
}
