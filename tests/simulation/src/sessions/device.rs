//! A device that keeps its session: MQTT 5 over a stream in memory, with subscriptions, and what it has heard.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rmqtt_codec::{
    types::QoS,
    v5::{self, DisconnectReasonCode, Packet, PublishAckReason, SubscribeAckReason},
};
use rollcall_connector::ClientBelowTls;
use rollcall_domain::ids::DeviceId;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::interval,
};

use crate::{
    certificates::CAS,
    client::{Claim, Wire},
    world::SERVER_NAME,
};

/// More often than the keep-alive asks for, by far.
const PING: Duration = Duration::from_secs(300);

/// An accepted connection; it breaks when this is dropped.
pub(super) struct Connection {
    pub(super) device: DeviceId,
    pub(super) session_present: bool,
    /// How long the session outlives it, as the device was told, seconds.
    pub(super) expiry_s: u32,
    /// It acknowledges nothing.
    pub(super) deaf: bool,
    heard: Arc<Mutex<Heard>>,
    says: mpsc::Sender<Packet>,
    granted: mpsc::Receiver<Vec<bool>>,
    task: JoinHandle<()>,
    left: Option<oneshot::Sender<()>>,
}

#[derive(Default)]
struct Heard {
    /// Topics of messages, in their order.
    topics: Vec<String>,
    acknowledged: BTreeSet<u64>,
    end: Option<String>,
}

impl Connection {
    /// Connects with the certificate of a place of the first CA.
    ///
    /// # Errors
    /// The code that it was refused with, or how the connection ended otherwise.
    pub(super) async fn open(
        connector: &mpsc::Sender<ClientBelowTls>,
        certificate: usize,
        clean: bool,
        expiry_s: u32,
        deaf: bool,
    ) -> Result<Self, String> {
        let mut wire = Wire::open(connector, SERVER_NAME, &CAS[0].leaves[certificate]).await?;
        let settings = v5::Connect { clean_start: clean, session_expiry_interval_secs: expiry_s, ..v5::Connect::default() };
        let (ack, device) = wire.connect(&Claim::none(), settings).await?;
        let ((says, said), (tells, granted)) = (mpsc::channel(4), mpsc::channel(1));
        let ((left, leaves), heard) = (oneshot::channel(), Arc::<Mutex<Heard>>::default());
        let task = tokio::spawn(serve(wire, deaf, Arc::clone(&heard), said, tells, leaves));
        Ok(Self {
            device,
            session_present: ack.session_present,
            expiry_s: ack.session_expiry_interval_secs.unwrap_or(expiry_s),
            deaf,
            heard,
            says,
            granted,
            task,
            left: Some(left),
        })
    }

    /// Which filters were granted.
    pub(super) async fn subscribe(&mut self, filters: &[&str]) -> Result<Vec<bool>, String> {
        let options = v5::SubscriptionOptions { qos: QoS::AtLeastOnce, ..Default::default() };
        let packet_id = std::num::NonZeroU16::MIN;
        let topic_filters = filters.iter().map(|filter| ((*filter).into(), options)).collect();
        let subscribe = v5::Subscribe { packet_id, id: None, user_properties: vec![], topic_filters };
        let sent = self.says.send(Packet::Subscribe(subscribe)).await.is_ok();
        let granted = if sent { self.granted.recv().await } else { None };
        granted.ok_or_else(|| "the connection ended before SUBACK".to_owned())
    }

    /// Ends the connection, with DISCONNECT or without.
    pub(super) async fn leave(mut self, says_goodbye: bool) {
        if says_goodbye {
            let goodbye = v5::Disconnect::new(DisconnectReasonCode::NormalDisconnection);
            // It may have ended already.
            let _ = self.says.send(Packet::Disconnect(goodbye)).await;
        }
        drop(self.left.take());
        // What it acknowledges until then is acknowledged.
        let _ = (&mut self.task).await;
    }

    /// How many messages have come.
    pub(super) fn heard(&self) -> usize {
        self.lock().topics.len()
    }

    /// Whether a message to a topic is among those that came after so many.
    pub(super) fn has_heard_since(&self, count: usize, topic: &str) -> bool {
        self.lock().topics[count..].iter().any(|heard| heard == topic)
    }

    /// Numbers of messages that it has acknowledged.
    pub(super) fn acknowledged(&self) -> BTreeSet<u64> {
        self.lock().acknowledged.clone()
    }

    /// Why it has ended, if it has.
    pub(super) fn end(&self) -> Option<String> {
        self.lock().end.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        locked(&self.heard)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(
    mut wire: Wire,
    deaf: bool,
    heard: Arc<Mutex<Heard>>,
    mut said: mpsc::Receiver<Packet>,
    granted: mpsc::Sender<Vec<bool>>,
    mut leaves: oneshot::Receiver<()>,
) {
    let mut pings = interval(PING);
    let ended = loop {
        let received = tokio::select! {
            biased;
            packet = said.recv() => match packet {
                Some(packet) => wire.send(packet).await,
                None => break "left".to_owned(),
            },
            _ = &mut leaves => break "left".to_owned(),
            _ = pings.tick() => wire.send(Packet::PingRequest).await,
            packet = wire.receive() => match packet {
                Ok(packet) => answer(&mut wire, packet, deaf, &heard, &granted).await,
                Err(end) => Err(end),
            },
        };
        if let Err(end) = received {
            break end;
        }
    };
    locked(&heard).end = Some(ended);
}

async fn answer(
    wire: &mut Wire,
    packet: Packet,
    deaf: bool,
    heard: &Mutex<Heard>,
    granted: &mpsc::Sender<Vec<bool>>,
) -> Result<(), String> {
    match packet {
        Packet::Publish(publish) => {
            locked(heard).topics.push(publish.topic.to_string());
            let Some(packet_id) = publish.packet_id.filter(|_| !deaf) else { return Ok(()) };
            let reason_code = PublishAckReason::Success;
            let ack = v5::PublishAck { packet_id, reason_code, properties: vec![], reason_string: None };
            wire.send(Packet::PublishAck(ack)).await?;
            let number = std::str::from_utf8(&publish.payload).ok().and_then(|number| number.parse().ok());
            locked(heard).acknowledged.insert(number.ok_or("a message without its number")?);
            Ok(())
        }
        Packet::SubscribeAck(ack) => {
            let status = ack.status.iter().map(|status| *status == SubscribeAckReason::GrantedQos1).collect();
            granted.send(status).await.map_err(|_| "nobody waits for SUBACK".to_owned())
        }
        Packet::PingResponse => Ok(()),
        Packet::Disconnect(bye) => Err(format!("{:?}", bye.reason_code)),
        other => Err(format!("unexpected: {other:?}")),
    }
}
