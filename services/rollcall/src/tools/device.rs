//! `rollcall device`: connects as a device would and says in plain words what happens at each step.
//!
//! What a person uses to see why a device does or does not get in. MQTT 5, because only that says why.

use std::{net::SocketAddr, num::NonZeroU16, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use futures_util::{SinkExt as _, StreamExt as _};
use rmqtt_codec::{
    MqttCodec, MqttPacket,
    types::{Publish, QoS},
    v5::{Codec, Connect, ConnectAck, ConnectAckReason, Packet, PublishProperties, Subscribe, SubscriptionOptions},
};
use rollcall_chassis::tls_client::{self, Identity, TlsClientError};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_util::codec::Framed;

/// The largest packet this tool reads or writes, bytes.
const PACKET_BYTES_MAX: u32 = 2 * 1024 * 1024;
/// Keep-alive sent in CONNECT, seconds: what the service recommends.
const KEEP_ALIVE_S: u16 = 120;
/// How often to send PINGREQ while listening.
const PING_EVERY: Duration = Duration::from_secs(60);

/// Arguments of `rollcall device`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Access domain of the instance: resolved, and sent as SNI
    #[arg(long, value_name = "NAME")]
    pub(crate) host: String,
    /// MQTTS port
    #[arg(long, default_value_t = 8883)]
    pub(crate) port: u16,
    /// Connect to this address instead of resolving the name
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) address: Option<SocketAddr>,
    /// CA certificate that the server's must lead to
    #[arg(long, value_name = "FILE")]
    pub(crate) server_ca: PathBuf,
    /// The device's certificate, its intermediates behind it
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: PathBuf,
    /// The device's private key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Client id; any will do
    #[arg(long, default_value = "rollcall-device")]
    pub(crate) client_id: String,
    /// User name; any will do
    #[arg(long)]
    pub(crate) user_name: Option<String>,
    /// Topic to publish to; `{device_id}` stands for the id that the platform gave
    #[arg(long, default_value = "$oc/devices/{device_id}/sys/properties/report")]
    pub(crate) topic: String,
    /// What to publish
    #[arg(long, default_value = r#"{"services":[{"service_id":"demo","properties":{"hello":1},"event_time":null}]}"#)]
    pub(crate) message: String,
    /// Topic filters to subscribe to; `{device_id}` as above
    #[arg(long, value_name = "FILTER")]
    pub(crate) subscribe: Vec<String>,
    /// How long to listen after publishing, seconds; 0: not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    pub(crate) listen_s: u64,
    /// How long each step may take, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) timeout_s: u64,
}

type Connection = Framed<tls_client::Stream, MqttCodec>;

/// Connects, publishes, listens. Returns once the listening time is over.
///
/// # Errors
/// The step that failed and why, in words for the person who runs it.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let step = Duration::from_secs(arguments.timeout_s);
    let address = resolve(arguments).await?;
    let socket = timeout(step, TcpStream::connect(address))
        .await
        .with_context(|| format!("no TCP connection to {address} within {step:?}"))?
        .with_context(|| format!("cannot connect to {address}: does the connector run there?"))?;
    say("tcp", &format!("connected to {address}"));
    let mut connection =
        timeout(step, tls_handshake(arguments, socket)).await.context("the TLS handshake took too long")??;
    let acknowledged = timeout(step, connect(arguments, &mut connection)).await.context("no CONNACK in time")??;
    let device_id = device_id(&acknowledged);
    say("device", &format!("this device is {}", device_id.as_deref().unwrap_or("(the server did not say)")));
    let device_id = device_id.unwrap_or_default();
    subscribe(arguments, &mut connection, &device_id).await?;
    timeout(step, publish(arguments, &mut connection, &device_id)).await.context("no PUBACK in time")??;
    listen(&mut connection, Duration::from_secs(arguments.listen_s)).await?;
    connection.send(MqttPacket::V5(Packet::Disconnect(Default::default()))).await.context("cannot send DISCONNECT")?;
    say("done", "disconnected");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what happened at each step is this tool's output")]
fn say(step: &str, what: &str) {
    println!("{step:<9} {what}");
}

async fn resolve(arguments: &Arguments) -> anyhow::Result<SocketAddr> {
    if let Some(address) = arguments.address {
        say("name", &format!("{} is not resolved: --address {address}", arguments.host));
        return Ok(address);
    }
    let mut found = lookup_host((arguments.host.as_str(), arguments.port)).await.with_context(|| {
        format!("cannot resolve {}: add it to DNS or /etc/hosts, or give --address IP:PORT", arguments.host)
    })?;
    let Some(address) = found.next() else { bail!("{} resolves to no address", arguments.host) };
    say("name", &format!("{} is {}", arguments.host, address.ip()));
    Ok(address)
}

async fn tls_handshake(arguments: &Arguments, socket: TcpStream) -> anyhow::Result<Connection> {
    let identity = Identity {
        server_ca: arguments.server_ca.clone(),
        certificate: arguments.certificate.clone(),
        key: arguments.key.clone(),
    };
    let (stream, handshake) = match tls_client::connect(socket, &arguments.host, &identity).await {
        Ok(connected) => connected,
        Err(error @ TlsClientError::Handshake(_)) => return Err(error).with_context(|| hint(&arguments.host)),
        Err(error) => return Err(error.into()),
    };
    say("tls", &format!("{} with {}", handshake.version, handshake.cipher_suite));
    say("server", &format!("its certificate is good for {}", arguments.host));
    let offered =
        if handshake.certificate_offered { "the server asked for it and has it" } else { "the server did not ask for it" };
    say("client", &format!("certificate {}: {offered}", arguments.certificate.display()));
    Ok(Framed::new(stream, MqttCodec::V5(Codec::new(PACKET_BYTES_MAX, PACKET_BYTES_MAX))))
}

fn hint(host: &str) -> String {
    format!(
        "the TLS handshake with {host} failed (unrecognized_name: no instance has this access domain; unknown_ca: the device's \
         CA certificate is not verified there; certificate_required: no certificate was sent; UnknownIssuer: --server-ca is not \
         the server's)"
    )
}

async fn connect(arguments: &Arguments, connection: &mut Connection) -> anyhow::Result<ConnectAck> {
    let packet = Connect {
        clean_start: true,
        keep_alive: KEEP_ALIVE_S,
        client_id: arguments.client_id.as_str().into(),
        username: arguments.user_name.as_deref().map(Into::into),
        request_problem_info: true,
        ..Connect::default()
    };
    connection.send(MqttPacket::V5(Packet::Connect(Box::new(packet)))).await.context("cannot send CONNECT")?;
    let acknowledged = match connection.next().await {
        Some(Ok((MqttPacket::V5(Packet::ConnectAck(acknowledged)), _))) => *acknowledged,
        Some(Ok((other, _))) => bail!("the server answered CONNECT with {other:?}"),
        Some(Err(error)) => {
            bail!("the server's answer to CONNECT cannot be used: {error}; with TLS 1.3 a refused certificate shows here")
        }
        None => bail!("the server closed the connection without CONNACK"),
    };
    let reason = acknowledged.reason_string.as_deref().unwrap_or("no reason given");
    if acknowledged.reason_code != ConnectAckReason::Success {
        say("connack", &format!("refused with 0x{:02X}: {reason}", u8::from(acknowledged.reason_code)));
        if let Some(seconds) = property(&acknowledged, "retry_after_s") {
            say("retry", &format!("the server asks to wait {seconds} s"));
        }
        bail!("refused: {reason}");
    }
    say("connack", "accepted");
    Ok(acknowledged)
}

fn device_id(acknowledged: &ConnectAck) -> Option<String> {
    property(acknowledged, "device_id")
}

fn property(acknowledged: &ConnectAck, name: &str) -> Option<String> {
    acknowledged.user_properties.iter().find(|(key, _)| **key == *name).map(|(_, value)| value.to_string())
}

async fn subscribe(arguments: &Arguments, connection: &mut Connection, device_id: &str) -> anyhow::Result<()> {
    for (filter, number) in arguments.subscribe.iter().zip(2_u16..) {
        let filter = filter.replace("{device_id}", device_id);
        let options = SubscriptionOptions { qos: QoS::AtLeastOnce, ..SubscriptionOptions::default() };
        let packet = Subscribe {
            packet_id: NonZeroU16::new(number).context("too many filters")?,
            id: None,
            user_properties: Vec::new(),
            topic_filters: vec![(filter.as_str().into(), options)],
        };
        connection.send(MqttPacket::V5(Packet::Subscribe(packet))).await.context("cannot send SUBSCRIBE")?;
        loop {
            match receive(connection).await? {
                Packet::SubscribeAck(answer) => {
                    let code = answer.status.first().map(|code| u8::from(*code)).unwrap_or_default();
                    say(
                        "suback",
                        &format!(
                            "{filter}: {}",
                            if code < 0x80 { "granted".into() } else { format!("refused with 0x{code:02X}") }
                        ),
                    );
                    break;
                }
                other => show(&other),
            }
        }
    }
    Ok(())
}

async fn publish(arguments: &Arguments, connection: &mut Connection, device_id: &str) -> anyhow::Result<()> {
    let topic = arguments.topic.replace("{device_id}", device_id);
    let packet = Publish {
        dup: false,
        retain: false,
        qos: QoS::AtLeastOnce,
        topic: topic.as_str().into(),
        packet_id: NonZeroU16::new(1),
        payload: Bytes::from(arguments.message.clone()),
        properties: Some(PublishProperties::default()),
    };
    connection.send(MqttPacket::V5(Packet::Publish(Box::new(packet)))).await.context("cannot send PUBLISH")?;
    loop {
        match receive(connection).await? {
            Packet::PublishAck(answer) => {
                let code = u8::from(answer.reason_code);
                if code >= 0x80 {
                    bail!(
                        "the publish to {topic} was refused with 0x{code:02X} {}",
                        answer.reason_string.as_deref().unwrap_or("")
                    );
                }
                say("published", &format!("{} bytes to {topic}: stored", arguments.message.len()));
                return Ok(());
            }
            other => show(&other),
        }
    }
}

async fn listen(connection: &mut Connection, time: Duration) -> anyhow::Result<()> {
    if time.is_zero() {
        return Ok(());
    }
    say("listen", &format!("for {} s", time.as_secs()));
    let end = tokio::time::sleep(time);
    tokio::pin!(end);
    let mut ping = tokio::time::interval(PING_EVERY);
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            _ = ping.tick() => connection.send(MqttPacket::V5(Packet::PingRequest)).await.context("cannot send PINGREQ")?,
            packet = receive(connection) => show(&packet?),
        }
    }
}

async fn receive(connection: &mut Connection) -> anyhow::Result<Packet> {
    match connection.next().await {
        Some(Ok((MqttPacket::V5(Packet::Disconnect(packet)), _))) => {
            let reason = packet.reason_string.as_deref().unwrap_or("no reason given");
            bail!("the server closed the session with 0x{:02X}: {reason}", u8::from(packet.reason_code))
        }
        Some(Ok((MqttPacket::V5(packet), _))) => Ok(packet),
        Some(Ok((other, _))) => bail!("the server sent {other:?}"),
        Some(Err(error)) => bail!("the connection broke: {error}"),
        None => bail!("the server closed the connection"),
    }
}

fn show(packet: &Packet) {
    if let Packet::Publish(publish) = packet {
        say("received", &format!("{}: {}", publish.topic, String::from_utf8_lossy(&publish.payload).escape_debug()));
    }
}
