//! A device: TLS with its certificate, then MQTT packets made and read one by one.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU16,
    sync::Arc,
    time::Duration,
};

use bytes::BytesMut;
use rmqtt_codec::{
    types::{Publish, QoS},
    v5::{self, Packet},
};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::codec::{Decoder, Encoder};

use crate::pki::Identity;

/// Nothing in these tests takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a device shows and trusts. One config keeps its TLS sessions.
pub(crate) fn config(
    server_ca: &CertificateDer<'static>,
    identity: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(server_ca.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match identity {
        // v1 certificates too: a resolver does not look into what it shows.
        Some(identity) => {
            let key = aws_lc_rs::sign::any_supported_type(&identity.key()).unwrap();
            let shown = rustls::sign::CertifiedKey::new(identity.chain.clone(), key);
            builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(shown)))
        }
        None => builder.with_no_client_auth(),
    }
}

pub(crate) struct Client {
    pub(crate) tls: TlsStream<TcpStream>,
    codec: v5::Codec,
    read: BytesMut,
    packet_id: u16,
}

/// How a CONNECT was answered.
#[derive(Debug, PartialEq)]
pub(crate) struct Refused {
    pub(crate) code: u8,
    pub(crate) reason: String,
    pub(crate) retry_after_s: Option<u32>,
}

impl Client {
    pub(crate) async fn handshake(address: SocketAddr, name: &str, config: Arc<ClientConfig>) -> io::Result<Self> {
        Self::over(TcpStream::connect(address).await?, name, config).await
    }

    /// From another loopback address than the connector's.
    pub(crate) async fn handshake_from(
        source: Ipv4Addr,
        address: SocketAddr,
        name: &str,
        config: Arc<ClientConfig>,
    ) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        Self::over(socket.connect(address).await?, name, config).await
    }

    pub(crate) async fn over(socket: TcpStream, name: &str, config: Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let tls = within(TlsConnector::from(config).connect(name, socket)).await?;
        Ok(Self { tls, codec: v5::Codec::new(0, 0), read: BytesMut::new(), packet_id: 0 })
    }

    pub(crate) fn resumed(&self) -> bool {
        self.tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub(crate) async fn send(&mut self, packet: Packet) {
        self.send_together([packet]).await;
    }

    /// All packets in one write.
    pub(crate) async fn send_together(&mut self, packets: impl IntoIterator<Item = Packet>) {
        let mut bytes = BytesMut::new();
        packets.into_iter().for_each(|packet| self.codec.encode(packet, &mut bytes).unwrap());
        self.tls.write_all(&bytes).await.unwrap();
    }

    /// The next packet, or how the connection ended.
    pub(crate) async fn receive(&mut self) -> io::Result<Packet> {
        loop {
            if let Some((packet, _)) =
                self.codec.decode(&mut self.read).map_err(|error| io::Error::other(format!("{error:?}")))?
            {
                return Ok(packet);
            }
            if within(self.tls.read_buf(&mut self.read)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// CONNECT and its answer.
    pub(crate) async fn connect(&mut self, client_id: &str) -> io::Result<Result<v5::ConnectAck, Refused>> {
        self.connect_as(v5::Connect { client_id: client_id.to_owned().into(), clean_start: true, ..v5::Connect::default() })
            .await
    }

    /// CONNECT, with the usual keep-alive and user name, and its answer.
    pub(crate) async fn connect_as(&mut self, connect: v5::Connect) -> io::Result<Result<v5::ConnectAck, Refused>> {
        let connect = v5::Connect { username: Some("anyone".into()), keep_alive: 120, ..connect };
        self.send(Packet::Connect(Box::new(connect))).await;
        let Packet::ConnectAck(ack) = self.receive().await? else { panic!("the answer to CONNECT is CONNACK") };
        if ack.reason_code == v5::ConnectAckReason::Success {
            return Ok(Ok(*ack));
        }
        let property =
            |name: &str| ack.user_properties.iter().find(|(known, _)| &**known == name).map(|(_, value)| value.to_string());
        Ok(Err(Refused {
            code: ack.reason_code.into(),
            reason: ack.reason_string.as_ref().map(ToString::to_string).unwrap_or_default(),
            retry_after_s: property("retry_after_s").and_then(|value| value.parse().ok()),
        }))
    }

    pub(crate) async fn publish(&mut self, topic: &str, payload: &'static [u8]) -> v5::PublishAckReason {
        let id = self.publish_unanswered(topic, payload).await;
        match self.receive().await.unwrap() {
            Packet::PublishAck(ack) if ack.packet_id == id => ack.reason_code,
            other => panic!("expected PUBACK, got {other:?}"),
        }
    }

    pub(crate) async fn publish_unanswered(&mut self, topic: &str, payload: &'static [u8]) -> NonZeroU16 {
        let id = self.next_id();
        self.send(Packet::Publish(Box::new(Publish {
            dup: false,
            retain: false,
            qos: QoS::AtLeastOnce,
            topic: topic.to_owned().into(),
            packet_id: Some(id),
            payload: payload.into(),
            properties: Some(Default::default()),
        })))
        .await;
        id
    }

    pub(crate) async fn subscribe(&mut self, filter: &str, qos: QoS) -> v5::SubscribeAckReason {
        let packet_id = self.next_id();
        let options = v5::SubscriptionOptions { qos, ..Default::default() };
        let topic_filters = vec![(filter.to_owned().into(), options)];
        self.send(Packet::Subscribe(v5::Subscribe { packet_id, id: None, user_properties: vec![], topic_filters })).await;
        match self.receive().await.unwrap() {
            Packet::SubscribeAck(ack) => ack.status[0],
            other => panic!("expected SUBACK, got {other:?}"),
        }
    }

    /// Topic and payload of the next message; acknowledges it if it asks for that.
    pub(crate) async fn message(&mut self) -> (String, Vec<u8>, u8) {
        let publish = self.publish_packet().await;
        (publish.topic.to_string(), publish.payload.to_vec(), publish.qos.into())
    }

    /// The next message, whole; acknowledges it if it asks for that.
    pub(crate) async fn publish_packet(&mut self) -> Publish {
        let publish = match self.receive().await.unwrap() {
            Packet::Publish(publish) => publish,
            other => panic!("expected PUBLISH, got {other:?}"),
        };
        self.acknowledge(&publish).await;
        *publish
    }

    /// Acknowledges a message if it asks for that.
    pub(crate) async fn acknowledge(&mut self, publish: &Publish) {
        if let Some(packet_id) = publish.packet_id {
            let reason_code = v5::PublishAckReason::Success;
            self.send(Packet::PublishAck(v5::PublishAck {
                packet_id,
                reason_code,
                properties: vec![],
                reason_string: None,
            }))
            .await;
        }
    }

    /// PINGREQ must be answered next: nothing else was on its way.
    pub(crate) async fn quiet(&mut self) {
        self.send(Packet::PingRequest).await;
        assert_eq!(self.receive().await.unwrap(), Packet::PingResponse);
    }

    /// The DISCONNECT that ends the connection: number and reason string.
    pub(crate) async fn disconnected(&mut self) -> (u8, String) {
        match self.receive().await.unwrap() {
            Packet::Disconnect(bye) => {
                (bye.reason_code.into(), bye.reason_string.map(|reason| reason.to_string()).unwrap_or_default())
            }
            other => panic!("expected DISCONNECT, got {other:?}"),
        }
    }

    fn next_id(&mut self) -> NonZeroU16 {
        self.packet_id += 1;
        NonZeroU16::new(self.packet_id).unwrap()
    }
}

/// A bound on everything, so that a test that hangs says where.
#[track_caller]
pub(crate) fn within<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move {
        tokio::time::timeout(PATIENCE, future)
            .await
            .unwrap_or_else(|_| panic!("{place}: nothing happened within {PATIENCE:?}"))
    }
}
