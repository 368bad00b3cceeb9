//! Histories of sessions that outlive their connection: devices come and go at both connectors, while messages are
//! published, rights are taken away and given back, and writes and followers fail.
//!
//! Its own kind of history, with steps of its own: in the others devices come with a clean session, and no messages are sent.
//! What must hold of each: a session that was promised is there on return, a message of QoS 1 for its filters comes until
//! it is acknowledged, and neither outlives the right to it.

mod device;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{bail, ensure};
use bytes::Bytes;
use rollcall_chassis::clock::Clock as _;
use rollcall_domain::{
    ids::{DeviceId, PolicyId},
    policy::{Action, Effect, Statement},
    registry::Command,
};

use crate::{
    memory_log::{DeviceMessage, Faults, Lane, MessageProperties, Ruling, SplitMix},
    run::{Failure, Lines, Trace, within},
    world::{World, instance, product, space},
};
use device::Connection;

/// Devices that have sessions, by their place among the certificates of the first CA.
const DEVICES: usize = 3;
/// Seconds that a session is to outlive its connection.
const EXPIRY_S: u32 = 600;
/// How much of virtual time a step takes, milliseconds.
const STEP_MS: i64 = 1000;
/// After that much longer a session is over for certain: the document of a connection that was not seen to end is so old.
const EXPIRY_SLACK_S: i64 = 330;
/// How long a write that has failed may take to be done.
const WRITTEN_WITHIN: Duration = Duration::from_secs(12);
/// A document is written as ended so much after its connection's end, at most.
const WRITTEN_WITHIN_S: i64 = 60;
/// Looks at what has come, before something is missing.
const LOOKS_MAX: usize = 4000;
const LOOK: Duration = Duration::from_millis(50);
/// Looks after which other threads are given time too: virtual time does not wait for them.
const LOOKS_AT_ONCE: usize = 40;

/// What is published to, and the filter for it.
const TOPICS: [(&str, &str); 2] = [("yard/1", "yard/+"), ("depot/1", "depot/#")];
/// The one that policies forbid from time to time.
const FORBIDDEN: usize = 1;

#[derive(Clone, Copy, Debug)]
enum Step {
    Come {
        device: usize,
        connector: usize,
        clean: bool,
        /// What it subscribes to, by [`TOPICS`].
        subscribes: [bool; 2],
        /// It acknowledges nothing that it is given.
        deaf: bool,
    },
    Leave {
        device: usize,
        says_goodbye: bool,
    },
    Publish {
        topic: usize,
        count: usize,
    },
    Forbid(bool),
    Freeze(usize),
    Unfreeze(usize),
    Wait {
        seconds: u64,
    },
    PassTime {
        minutes: i64,
    },
}

/// What a device may rely on.
#[derive(Default)]
struct Kept {
    /// Subscriptions that were acknowledged, by [`TOPICS`].
    filters: [bool; 2],
    /// Messages for them that it has not acknowledged, with their topics.
    owed: BTreeMap<u64, usize>,
    /// CONNACK told that it is not kept: it ends with its connection.
    unkept: bool,
    /// When its connection ended, milliseconds.
    left_ms: Option<i64>,
}

#[derive(Default)]
struct Device {
    kept: Option<Kept>,
    connection: Option<Connection>,
    frozen: bool,
    /// It has been frozen since it had a session, and every write since then has succeeded.
    revoked: bool,
}

struct Sessions {
    world: World,
    devices: [Device; DEVICES],
    forbidden: bool,
    published: u64,
    trace: Lines,
}

/// Runs the history of a seed.
///
/// # Errors
/// [`Failure`]: a property does not hold.
pub fn run_sessions(seed: u64, steps: usize) -> Result<Trace, Box<Failure>> {
    let ran = within(Some(seed), steps, async move |trace| {
        let world = World::new(seed).await?;
        let mut sessions = Sessions { world, devices: Default::default(), forbidden: false, published: 0, trace };
        let mut chooser = Chooser(SplitMix::new(seed ^ 0x5e55));
        for _ in 0..steps {
            let (faults, step) = (chooser.faults(), chooser.step());
            sessions.step(step, faults).await?;
        }
        Ok(())
    });
    ran.map_err(|failure| Box::new(Failure { options: " --sessions", ..*failure }))
}

struct Chooser(SplitMix);

impl Chooser {
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.0.next_u64() % u64::try_from(n).expect("small")).expect("small")
    }

    fn faults(&mut self) -> Faults {
        let none = Faults::default();
        match self.below(12) {
            0 => Faults { unavailable: 200, ..none },
            1 => Faults { lost_ack: 300, ..none },
            2 => Faults { spurious_conflict: 300, ..none },
            3 => Faults { cut_follower: 300, ..none },
            _ => none,
        }
    }

    fn step(&mut self) -> Step {
        let device = self.below(DEVICES);
        match self.below(20) {
            0..=6 => Step::Come {
                device,
                connector: self.below(2),
                clean: self.below(8) == 0,
                subscribes: [self.below(4) > 0, self.below(2) == 0],
                deaf: self.below(4) == 0,
            },
            7..=9 => Step::Leave { device, says_goodbye: self.below(2) == 0 },
            10..=15 => Step::Publish { topic: self.below(TOPICS.len()), count: 1 + self.below(40) },
            16 => Step::Forbid(self.below(2) == 0),
            17 if self.below(2) == 0 => Step::Freeze(device),
            17 => Step::Unfreeze(device),
            18 if self.below(3) == 0 => Step::PassTime { minutes: 30 },
            _ => Step::Wait { seconds: 15 },
        }
    }
}

impl Sessions {
    async fn step(&mut self, step: Step, faults: Faults) -> anyhow::Result<()> {
        let told = if faults == Faults::default() { format!("{step:?}") } else { format!("{step:?} with {faults:?}") };
        self.tell(told);
        self.world.clock.set(self.world.clock.unix_ms() + STEP_MS);
        let heard: Vec<_> = self.devices.iter().map(|device| device.connection.as_ref().map(Connection::heard)).collect();
        let was_forbidden = self.forbidden;
        self.world.faults.set_faults(faults);
        let told = self.perform(step, faults).await?;
        self.world.settle().await?;
        self.note_ended();
        self.check_nothing_is_forbidden(&heard, was_forbidden)?;
        self.check_nothing_is_owed().await?;
        self.tell(format!("  {told}"));
        Ok(())
    }

    fn tell(&self, line: String) {
        self.trace.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(line);
    }

    async fn perform(&mut self, step: Step, faults: Faults) -> anyhow::Result<String> {
        match step {
            Step::Come { device, connector, clean, subscribes, deaf } => {
                return self.come(device, connector, clean, subscribes, deaf, faults).await;
            }
            Step::Leave { device, says_goodbye } => {
                let Some(connection) = self.devices[device].connection.take() else { return Ok("it is not here".into()) };
                connection.leave(says_goodbye).await;
                let left = self.world.clock.unix_ms();
                self.devices[device].left(left);
            }
            Step::Publish { topic, count } => {
                for _ in 0..count {
                    self.publish(topic).await?;
                }
            }
            Step::Forbid(forbidden) => {
                self.command(forbid(forbidden)?).await?;
                self.forbidden = forbidden;
            }
            Step::Freeze(device) => {
                let told = self.command(Command::FreezeDevice { device: id(device)? }).await?;
                let Ruling::Accepted { .. } = told else { return Ok("there is no such device".into()) };
                let known = faults == Faults::default();
                let device = &mut self.devices[device];
                device.frozen = true;
                device.revoked = known && device.kept.as_ref().is_some_and(|kept| !kept.unkept);
                device.kept = None;
            }
            Step::Unfreeze(device) => {
                self.command(Command::UnfreezeDevice { device: id(device)? }).await?;
                self.devices[device].frozen = false;
            }
            Step::Wait { seconds } => tokio::time::sleep(Duration::from_secs(seconds)).await,
            Step::PassTime { minutes } => {
                self.world.clock.set(self.world.clock.unix_ms() + minutes * 60_000);
                // Documents of sessions that are open are written anew.
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
        }
        Ok("done".into())
    }

    async fn command(&mut self, command: Command) -> anyhow::Result<Ruling> {
        let ruling = self.world.command(command).await?;
        self.world.settle().await?;
        Ok(ruling)
    }

    /// Until it is stored: what is not stored is owed to nobody.
    async fn publish(&mut self, topic: usize) -> anyhow::Result<()> {
        self.published += 1;
        let number = self.published;
        for kept in self.devices.iter_mut().filter_map(|device| device.kept.as_mut()).filter(|kept| kept.filters[topic]) {
            kept.owed.insert(number, topic);
        }
        let message = DeviceMessage {
            lane: Lane::Peer,
            space: space(),
            device: DeviceId::parse("publisher")?,
            topic: TOPICS[topic].0.to_owned(),
            payload: Bytes::from(number.to_string()),
            qos: 1,
            properties: MessageProperties::default(),
        };
        while let Err(error) = self.world.backbone.messages.publish(&instance(), message.clone()).await {
            ensure!(format!("{error:?}").contains("injected fault"), "{error}");
        }
        Ok(())
    }

    async fn come(
        &mut self,
        number: usize,
        connector: usize,
        clean: bool,
        subscribes: [bool; 2],
        deaf: bool,
        faults: Faults,
    ) -> anyhow::Result<String> {
        let faultless = faults == Faults::default();
        let (now_ms, forbidden) = (self.world.clock.unix_ms(), self.forbidden);
        let place = &self.world.connectors[connector];
        let connected = Connection::open(&place.clients, number, clean, EXPIRY_S, deaf).await;
        let device = &mut self.devices[number];
        let mut connection = match connected {
            Ok(connection) if device.frozen => bail!("a frozen device connects: {}", connection.device),
            Ok(connection) => connection,
            Err(_) if device.frozen => return Ok("refused".into()),
            Err(refused) if faultless => bail!("a device of good standing is refused: {refused}"),
            Err(_) => return Ok("not let in".into()),
        };
        // What the one before has acknowledged is not owed, whether or not it heard of its end.
        device.settle_acknowledged();
        device.connection = None;
        let expected = device.expected(clean, now_ms);
        match (connection.session_present, expected) {
            (true, Some(false)) if faultless => bail!("a session is there that has ended"),
            (false, Some(true)) if faultless => bail!("a session is gone that was promised"),
            _ => {}
        }
        device.revoked = false;
        let mut kept = device.kept.take().filter(|_| connection.session_present).unwrap_or_default();
        (kept.unkept, kept.left_ms) = (connection.expiry_s == 0, None);
        if forbidden {
            kept.forbid();
        }
        let wanted: Vec<usize> = (0..TOPICS.len()).filter(|topic| subscribes[*topic]).collect();
        if !wanted.is_empty() {
            let filters: Vec<&str> = wanted.iter().map(|topic| TOPICS[*topic].1).collect();
            let granted = connection.subscribe(&filters).await.map_err(anyhow::Error::msg)?;
            for (topic, granted) in wanted.into_iter().zip(granted) {
                ensure!(granted != (forbidden && topic == FORBIDDEN), "{:?} is granted: {granted}", TOPICS[topic]);
                kept.filters[topic] |= granted;
            }
        }
        let told = format!("session present: {}, kept: {}", connection.session_present, !kept.unkept);
        if !faultless {
            // What could not be written before SUBACK is written within that time.
            self.world.settle().await?;
            tokio::time::sleep(WRITTEN_WITHIN).await;
        }
        let device = &mut self.devices[number];
        device.kept = Some(kept);
        device.connection = Some(connection);
        Ok(if faultless { told } else { "let in".into() })
    }

    /// Connections that a connector has ended, and what they have acknowledged.
    fn note_ended(&mut self) {
        let now_ms = self.world.clock.unix_ms();
        for device in &mut self.devices {
            device.settle_acknowledged();
            if device.connection.as_ref().is_some_and(|connection| connection.end().is_some()) {
                device.connection = None;
                device.left(now_ms);
            }
            if let Some(kept) = &mut device.kept
                && self.forbidden
                && device.connection.is_some()
            {
                kept.forbid();
            }
        }
    }

    /// What was heard in a step that began with the topic forbidden was not of that topic.
    fn check_nothing_is_forbidden(&self, heard: &[Option<usize>], was_forbidden: bool) -> anyhow::Result<()> {
        for (device, heard) in self.devices.iter().zip(heard) {
            let Some(connection) = &device.connection else { continue };
            if device.frozen {
                bail!("{} is frozen and connected", connection.device);
            }
            // Of a connection that is newer than the step, all that it has heard.
            let since = heard.unwrap_or(0).min(connection.heard());
            if was_forbidden && self.forbidden && connection.has_heard_since(since, TOPICS[FORBIDDEN].0) {
                bail!("{} is given a message of a topic that is forbidden", connection.device);
            }
        }
        Ok(())
    }

    /// A device that is connected and acknowledges what it is given is owed nothing in the end.
    async fn check_nothing_is_owed(&mut self) -> anyhow::Result<()> {
        for looks in 0..LOOKS_MAX {
            self.devices.iter_mut().for_each(Device::settle_acknowledged);
            let waits = |device: &Device| {
                let listens = device.connection.as_ref().is_some_and(|connection| !connection.deaf);
                listens && device.kept.as_ref().is_some_and(|kept| !kept.owed.is_empty())
            };
            if !self.devices.iter().any(waits) {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
            if looks > LOOKS_AT_ONCE {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        let owed: Vec<_> = self.devices.iter().map(|device| device.kept.as_ref().map(|kept| &kept.owed)).collect();
        let ends: Vec<_> = self.devices.iter().map(|device| device.connection.as_ref().map(Connection::end)).collect();
        bail!("messages do not come that devices are owed: {owed:?}; connections: {ends:?}")
    }
}

impl Device {
    fn left(&mut self, now_ms: i64) {
        match &mut self.kept {
            Some(kept) if kept.unkept => self.kept = None,
            Some(kept) => kept.left_ms = Some(now_ms),
            None => {}
        }
    }

    fn settle_acknowledged(&mut self) {
        if let (Some(connection), Some(kept)) = (&self.connection, &mut self.kept) {
            let acknowledged: BTreeSet<u64> = connection.acknowledged();
            kept.owed.retain(|number, _| !acknowledged.contains(number));
        }
    }

    /// Whether a session has to be there; `None` where that cannot be said from here.
    fn expected(&self, clean: bool, now_ms: i64) -> Option<bool> {
        if clean || self.revoked {
            return Some(false);
        }
        let kept = self.kept.as_ref().filter(|kept| !kept.unkept)?;
        let Some(left_ms) = kept.left_ms else { return Some(true) };
        let away_s = (now_ms - left_ms) / 1000;
        match away_s - i64::from(EXPIRY_S) {
            ..0 if away_s + WRITTEN_WITHIN_S < i64::from(EXPIRY_S) => Some(true),
            EXPIRY_SLACK_S.. => Some(false),
            _ => None,
        }
    }
}

impl Kept {
    /// Its filter of the topic that is forbidden is withdrawn, for good.
    fn forbid(&mut self) {
        self.filters[FORBIDDEN] = false;
        self.owed.retain(|_, topic| *topic != FORBIDDEN);
    }
}

fn id(device: usize) -> anyhow::Result<DeviceId> {
    Ok(DeviceId::parse(&format!("{}_{device}", product()))?)
}

fn forbid(forbidden: bool) -> anyhow::Result<Command> {
    let all = |effect, topic: &str| Statement {
        effect,
        actions: vec![Action::Publish, Action::Subscribe],
        resources: vec![format!("topic:{topic}").into()],
    };
    let mut statements = vec![all(Effect::Allow, "*")];
    if forbidden {
        statements.push(all(Effect::Deny, "depot/*"));
    }
    Ok(Command::UpdatePolicy { policy: PolicyId::parse("default")?, name: None, statements: Some(statements) })
}
