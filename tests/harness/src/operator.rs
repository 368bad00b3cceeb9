//! The operator's and the platform's side of a deployment, through the backbone: commands, records, device messages.
//!
//! What an operator does through the backbone here is ruled on by the registrar under test like any other request; only
//! [`Operator::forge`] appends to a log itself, without a right to.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use rollcall_chassis::{
    clock::{Clock as _, SystemClock},
    entropy::{Entropy as _, SystemEntropy},
};
use rollcall_domain::{
    fleet::{Fleet, FleetCommand},
    ids::{DeviceId, InstanceId, LogId, Position, RequestId, SpaceId},
    registry::{Actor, Command, Event, Request, RequestBody},
    time::Timestamp,
};
use rollcall_log::{
    Backbone,
    codec::{self, AnyEvent, AnyRequest, QueuedRequest, Record, Ruling},
    log::Followed,
    messages::{DeviceMessage, Lane, MessageCursor, MessageProperties, StoredMessage},
    proof::{Bound, incarnation, prove},
    request_client::RequestClient,
    requests::RequestKind,
    signing::SigningKey,
};
use rollcall_log_embedded::EmbeddedConfig;
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{nats::NatsLogin, wait};

/// The name that commands carry.
const OPERATOR: &str = "acceptance-test";
/// The resource space of [`crate::fleet::Instance`].
const SPACE: &str = "vehicles";

/// An operator, and what a platform behind the message stream sees.
pub struct Operator {
    runtime: Runtime,
    backbone: Backbone,
    request_clients: HashMap<LogId, RequestClient>,
    /// The API's; none: commands cannot be given.
    command_key: Option<SigningKey>,
    shutdown: CancellationToken,
}

impl Operator {
    /// At a NATS server; only for reading, without [`Operator::with_command_key`].
    ///
    /// # Panics
    /// When it cannot be reached.
    pub fn on_nats(login: &NatsLogin) -> Self {
        let runtime = runtime();
        let backbone = runtime.block_on(rollcall_log_nats::connect(login.config())).expect("the broker can be reached");
        Self { runtime, backbone, request_clients: HashMap::new(), command_key: None, shutdown: CancellationToken::new() }
    }

    /// The same with the command key of an API: its commands are ruled on.
    ///
    /// # Panics
    /// When there is no key in `file`.
    #[must_use]
    pub fn with_command_key(mut self, file: &Path) -> Self {
        let pem = std::fs::read(file).expect("the command key");
        let key = rollcall_chassis::pem::private_key(&pem).expect("a private key");
        self.command_key = Some(SigningKey::from_pkcs8(key.secret_der()).expect("a command key"));
        self
    }

    /// At the embedded log of a data folder whose process has ended; only for reading.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub fn embedded(data: &Path) -> Self {
        let runtime = runtime();
        let config = EmbeddedConfig::new(Arc::new(|| SystemClock.unix_ms()), Arc::new(|| SystemEntropy.uuid_v4()));
        let guard = runtime.enter();
        let backbone = rollcall_log_embedded::open(&data.join("log"), config)
            .expect("the log of a process that has ended can be opened");
        drop(guard);
        Self { runtime, backbone, request_clients: HashMap::new(), command_key: None, shutdown: CancellationToken::new() }
    }

    /// Every record of an instance's log, from its first to the last there is now.
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn records(&self, instance: &str) -> Vec<Record> {
        self.records_of(&instance_log(instance))
    }

    fn records_of(&self, log: &LogId) -> Vec<Record> {
        self.history(log).into_iter().map(|(_, record)| record).collect()
    }

    /// Every record of a log with its position, from its first to the last there is now.
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn history(&self, log: &LogId) -> Vec<(Position, Record)> {
        self.runtime.block_on(async {
            self.backbone.log.open(log).await.expect("the log can be opened");
            let mut follower = self.backbone.log.follow(log, Position::START).await.expect("the log can be followed");
            let mut records = Vec::new();
            loop {
                match follower.recv().await.expect("a follower says when it has caught up").expect("the log can be read") {
                    Followed::Entry(entry) => {
                        let record = codec::decode_record(log, &entry.record).expect("a record can be read");
                        records.push((entry.position, record));
                    }
                    Followed::CaughtUp(_) => return records,
                    // It goes on, and catches up again.
                    Followed::Interrupted { .. } => {}
                }
            }
        })
    }

    /// Writes a record into an instance's log past the registrars, and something that is no record behind it; returns where
    /// the log ends then.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn forge(&self, instance: &str, event: Event) -> u64 {
        let log = instance_log(instance);
        let like = self.records(instance).pop().expect("a log with a record");
        let record = codec::encode_record(&Record { event: AnyEvent::Registry(event), ..like });
        self.runtime.block_on(async {
            loop {
                let end = self.backbone.log.last(&log).await.expect("the end of the log");
                let forged = vec![record.clone(), Bytes::from_static(b"an acknowledgement, say")];
                if let Ok(position) = self.backbone.log.append(&log, end, forged.into()).await {
                    return position.0;
                }
            }
        })
    }

    /// How often each device is registered in an instance's log.
    pub fn registrations(&self, instance: &str) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for record in self.records(instance) {
            if let AnyEvent::Registry(Event::DeviceRegistered { profile, .. }) = record.event {
                *found.entry(profile.device.to_string()).or_default() += 1;
            }
        }
        found
    }

    /// Puts a command about the fleet into the queue as it is, without a proof, and returns its ruling.
    ///
    /// # Panics
    /// When no ruling arrives.
    pub fn ask_fleet_unproven(&mut self, command: FleetCommand) -> Ruling {
        let id = request_id();
        let request = AnyRequest::Fleet { id: id.clone(), actor: Actor::Operator(OPERATOR.into()), command };
        self.ask_registrar(LogId::Fleet, &id, request, false)
    }

    /// Has an instance's registrar rule on a command.
    ///
    /// # Panics
    /// When no ruling arrives.
    pub fn ask(&mut self, instance: &str, command: Command) -> Ruling {
        let id = request_id();
        let body = RequestBody::Command(command);
        let request = AnyRequest::Registry(Request { id: id.clone(), actor: Actor::Operator(OPERATOR.into()), body });
        self.ask_registrar(instance_log(instance), &id, request, true)
    }

    /// As [`Operator::ask`]; it must be accepted.
    ///
    /// # Panics
    /// When it is rejected.
    #[track_caller]
    pub fn command(&mut self, instance: &str, command: Command) {
        let asked = format!("{command:?}");
        match self.ask(instance, command) {
            Ruling::Accepted { .. } => {}
            Ruling::Rejected(rejected) => panic!("{asked} was rejected: {rejected:?}"),
        }
    }

    /// Has the registrar rule on a command about the fleet.
    ///
    /// # Panics
    /// When no ruling arrives.
    pub fn ask_fleet(&mut self, command: FleetCommand) -> Ruling {
        let id = request_id();
        let request = AnyRequest::Fleet { id: id.clone(), actor: Actor::Operator(OPERATOR.into()), command };
        self.ask_registrar(LogId::Fleet, &id, request, true)
    }

    /// The fleet at the end of its log.
    fn fleet(&self) -> Fleet {
        let mut fleet = Fleet::default();
        for record in self.records_of(&LogId::Fleet) {
            if let AnyEvent::Fleet(event) = record.event {
                fleet.evolve(&event, record.time);
            }
        }
        fleet
    }

    fn ask_registrar(&mut self, log: LogId, id: &RequestId, request: AnyRequest, proven: bool) -> Ruling {
        let now = Timestamp::from_unix_ms(SystemClock.unix_ms());
        let queued = codec::encode_request(&QueuedRequest { submitted_at: now, traceparent: None, request });
        let incarnation = incarnation(&self.fleet(), &log);
        let Self { runtime, backbone, request_clients, command_key, shutdown } = self;
        let key = command_key.as_ref().filter(|_| proven);
        assert!(key.is_some() || !proven, "with_command_key");
        let make = || match key {
            Some(key) => prove(key, Bound { log: &log, incarnation, request: id }, &queued, now),
            None => queued.clone(),
        };
        runtime.block_on(async {
            backbone.requests.open(&log).await.expect("the request queue can be opened");
            let start =
                || RequestClient::start(log.clone(), backbone.requests.clone(), &TaskTracker::new(), shutdown.clone());
            let request_client = request_clients.entry(log.clone()).or_insert_with(start).clone();
            request_client.ask(RequestKind::Command, id, make, wait::BOUND).await.expect("the registrar rules on a command")
        })
    }

    /// The rejected attempts kept for an instance, oldest first.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn attempts(&self, instance: &str) -> Vec<codec::Attempt> {
        let log = instance_log(instance);
        let read = self.backbone.attempts.read(&log, Position::START, 1000);
        let entries = self.runtime.block_on(read).expect("attempts can be read");
        entries.iter().map(|entry| codec::decode_attempt(&entry.record).expect("an attempt can be read")).collect()
    }

    /// What devices of an instance have sent to the platform, from the first message kept.
    ///
    /// # Panics
    /// When the stream cannot be followed.
    pub fn uplinks(&self, instance: &str) -> Uplinks {
        let instance = InstanceId::parse(instance).expect("an instance id");
        let messages = self.backbone.messages.clone();
        let receiver = self.runtime.block_on(async {
            messages.open(&instance).await.expect("the message stream can be opened");
            messages
                .follow(&instance, &[Lane::Uplink], Some(MessageCursor::START))
                .await
                .expect("the message stream can be followed")
        });
        Uplinks { receiver, seen: Vec::new() }
    }

    /// Sends a message to a device, as the platform does.
    ///
    /// # Panics
    /// When it cannot be stored.
    pub fn send_down(&self, instance: &str, device: &str, topic: &str, payload: &str) {
        let message = DeviceMessage {
            lane: Lane::Downlink,
            space: SpaceId::parse(SPACE).expect("a space id"),
            device: DeviceId::parse(device).expect("a device id"),
            topic: topic.to_owned(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            qos: 0,
            properties: MessageProperties::default(),
        };
        let instance = InstanceId::parse(instance).expect("an instance id");
        self.runtime.block_on(self.backbone.messages.publish(&instance, message)).expect("the message is stored");
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Messages of devices to the platform.
pub struct Uplinks {
    receiver: mpsc::Receiver<Result<StoredMessage, rollcall_log::BackboneError>>,
    seen: Vec<StoredMessage>,
}

impl Uplinks {
    /// Waits for a message of a device with this payload.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn expect(&mut self, device: &str, payload: &str) -> StoredMessage {
        wait::until(&format!("{payload:?} of {device} in the message stream"), || {
            while let Ok(message) = self.receiver.try_recv() {
                self.seen.push(message.expect("the message stream can be read"));
            }
            let is_it = |stored: &&StoredMessage| {
                stored.message.device.as_str() == device && stored.message.payload == payload.as_bytes()
            };
            self.seen.iter().find(is_it).cloned().ok_or_else(|| format!("{:?}", self.seen))
        })
    }

    /// Everything seen by [`Uplinks::expect`] so far.
    pub fn seen(&self) -> &[StoredMessage] {
        &self.seen
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

fn instance_log(instance: &str) -> LogId {
    LogId::Instance(InstanceId::parse(instance).expect("an instance id"))
}

fn request_id() -> RequestId {
    RequestId::parse(&format!("test-{}", SystemEntropy.uuid_v4())).expect("a UUID holds hex digits and dashes only")
}
