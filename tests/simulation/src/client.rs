//! A device: its certificate, and MQTT over a stream in memory.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::BytesMut;
use rmqtt_codec::v5::{self, Packet};
use rollcall_connector::ClientBelowTls;
use rollcall_domain::{authenticate::Identification, ids::DeviceId};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::codec::{Decoder, Encoder};

use crate::certificates::Leaf;

/// Bytes that a stream holds in one direction.
const STREAM_BYTES: usize = 16 * 1024;
/// Longest wait for an answer to CONNECT; a connector has its own, shorter deadlines.
const ANSWER: Duration = Duration::from_secs(300);
/// The longest that the service takes.
const KEEP_ALIVE_S: u16 = 1200;

/// What a device says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) client_id: String,
    pub(crate) user_name: String,
}

impl Claim {
    /// The platform's standard form: this device, and its own record decides.
    pub(crate) fn standard(device: &DeviceId) -> Self {
        Self { client_id: format!("{device}_0_0_2026010100"), user_name: device.to_string() }
    }

    /// Nothing: the template decides.
    pub(crate) fn none() -> Self {
        Self { client_id: "anything".into(), user_name: "anyone".into() }
    }

    pub(crate) fn identification(&self) -> Identification<'_> {
        Identification { client_id: &self.client_id, user_name: Some(&self.user_name) }
    }
}

/// A client that was accepted. Its connection ends with it.
pub(crate) struct Client {
    pub(crate) leaf: &'static Leaf,
    pub(crate) claim: Claim,
    /// The device that it was told it is.
    pub(crate) device: DeviceId,
    end: Arc<Mutex<Option<String>>>,
    reading: JoinHandle<()>,
}

impl Client {
    /// Why its connection has ended, if it has.
    pub(crate) fn end(&self) -> Option<String> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Connects up to the answer to CONNECT.
///
/// # Errors
/// The code that it was refused with, or how the connection ended otherwise.
pub(crate) async fn connect(
    connector: &mpsc::Sender<ClientBelowTls>,
    server_name: &str,
    leaf: &'static Leaf,
    claim: Claim,
) -> Result<Client, String> {
    let mut wire = Wire::open(connector, server_name, leaf).await?;
    let (_, device) = wire.connect(&claim, v5::Connect { clean_start: true, ..v5::Connect::default() }).await?;
    let end = Arc::new(Mutex::new(None));
    let ended = end.clone();
    let reading = tokio::spawn(async move {
        let reason = wire.read_to_end().await;
        *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    });
    Ok(Client { leaf, claim, device, end, reading })
}

/// MQTT packets on a stream.
pub(crate) struct Wire {
    stream: DuplexStream,
    codec: v5::Codec,
    read: BytesMut,
}

impl Wire {
    /// Presents a certificate to a connector.
    pub(crate) async fn open(
        connector: &mpsc::Sender<ClientBelowTls>,
        server_name: &str,
        leaf: &'static Leaf,
    ) -> Result<Self, String> {
        let (mine, stream) = tokio::io::duplex(STREAM_BYTES);
        let chain = [&leaf.der].into_iter().chain(&leaf.above).cloned().collect();
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let client = ClientBelowTls { server_name: server_name.into(), chain, source, stream };
        connector.send(client).await.map_err(|_| "the connector is gone".to_owned())?;
        Ok(Self { stream: mine, codec: v5::Codec::new(0, 0), read: BytesMut::new() })
    }

    /// CONNECT and its answer, with the device that it names.
    ///
    /// # Errors
    /// The code that it was refused with, or how the connection ended otherwise.
    pub(crate) async fn connect(
        &mut self,
        claim: &Claim,
        settings: v5::Connect,
    ) -> Result<(v5::ConnectAck, DeviceId), String> {
        let connect = v5::Connect {
            client_id: claim.client_id.clone().into(),
            username: Some(claim.user_name.clone().into()),
            keep_alive: KEEP_ALIVE_S,
            request_problem_info: true,
            ..settings
        };
        self.send(Packet::Connect(Box::new(connect))).await?;
        let answered = tokio::time::timeout(ANSWER, self.receive()).await;
        match answered.map_err(|_| format!("no answer to CONNECT within {ANSWER:?}"))?? {
            Packet::ConnectAck(ack) if ack.reason_code == v5::ConnectAckReason::Success => {
                let told = ack.user_properties.iter().find(|(name, _)| &**name == "device_id");
                let told = told.and_then(|(_, value)| DeviceId::parse(value).ok());
                let device = told.ok_or_else(|| "CONNACK 0 without a device id".to_owned())?;
                Ok((*ack, device))
            }
            Packet::ConnectAck(ack) => Err(code(ack.reason_string.as_deref(), u8::from(ack.reason_code))),
            other => Err(format!("expected CONNACK, got {other:?}")),
        }
    }

    /// # Errors
    /// Why the packet cannot be written.
    pub(crate) async fn send(&mut self, packet: Packet) -> Result<(), String> {
        let mut bytes = BytesMut::new();
        self.codec.encode(packet, &mut bytes).map_err(|error| format!("{error:?}"))?;
        self.stream.write_all(&bytes).await.map_err(|error| error.to_string())
    }

    async fn read_to_end(&mut self) -> String {
        loop {
            match self.receive().await {
                Ok(Packet::Disconnect(bye)) => return code(bye.reason_string.as_deref(), u8::from(bye.reason_code)),
                Ok(_) => {}
                Err(end) => return end,
            }
        }
    }

    /// The next packet. Safe to drop while waiting.
    pub(crate) async fn receive(&mut self) -> Result<Packet, String> {
        loop {
            let decoded = self.codec.decode(&mut self.read).map_err(|error| format!("{error:?}"))?;
            if let Some((packet, _)) = decoded {
                return Ok(packet);
            }
            match self.stream.read_buf(&mut self.read).await {
                Ok(0) => return Err("closed".into()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

/// The stable code that a reason begins with.
fn code(reason: Option<&str>, number: u8) -> String {
    let code = reason.and_then(|reason| reason.split_once(": ")).map(|(code, _)| code.to_owned());
    code.unwrap_or_else(|| format!("{number:#04x}"))
}
