//! A fleet with one instance, a CA that registers devices, and registrars that serve it.

use std::{sync::Arc, time::Duration};

use rollcall_backbone::{
    Backbone,
    codec::{AnyEvent, AnyRequest, Attempt, QueuedRequest, Record, Ruling, decode_attempt, decode_record, encode_request},
    log::Followed,
    memory::{Control, Faults, MemoryConfig, with_control},
    petition::Petitioner,
    requests::RequestKind,
    signing::SigningKey,
};
use rollcall_chassis::{clock::SetClock, entropy::CountingEntropy};
use rollcall_domain::{
    fleet::{Edition, FleetCommand, Instance},
    ids::{CaId, InstanceId, LogId, PolicyId, Position, ProductId, RequestId, SpaceId, TemplateId},
    registry::{Actor, CaStatus, Command, Event, ProductDetails, Registry, Request, RequestBody, command::TemplateChange},
    template::{DraftValue, TemplateDraft},
    time::Timestamp,
};
use rollcall_projection::{
    admission::{Store, StoreConfig},
    fleet,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::pki::{Ca, NOW_UNIX_S};
use crate::{Config, Parts};

/// Longest wait for a ruling; paused time, so only ever waited out by a failing test.
const BOUND: Duration = Duration::from_secs(600);

/// See the file.
pub(super) struct World {
    pub(super) backbone: Backbone,
    pub(super) faults: Control,
    pub(super) ca: Ca,
    /// What its registrars sign with.
    pub(super) key: Arc<SigningKey>,
    fleet: Petitioner,
    pub(super) instance: Petitioner,
    shutdown: CancellationToken,
    seed: u64,
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
        let petitioner = |log| Petitioner::start(log, backbone.requests.clone(), shutdown.clone());
        let (fleet, instance) = (petitioner(LogId::Fleet), petitioner(log()));
        let key = Arc::new(SigningKey::generate());
        Self { backbone, key, faults, ca: Ca::new("Enterprise CA"), fleet, instance, shutdown, seed }
    }

    /// Starts a registrar that sees `backbone`.
    pub(super) fn registrar(&self, number: u64, backbone: Backbone) -> Registrar {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig { folder: folder.path().join("views"), cache_bytes_max: 8 << 20, directory: false };
        let shutdown = self.shutdown.child_token();
        let parts = Parts {
            fleet: fleet::follow(backbone.log.clone(), shutdown.clone()),
            backbone,
            store: Store::open(&config).unwrap(),
            clock: Arc::new(SetClock::at(NOW_UNIX_S * 1000)),
            entropy: Arc::new(CountingEntropy::seeded((self.seed << 32) + (number << 24))),
            key: Some(Arc::clone(&self.key)),
        };
        let task = tokio::spawn(crate::run(Config::default(), parts, shutdown.clone()));
        Registrar { shutdown, task, _folder: folder }
    }

    /// An instance whose CA's certificates register as devices `sensor_<CN>`.
    pub(super) async fn furnish(&self) {
        let command = FleetCommand::CreateInstance(Instance {
            id: instance(),
            access_domain: "one.example.com".into(),
            edition: Edition::Enterprise,
            region: "cn-north-4".into(),
        });
        accepted(self.fleet_command("create-instance", command).await);
        let (space, default_policy) = (space(), PolicyId::parse("default").unwrap());
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
        self.fleet.ask(RequestKind::Command, &id, encode_request(&queued(request)), BOUND).await.unwrap()
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
        let bytes = encode_request(&queued(AnyRequest::Registry(request)));
        loop {
            match self.instance.ask(kind, &id, bytes.clone(), BOUND).await {
                Ok(ruling) => return ruling,
                // An injected fault in the submission: the requester tries again.
                Err(rollcall_backbone::petition::PetitionError::Backbone(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// What the instance's log holds, read without faults.
    pub(super) async fn records(&self) -> Vec<Record> {
        self.faults.heal();
        let mut follower = self.backbone.log.follow(&log(), Position::START).await.unwrap();
        let mut records = Vec::new();
        while let Some(followed) = follower.recv().await {
            match followed.unwrap() {
                Followed::Entry(entry) => records.push(decode_record(&log(), &entry.record).unwrap()),
                Followed::CaughtUp(_) => break,
                Followed::Interrupted { reason } => panic!("{reason}"),
            }
        }
        records
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
        tokio::time::sleep(rollcall_backbone::requests::LEASE * 2).await;
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
