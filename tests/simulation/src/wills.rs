//! Histories of wills: devices connect with wills and go in every way, at two connectors, while documents, messages and
//! presence fail, devices lose their rights, and a connector is taken for lost or dies. After every step it is checked how
//! often each will has been published.
//!
//! Apart from the other histories, because what becomes of a will takes as long as its delay, a claim or a lease. Each step ends
//! without faults and lasts until all that follows from it is done.
//!
//! Read [`operation`] (what may happen), [`expected`] (how often a will is to be published), then this.

mod expected;
mod operation;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail};
use rmqtt_codec::{
    types::QoS,
    v5::{self, DisconnectReasonCode, Packet},
};
use rollcall_chassis::clock::Clock as _;
use rollcall_domain::{
    ids::{DeviceId, PolicyId},
    policy::{Action, Effect, Statement},
    registry::Command,
};
use tokio::time::Instant;

use self::{
    expected::{Connection, Ended, Rights},
    operation::{Chooser, Connect, Gone, Operation},
};
use crate::{
    certificates::CAS,
    client::{Claim, Wire},
    memory_log::{DocumentKey, Faults, Lane, MessageCursor, MessagesOf, Replayed, Ruling},
    run::{Failure, Lines, Trace, within},
    world::{SERVER_NAME, World, instance, log, product},
};

/// Devices, each with a certificate of the first CA.
const DEVICES: usize = 3;
/// So long faults last: what begins with a step is tried under them.
const UNDER_FAULTS_S: u64 = 3;
/// Longer than a claim, what is tried again and looked for once more.
const AFTER_STEP_S: u64 = 45;
/// Longer than a lease, and than listing what a lost connector has left.
const UNHEARD_S: u64 = 13;
/// A delay that ends so soon, while a step is under way, is waited for first.
const CLOSE: Duration = Duration::from_secs(UNHEARD_S + UNDER_FAULTS_S);

/// Runs the history of a seed.
///
/// # Errors
/// [`Failure`]: a will was published too often, or not often enough.
pub fn run_wills(seed: u64, steps: usize) -> Result<Trace, Box<Failure>> {
    within(None, steps, async move |trace| {
        let mut history = History::new(seed, trace).await?;
        history.tell(format!("wills, seed {seed}"));
        let mut chooser = Chooser::new(seed);
        for _ in 0..steps {
            let operation = chooser.operation();
            let faults = if operation.bears_faults() { chooser.faults() } else { Faults::default() };
            history.step(&operation, faults).await?;
        }
        history.end(chooser.connector_to_kill()).await
    })
}

struct History {
    world: World,
    trace: Lines,
    rights: Rights,
    connections: Vec<Connection>,
    /// The connections that are open, by device.
    open: BTreeMap<usize, (usize, Wire)>,
    read: MessageCursor,
    published: BTreeMap<usize, u64>,
}

impl History {
    async fn new(seed: u64, trace: Lines) -> anyhow::Result<Self> {
        let world = World::new(seed).await?;
        world.backbone.messages.open(&instance()).await?;
        let history = Self {
            world,
            trace,
            rights: Rights::new(DEVICES),
            connections: Vec::new(),
            open: BTreeMap::new(),
            read: MessageCursor::START,
            published: BTreeMap::new(),
        };
        for device in 0..DEVICES {
            let mut wire = history.wire(0, device).await?;
            let settings = v5::Connect { clean_start: true, ..v5::Connect::default() };
            let connected = wire.connect(&Claim::none(), settings).await;
            connected.map_err(anyhow::Error::msg).context("a first connection")?;
        }
        history.pass(AFTER_STEP_S).await;
        Ok(history)
    }

    fn tell(&self, line: String) {
        self.trace.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(line);
    }

    async fn wire(&self, connector: usize, device: usize) -> anyhow::Result<Wire> {
        let leaf = &CAS[0].leaves[device];
        Wire::open(&self.world.connectors[connector].clients, SERVER_NAME, leaf).await.map_err(anyhow::Error::msg)
    }

    /// Time passes, on the wall clock too.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.world.clock.set(self.world.clock.unix_ms() + 1000);
        }
    }

    async fn step(&mut self, operation: &Operation, faults: Faults) -> anyhow::Result<()> {
        while self.connections.iter().any(|connection| connection.is_due_within(CLOSE)) {
            self.pass(1).await;
            self.note_due();
        }
        self.pass(CLOSE.as_secs()).await;
        self.note_due();
        self.tell(format!("{operation:?} {faults:?}"));
        self.world.faults.set_faults(faults);
        let told = self.perform(operation, faults).await?;
        self.pass(UNDER_FAULTS_S).await;
        self.world.settle().await?;
        self.pass(AFTER_STEP_S).await;
        self.note_due();
        self.read_published().await?;
        self.tell(format!("  {told}; published: {:?}", self.published));
        self.check().await
    }

    /// Delays that have ended.
    fn note_due(&mut self) {
        let rights = &self.rights;
        self.connections.iter_mut().for_each(|connection| connection.note_due(rights));
    }

    async fn perform(&mut self, operation: &Operation, faults: Faults) -> anyhow::Result<String> {
        Ok(match operation {
            Operation::Connect(connect) => self.connect(connect, faults).await?,
            Operation::ConnectAndGo(connect, gone) => {
                let told = self.connect(connect, faults).await?;
                self.go(connect.device, *gone, faults).await;
                told
            }
            Operation::Go(device, gone) => {
                self.go(*device, *gone, faults).await;
                "gone".into()
            }
            Operation::Freeze(device) => {
                let id = device_id(*device)?;
                let told = self.command(Command::FreezeDevice { device: id }).await?;
                self.rights.frozen[*device] = true;
                // Its session is closed.
                if let Some((number, _)) = self.open.remove(device) {
                    self.connections[number].ended(Ended::WithoutGoodbye, &self.rights, faults);
                }
                told
            }
            Operation::Unfreeze(device) => {
                let id = device_id(*device)?;
                self.rights.frozen[*device] = false;
                self.command(Command::UnfreezeDevice { device: id }).await?
            }
            Operation::ChangePolicy { deny } => {
                self.rights.denied = *deny;
                self.change_policy(*deny).await?
            }
            Operation::LoseForAWhile(connector) => {
                self.world.connectors[*connector].link.set_unheard(true);
                self.pass(UNHEARD_S).await;
                self.world.connectors[*connector].link.set_unheard(false);
                for (number, _) in self.open.values() {
                    let connection = &mut self.connections[*number];
                    if connection.connector == *connector {
                        connection.taken_for_lost(&self.rights);
                    }
                }
                "it is back".into()
            }
            Operation::Wait => {
                self.pass(AFTER_STEP_S).await;
                "waited".into()
            }
        })
    }

    async fn connect(&mut self, connect: &Connect, faults: Faults) -> anyhow::Result<String> {
        let number = self.connections.len();
        let mut wire = self.wire(connect.connector, connect.device).await?;
        let settings = v5::Connect {
            clean_start: connect.clean,
            session_expiry_interval_secs: connect.expiry_s,
            last_will: Some(will(number, connect.delay_s)),
            ..v5::Connect::default()
        };
        let ack = match wire.connect(&Claim::none(), settings).await {
            Ok((ack, _)) => ack,
            Err(refused) if self.rights.frozen[connect.device] => return Ok(refused),
            Err(refused) => bail!("a device with every right is refused: {refused}"),
        };
        let before = self.open.remove(&connect.device);
        for earlier in self.connections.iter_mut().filter(|earlier| earlier.device == connect.device) {
            if before.as_ref().is_some_and(|(number, _)| *number == earlier.number) {
                earlier.ended(Ended::TakenOver { goes_on: ack.session_present }, &self.rights, faults);
            } else {
                earlier.connected_anew(ack.session_present, &self.rights, faults);
            }
        }
        let expiry_s = ack.session_expiry_interval_secs.unwrap_or(connect.expiry_s);
        let delay = Duration::from_secs(connect.delay_s.min(expiry_s).into());
        self.connections.push(Connection::new(number, connect.device, connect.connector, delay));
        self.open.insert(connect.device, (number, wire));
        Ok(format!("connected as {number}, session present: {}, expiry {expiry_s} s", ack.session_present))
    }

    async fn go(&mut self, device: usize, gone: Gone, faults: Faults) {
        let Some((number, mut wire)) = self.open.remove(&device) else { return };
        let reason = match gone {
            Gone::Goodbye => Some(DisconnectReasonCode::NormalDisconnection),
            Gone::GoodbyeWithWill => Some(DisconnectReasonCode::DisconnectWithWillMessage),
            Gone::Broken => None,
        };
        if let Some(reason) = reason {
            // A connector that has closed the stream has ended the session another way; that is not among the steps.
            let _ = wire.send(Packet::Disconnect(v5::Disconnect::new(reason))).await;
        }
        let ended = if gone == Gone::Goodbye { Ended::Goodbye } else { Ended::WithoutGoodbye };
        self.connections[number].ended(ended, &self.rights, faults);
    }

    async fn command(&mut self, command: Command) -> anyhow::Result<String> {
        Ok(match self.world.command(command).await? {
            Ruling::Accepted { .. } => "accepted".into(),
            Ruling::Rejected(rejected) => rejected.code,
        })
    }

    async fn change_policy(&mut self, deny: bool) -> anyhow::Result<String> {
        let effect = if deny { Effect::Deny } else { Effect::Allow };
        let (actions, resources) = (vec![Action::Publish, Action::Subscribe], vec!["topic:*".into()]);
        let statements = Some(vec![Statement { effect, actions, resources }]);
        self.command(Command::UpdatePolicy { policy: PolicyId::parse("default")?, name: None, statements }).await
    }

    async fn read_published(&mut self) -> anyhow::Result<()> {
        let messages = &self.world.backbone.messages;
        let mut replay = messages.replay(&instance(), &[Lane::Peer], &MessagesOf::Instance, self.read).await?;
        while let Some(next) = replay.recv().await {
            match next? {
                Replayed::Message(stored) => {
                    let number: usize = std::str::from_utf8(&stored.message.payload)?.parse()?;
                    *self.published.entry(number).or_default() += 1;
                }
                Replayed::End(cursor) => self.read = cursor,
            }
        }
        Ok(())
    }

    async fn check(&mut self) -> anyhow::Result<()> {
        for connection in &mut self.connections {
            let published = self.published.get(&connection.number).copied().unwrap_or_default();
            connection.check(published).map_err(anyhow::Error::msg)?;
        }
        let pending = self.connections.iter().filter(|connection| connection.is_pending()).count();
        let kept = self.kept().await?;
        if kept > pending {
            bail!("{kept} wills are kept, and {pending} connections may need theirs");
        }
        Ok(())
    }

    async fn kept(&self) -> anyhow::Result<usize> {
        let mut listed = self.world.backbone.documents.sessions(&log()).await?;
        let mut kept = 0;
        while let Some(next) = listed.recv().await {
            kept += usize::from(matches!(next?.0, DocumentKey::Will(..)));
        }
        Ok(kept)
    }

    /// A connector dies, or all connections break; then every will has had its time.
    async fn end(&mut self, connector: Option<usize>) -> anyhow::Result<()> {
        self.tell(format!("the end; killed: {connector:?}"));
        if let Some(connector) = connector {
            self.world.connectors[connector].link.die();
        }
        for (number, _) in std::mem::take(&mut self.open).into_values() {
            self.connections[number].ended(Ended::WithoutGoodbye, &self.rights, Faults::default());
        }
        self.pass(UNHEARD_S + 2 * operation::DELAY_S + AFTER_STEP_S).await;
        self.note_due();
        self.read_published().await?;
        self.tell(format!("  published: {:?}", self.published));
        self.check().await
    }
}

fn will(number: usize, delay_s: u32) -> v5::LastWill {
    v5::LastWill {
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: "wills".to_owned().into(),
        message: number.to_string().into(),
        will_delay_interval_sec: Some(delay_s),
        correlation_data: None,
        message_expiry_interval: None,
        content_type: None,
        user_properties: Vec::new(),
        is_utf8_payload: None,
        response_topic: None,
    }
}

fn device_id(device: usize) -> anyhow::Result<DeviceId> {
    Ok(DeviceId::parse(&format!("{}_{}", product(), CAS[0].leaves[device].cn))?)
}

/// Now, by the time that passes while all wait.
fn now() -> Instant {
    Instant::now()
}
