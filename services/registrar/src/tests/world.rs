//! A fleet with one instance, a CA that registers devices, and registrars that serve it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rollcall_chassis::{
    clock::{Clock as _, SetClock},
    entropy::CountingEntropy,
};
use rollcall_domain::{
    fleet::{Edition, FleetCommand, FleetEvent, InstanceDraft},
    ids::{CaId, InstanceId, LogId, PolicyId, Position, ProductId, RequestId, SpaceId, TemplateId},
    registry::{Actor, CaStatus, Command, Event, ProductDetails, Registry, Request, RequestBody, command::TemplateChange},
    template::{DraftValue, TemplateDraft},
    time::Timestamp,
};
use rollcall_log::{
    Backbone,
    codec::{AnyEvent, AnyRequest, Attempt, QueuedRequest, Record, Ruling, decode_attempt, encode_request},
    follow::{LogFollower, Step},
    proof::{Bound, incarnation, prove},
    request_client::RequestClient,
    requests::RequestKind,
    seal::{Point, SealKeys, SealedLog, Sealing},
    signing::SigningKey,
};
use rollcall_log_memory::{Control, Faults, MemoryConfig, with_control};
use rollcall_projection::{
    admission::{Store, StoreConfig},
    fleet::{self, FleetSnapshot},
};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::pki::{Ca, NOW_UNIX_S};
use crate::{Config, Parts};

/// Longest wait for a ruling; paused time, so only ever waited out by a failing test.
const BOUND: Duration = Duration::from_secs(600);

pub(super) struct World {
    pub(super) backbone: Backbone,
    pub(super) faults: Control,
    pub(super) ca: Ca,
    /// The registrars'.
    pub(super) key: Arc<SigningKey>,
    /// The API's.
    pub(super) command_key: SigningKey,
    pub(super) clock: SetClock,
    pub(super) snapshots: watch::Receiver<Arc<FleetSnapshot>>,
    fleet: RequestClient,
    pub(super) instance: RequestClient,
    shutdown: CancellationToken,
    seed: u64,
    others_write: AtomicBool,
}

/// One registrar; its folder goes with it.
pub(super) struct Registrar {
    pub(super) shutdown: CancellationToken,
    pub(super) task: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

impl World {
    pub(super) async fn new(seed: u64) -> Self {
        eprintln!("seed {seed}");
        let (backbone, faults) = with_control(MemoryConfig::seeded(seed));
        let shutdown = CancellationToken::new();
        for log in [LogId::Fleet, log()] {
            backbone.log.open(&log).await.unwrap();
            backbone.requests.open(&log).await.unwrap();
        }
        let request_client =
            |log| RequestClient::start(log, backbone.requests.clone(), &TaskTracker::new(), shutdown.clone());
        let (fleet, instance) = (request_client(LogId::Fleet), request_client(log()));
        let (ca, clock) = (Ca::new("Enterprise CA"), SetClock::at(NOW_UNIX_S * 1000));
        let (key, command_key) = (Arc::new(SigningKey::generate()), SigningKey::generate());
        let keys = [key.public()].into_iter().collect();
        let snapshots = fleet::follow(Arc::clone(&backbone.log), keys, 0, shutdown.clone());
        Self {
            backbone,
            faults,
            ca,
            key,
            command_key,
            clock,
            snapshots,
            fleet,
            instance,
            shutdown,
            seed,
            others_write: false.into(),
        }
    }

    /// Starts a registrar that sees `backbone`.
    pub(super) fn registrar(&self, number: u64, backbone: Backbone) -> Registrar {
        let config = Config { command_keys: vec![self.command_key.public()], ..Config::default() };
        self.configured_registrar(number, backbone, config)
    }

    pub(super) fn configured_registrar(&self, number: u64, backbone: Backbone, config: Config) -> Registrar {
        let folder = tempfile::tempdir().unwrap();
        let keys: SealKeys = [self.key.public()].into_iter().collect();
        let views = StoreConfig {
            folder: folder.path().join("views"),
            cache_bytes_max: 8 << 20,
            directory: false,
            keys: keys.clone(),
            retry_seed: 0,
        };
        let shutdown = self.shutdown.child_token();
        let parts = Parts {
            fleet: fleet::follow(backbone.log.clone(), keys, 0, shutdown.clone()),
            backbone,
            key: Arc::clone(&self.key),
            store: Store::open(&views).unwrap(),
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(CountingEntropy::seeded((self.seed << 32) + (number << 24))),
        };
        let task = tokio::spawn(crate::run(config, parts, shutdown.clone()));
        Registrar { shutdown, task, _folder: folder }
    }

    /// An instance whose CA's certificates register as devices `sensor_<CN>`.
    pub(super) async fn furnish(&self) {
        accepted(self.fleet_command("create-instance", FleetCommand::CreateInstance(draft())).await);
        let (space, default_policy) = (space(), Some(PolicyId::parse("default").unwrap()));
        self.grant("space", Command::CreateSpace { space, name: "Space".into(), default_policy }).await;
        let details = ProductDetails {
            name: "Sensor".into(),
            device_type: "sensor".into(),
            protocol_type: "MQTT".into(),
            data_format: "json".into(),
            service_capabilities: "[]".into(),
            ..ProductDetails::default()
        };
        self.grant("product", Command::CreateProduct { space: self::space(), product: product(), details }).await;
        self.grant("template", create_template("template", "sensors")).await;
        let der = self.ca.certificate.der().to_vec().into();
        self.grant("upload", Command::UploadCa { ca: ca(), space: self::space(), der }).await;
        let proof = self.ca.device(&self.code().await);
        self.grant("verify", Command::VerifyCa { ca: ca(), proof }).await;
        let template = TemplateChange::Bind(TemplateId::parse("template").unwrap());
        self.grant("configure", Command::ConfigureCa { ca: ca(), template, self_registration: Some(true) }).await;
    }

    pub(super) async fn fleet_command(&self, id: &str, command: FleetCommand) -> Ruling {
        let id = RequestId::parse(id).unwrap();
        let request = AnyRequest::Fleet { id: id.clone(), actor: operator(), command };
        let make = || self.bytes(RequestKind::Command, &LogId::Fleet, &id, request.clone());
        self.fleet.ask(RequestKind::Command, &id, make, BOUND).await.unwrap()
    }

    /// Has the fleet's registrar rule on these bytes.
    pub(super) async fn ask_fleet(&self, id: &RequestId, bytes: Bytes) -> Ruling {
        self.fleet.ask(RequestKind::Command, id, || bytes.clone(), BOUND).await.unwrap()
    }

    pub(super) async fn command(&self, id: &str, command: Command) -> Ruling {
        let id = RequestId::parse(id).unwrap();
        let body = RequestBody::Command(command);
        self.ask(Request { id, actor: operator(), body }).await
    }

    pub(super) async fn grant(&self, id: &str, command: Command) -> Position {
        accepted(self.command(id, command).await)
    }

    /// A device connects for the first time.
    pub(super) async fn connect(&self, certificate: &[u8]) -> Ruling {
        self.ask(certificate_connect(certificate)).await
    }

    pub(super) async fn ask(&self, request: Request) -> Ruling {
        self.ask_as(kind_of(&request), request).await
    }

    /// Asks under a kind that need not be the request's own.
    pub(super) async fn ask_as(&self, kind: RequestKind, request: Request) -> Ruling {
        let id = request.id.clone();
        let make = || self.bytes(kind, &log(), &id, AnyRequest::Registry(request.clone()));
        loop {
            match self.instance.ask(kind, &id, make, BOUND).await {
                Ok(ruling) => return ruling,
                // An injected fault in the submission: the requester tries again.
                Err(rollcall_log::request_client::RequestClientError::Backbone(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Of the instance as it is now.
    pub(super) fn incarnation(&self, log: &LogId) -> uuid::Uuid {
        incarnation(&self.snapshots.borrow().fleet, log)
    }

    /// What is queued for a request: behind a proof made now, if it is queued as a command.
    pub(super) fn bytes(&self, kind: RequestKind, log: &LogId, id: &RequestId, request: AnyRequest) -> Bytes {
        let request = encode_request(&queued(request));
        match kind {
            RequestKind::Connect => request,
            RequestKind::Command => {
                let bound = Bound { log, incarnation: self.incarnation(log), request: id };
                prove(&self.command_key, bound, &request, Timestamp::from_unix_ms(self.clock.unix_ms()))
            }
        }
    }

    /// What the instance's log holds, read without faults; all of it must be sealed by the registrars' key.
    pub(super) async fn records(&self) -> Vec<Record> {
        self.records_of(&log()).await
    }

    /// What a log holds, read without faults.
    pub(super) async fn records_of(&self, log: &LogId) -> Vec<Record> {
        self.faults.clear();
        let (records, foreign) = self.read(&self.sealed(log).await).await;
        assert!(foreign == 0 || self.others_write.load(Ordering::Relaxed), "{foreign} records that nobody has sealed");
        records
    }

    /// From now on others than registrars write into the log.
    pub(super) fn let_others_write(&self) {
        self.others_write.store(true, Ordering::Relaxed);
    }

    /// How many records of the instance's log are not the registrars'.
    pub(super) async fn foreign(&self) -> usize {
        self.read(&self.sealed(&log()).await).await.1
    }

    /// Which of the instances that had this log it is for.
    async fn sealed(&self, log: &LogId) -> SealedLog {
        let LogId::Instance(_) = log else { return SealedLog::FLEET };
        let created = self.read(&SealedLog::FLEET).await.0.into_iter().find_map(|record| match record.event {
            AnyEvent::Fleet(FleetEvent::InstanceCreated(instance)) => Some(SealedLog::of(&instance)),
            _ => None,
        });
        created.expect("the world has one instance")
    }

    async fn read(&self, sealed: &SealedLog) -> (Vec<Record>, usize) {
        let keys: SealKeys = [self.key.public()].into_iter().collect();
        let sealed = sealed.clone();
        let start = Point::start(&sealed, &keys);
        let mut follower = LogFollower::new(Arc::clone(&self.backbone.log), sealed, keys, start);
        let (mut records, mut foreign) = (Vec::new(), 0);
        loop {
            for step in follower.next().await.unwrap() {
                match step {
                    Step::Batch(batch) => {
                        assert!(matches!(batch.after.sealing, Sealing::By(_)), "unsealed up to {}", batch.after.position);
                        records.extend(batch.records.into_iter().map(|read| Record::clone(&read.record)));
                    }
                    Step::Foreign { .. } => foreign += 1,
                    Step::CaughtUp(_) => return (records, foreign),
                    step => panic!("{step:?}"),
                }
            }
        }
    }

    pub(super) async fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        for record in self.records().await {
            let AnyEvent::Registry(event) = record.event else { panic!("only registry events here") };
            registry.evolve(&event, record.time);
        }
        registry
    }

    /// The device ids of all registrations, in the order of the log.
    pub(super) async fn registered(&self) -> Vec<String> {
        let registered = self.records().await.into_iter().filter_map(|record| match record.event {
            AnyEvent::Registry(Event::DeviceRegistered { profile, .. }) => Some(profile.device.to_string()),
            _ => None,
        });
        registered.collect()
    }

    pub(super) async fn attempts(&self) -> Vec<Attempt> {
        self.attempts_of(&log()).await
    }

    pub(super) async fn attempts_of(&self, log: &LogId) -> Vec<Attempt> {
        let kept = self.backbone.attempts.read(log, Position::START, 1000).await.unwrap();
        kept.iter().map(|entry| decode_attempt(&entry.record).unwrap()).collect()
    }

    /// Nothing waits any more.
    pub(super) async fn assert_all_finished(&self) {
        // Longer than a lease: what was not finished would be handed out again.
        tokio::time::sleep(rollcall_log::requests::LEASE * 2).await;
        let left = self.backbone.requests.take(&log(), 1000, Duration::from_secs(1)).await.unwrap();
        assert!(left.is_empty(), "unfinished: {left:?}");
    }

    async fn code(&self) -> String {
        let registry = self.registry().await;
        match &registry.configuration.cas[&ca()].status {
            CaStatus::AwaitingProof { code, .. } => code.to_string(),
            CaStatus::Verified { .. } => panic!("verified already"),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub(super) fn certificate_connect(certificate: &[u8]) -> Request {
    let facts = rollcall_domain::certificate::CertificateFacts::from_der(certificate).unwrap();
    Request {
        id: RequestId::of_certificate(&facts.sha256),
        actor: Actor::Certificate(facts.sha256),
        body: RequestBody::CertificateConnect { chain: vec![certificate.into()], claimed: None },
    }
}

pub(super) fn create_template(id: &str, name: &str) -> Command {
    let cn = || DraftValue::Ref("iotda::certificate::common_name".into());
    let body = TemplateDraft {
        parameters: vec![("iotda::certificate::common_name".into(), "String".into())],
        node_id: Some(cn()),
        product_id: Some(DraftValue::Static("sensor".into())),
        ..TemplateDraft::default()
    };
    Command::CreateTemplate { template: TemplateId::parse(id).unwrap(), name: name.into(), description: "".into(), body }
}

pub(super) fn accepted(ruling: Ruling) -> Position {
    match ruling {
        Ruling::Accepted { position } => position,
        Ruling::Rejected(rejected) => panic!("rejected: {rejected:?}"),
    }
}

pub(super) fn rejected(ruling: Ruling) -> String {
    match ruling {
        Ruling::Accepted { position } => panic!("accepted at {position}"),
        Ruling::Rejected(rejected) => rejected.code,
    }
}

pub(super) fn queued(request: AnyRequest) -> QueuedRequest {
    QueuedRequest { submitted_at: Timestamp::from_unix_s(NOW_UNIX_S), traceparent: None, request }
}

pub(super) fn some_faults() -> Faults {
    Faults { unavailable: 60, lost_ack: 60, spurious_conflict: 60, redelivery: 60, cut_follower: 20, ..Faults::some() }
}

pub(super) fn operator() -> Actor {
    Actor::Operator("alice".into())
}

pub(super) fn instance() -> InstanceId {
    InstanceId::parse("one").unwrap()
}

/// The instance as it is asked for.
pub(super) fn draft() -> InstanceDraft {
    InstanceDraft {
        id: instance(),
        access_domain: "one.example.com".into(),
        edition: Edition::Enterprise,
        region: "cn-north-4".into(),
        devices_max: None,
    }
}

pub(super) fn log() -> LogId {
    LogId::Instance(instance())
}

pub(super) fn space() -> SpaceId {
    SpaceId::parse("space").unwrap()
}

pub(super) fn product() -> ProductId {
    ProductId::parse("sensor").unwrap()
}

pub(super) fn ca() -> CaId {
    CaId::parse("ca").unwrap()
}

pub(super) fn kind_of(request: &Request) -> RequestKind {
    match request.body {
        RequestBody::CertificateConnect { .. } => RequestKind::Connect,
        RequestBody::Command(_) => RequestKind::Command,
    }
}
