//! What is simulated: one instance, two registrars, two connectors with their views, one log in memory.
//!
//! Every process has its own views and its own link to the log. Nothing here decides what happens: that is the seed's.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use rollcall_chassis::{
    clock::{Clock as _, SetClock},
    entropy::CountingEntropy,
    secret_file,
};
use rollcall_connector::{ClientBelowTls, Config as ConnectorConfig, ConnectorStatus, StaleSessions, run_below_tls};
use rollcall_domain::{
    fleet::{Edition, FleetCommand, Instance, InstanceDraft},
    ids::{InstanceId, LogId, PolicyId, ProductId, RequestId, SpaceId, TemplateId},
    registry::{Actor, CaStatus, Command, ProductDetails, Request, RequestBody, command::TemplateChange},
    template::{DraftValue, TemplateDraft},
    time::Timestamp,
};
use rollcall_projection::{
    admission::{AdmissionView, Store, StoreConfig, ViewHealth},
    fleet::{self, FleetSnapshot},
    freshness::Freshness,
};
use rollcall_registrar::{Config as RegistrarConfig, Parts as RegistrarParts};
use tempfile::TempDir;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    certificates::{CAS, SERVER, START_UNIX_S, ca},
    history::History,
    memory_log::{
        AnyRequest, Backbone, Bound, Control, Link, MemoryConfig, QueuedRequest, RequestClient, RequestKind, Ruling,
        SealKeys, SealedLog, Sight, SigningKey, encode_request, incarnation, prove, with_control,
    },
};

/// How often the log is read before it is given up, while it has faults.
const READS_MAX: usize = 100;
/// Longest wait for a ruling.
const RULING: Duration = Duration::from_secs(3600);
/// Longest wait for a state.
const STATE: Duration = Duration::from_secs(600);
/// From the last change of the log to when everything that follows from it has been done: sweeps, retries, presence.
const AFTERMATH: Duration = Duration::from_millis(1500);
/// A registration that takes longer has met more than faults that pass.
const REGISTRATION_MS_MAX: u64 = 60_000;
/// How old the second connector's view may be for accepting devices.
pub(crate) const STALE_ADMISSION: Duration = Duration::from_secs(20);
const VIEW_CACHE_BYTES: u64 = 1024 * 1024;

pub(crate) const SERVER_NAME: &str = "one.example.com";

/// See the file.
pub(crate) struct World {
    pub(crate) faults: Control,
    pub(crate) clock: SetClock,
    pub(crate) history: History,
    pub(crate) profile: Instance,
    pub(crate) registrars: [Registrar; 2],
    pub(crate) connectors: [Connector; 2],
    pub(crate) backbone: Backbone,
    key: Arc<SigningKey>,
    command_key: SigningKey,
    snapshots: watch::Receiver<Arc<FleetSnapshot>>,
    requests: RequestClient,
    shutdown: CancellationToken,
    seed: u64,
    /// Of requests and of processes.
    numbers: u64,
    /// What operators were told, in order.
    pub(crate) answers: Vec<(RequestId, Ruling)>,
    folder: TempDir,
}

pub(crate) struct Registrar {
    pub(crate) link: Arc<Link>,
    pub(crate) view: AdmissionView,
    shutdown: CancellationToken,
}

pub(crate) struct Connector {
    pub(crate) link: Arc<Link>,
    pub(crate) view: AdmissionView,
    pub(crate) clients: mpsc::Sender<ClientBelowTls>,
    pub(crate) status: watch::Receiver<ConnectorStatus>,
    /// Whether its view may only be [`STALE_ADMISSION`] old.
    pub(crate) bounded: bool,
    /// Since when its view lacks something that the log has.
    pub(crate) behind_since: Option<Instant>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl World {
    /// Without devices; the first CA has a template, the second none.
    pub(crate) async fn new(seed: u64) -> anyhow::Result<Self> {
        let clock = SetClock::at(START_UNIX_S * 1000);
        let now = clock.clone();
        let config = MemoryConfig { now_ms: Arc::new(move || now.unix_ms()), ..MemoryConfig::seeded(seed) };
        let (backbone, faults) = with_control(config);
        let shutdown = CancellationToken::new();
        for log in [LogId::Fleet, log()] {
            backbone.log.open(&log).await?;
            backbone.requests.open(&log).await?;
        }
        let folder = tempfile::tempdir().context("a folder for views")?;
        for (kind, pem) in ["crt", "key"].iter().zip(SERVER.iter()) {
            secret_file::replace(&folder.path().join(format!("{}.{kind}", instance())), pem)?;
        }
        let (key, command_key) = (Arc::new(SigningKey::generate()), SigningKey::generate());
        let keys: SealKeys = [key.public()].into_iter().collect();
        let mut snapshots = fleet::follow(Arc::clone(&backbone.log), keys.clone(), seed, shutdown.clone());
        let requests = RequestClient::start(log(), backbone.requests.clone(), &TaskTracker::new(), shutdown.clone());
        let starting = Starting {
            backbone: &backbone,
            key: &key,
            command_key: &command_key,
            clock: &clock,
            shutdown: &shutdown,
            folder: &folder,
            seed,
        };
        // The fleet's log first, by a registrar of its own: views of the instance need its incarnation.
        let founder = starting.registrar(0)?;
        let profile = found(&backbone, &command_key, &mut snapshots, &shutdown).await?;
        let registrars = [founder.opened(&profile)?, starting.registrar(1)?.opened(&profile)?];
        let connectors = [starting.connector(2, &snapshots, &profile)?, starting.connector(3, &snapshots, &profile)?];
        let history = History::new(backbone.log.clone(), SealedLog::of(&profile), keys);
        let mut world = Self {
            faults,
            clock,
            history,
            profile,
            registrars,
            connectors,
            backbone,
            key,
            command_key,
            snapshots,
            requests,
            shutdown,
            seed,
            numbers: 4,
            answers: Vec::new(),
            folder,
        };
        world.furnish().await?;
        world.settle().await?;
        Ok(world)
    }

    async fn furnish(&mut self) -> anyhow::Result<()> {
        let default_policy = Some(PolicyId::parse("default")?);
        self.granted(Command::CreateSpace { space: space(), name: "Space".into(), default_policy }).await?;
        for product in [product(), other_product()] {
            let details = ProductDetails {
                name: "Sensor".into(),
                device_type: "sensor".into(),
                protocol_type: "MQTT".into(),
                data_format: "json".into(),
                service_capabilities: "[]".into(),
                ..ProductDetails::default()
            };
            self.granted(Command::CreateProduct { space: space(), product, details }).await?;
        }
        let (name, description, body) = ("sensors".into(), "".into(), template_body(&product()));
        self.granted(Command::CreateTemplate { template: template(), name, description, body }).await?;
        for number in 0..CAS.len() {
            self.trust(number).await?;
        }
        Ok(())
    }

    /// Uploads and verifies one of the CAs; the first gets the template, and its devices register themselves.
    pub(crate) async fn trust(&mut self, number: usize) -> anyhow::Result<()> {
        let (ca, certificates) = (ca(number), &CAS[number]);
        self.granted(Command::UploadCa { ca: ca.clone(), space: space(), der: certificates.der.clone() }).await?;
        // The log's faults hit this reader too.
        for _ in 0..READS_MAX {
            if self.history.read().await.is_ok() {
                break;
            }
        }
        let registry = self.history.registry(self.history.end());
        let code = match registry.configuration.cas.get(&ca).map(|ca| &ca.status) {
            Some(CaStatus::AwaitingProof { code, .. }) => code.to_string(),
            other => bail!("CA certificate {ca} awaits no proof: {other:?}"),
        };
        self.granted(Command::VerifyCa { ca: ca.clone(), proof: certificates.proof(&code) }).await?;
        if number == 0 {
            let template = TemplateChange::Bind(template());
            self.granted(Command::ConfigureCa { ca, template, self_registration: Some(true) }).await?;
        }
        Ok(())
    }

    async fn granted(&mut self, command: Command) -> anyhow::Result<()> {
        let told = format!("{command:?}");
        match self.command(command).await? {
            Ruling::Accepted { .. } => Ok(()),
            Ruling::Rejected(rejected) => bail!("{told} was rejected: {}", rejected.message),
        }
    }

    /// Has a command of an operator ruled on.
    pub(crate) async fn command(&mut self, command: Command) -> anyhow::Result<Ruling> {
        let id = RequestId::parse(&format!("command-{}", self.number()))?;
        let body = RequestBody::Command(command);
        let request = AnyRequest::Registry(Request { id: id.clone(), actor: operator(), body });
        let at = Timestamp::from_unix_ms(self.clock.unix_ms());
        let make = || prove_command(&self.command_key, &self.snapshots, &log(), &id, request.clone(), at);
        let ruling = self.requests.ask(RequestKind::Command, &id, make, RULING).await?;
        self.answers.push((id, ruling.clone()));
        Ok(ruling)
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Puts a new registrar in the place of one that died.
    fn replace_dead_registrars(&mut self) -> anyhow::Result<()> {
        for place in 0..self.registrars.len() {
            if self.registrars[place].link.is_dead() {
                self.registrars[place].shutdown.cancel();
                let number = self.number();
                self.registrars[place] = self.starting().registrar(number)?.opened(&self.profile)?;
            }
        }
        Ok(())
    }

    fn starting(&self) -> Starting<'_> {
        Starting {
            backbone: &self.backbone,
            key: &self.key,
            command_key: &self.command_key,
            clock: &self.clock,
            shutdown: &self.shutdown,
            folder: &self.folder,
            seed: self.seed,
        }
    }

    /// Ends the faults and reads what has come about.
    pub(crate) async fn read(&mut self) -> anyhow::Result<()> {
        self.faults.clear();
        self.history.read().await
    }

    /// Ends the faults and waits until every view that sees the log has all of it, and what follows from that is done. Does not wait
    /// for requests that a registrar that died had taken: they come again when their lease runs out, some steps later.
    pub(crate) async fn settle(&mut self) -> anyhow::Result<()> {
        self.faults.clear();
        self.replace_dead_registrars()?;
        self.reach_the_end().await?;
        tokio::time::sleep(AFTERMATH).await;
        self.history.read().await?;
        let end = self.history.end();
        for connector in &mut self.connectors {
            let behind = connector.view.status().borrow().position < end;
            connector.behind_since = behind.then(|| connector.behind_since.unwrap_or_else(Instant::now));
        }
        Ok(())
    }

    async fn reach_the_end(&mut self) -> anyhow::Result<()> {
        let reached = tokio::time::timeout(STATE, async {
            loop {
                self.history.read().await?;
                if self.has_settled() {
                    return Ok::<_, anyhow::Error>(());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        match reached.await {
            Ok(read) => read,
            Err(_) => bail!("the views do not reach the end of the log, which is {}: {}", self.history.end(), self.views()),
        }
    }

    fn has_settled(&self) -> bool {
        let end = self.history.end();
        let follows = |view: &AdmissionView| {
            let status = view.status();
            let status = status.borrow();
            status.position == end && status.caught_up && status.health == ViewHealth::Following
        };
        self.registrars.iter().all(|registrar| follows(&registrar.view))
            && self.connectors.iter().all(|connector| connector.link.sight() != Sight::Whole || follows(&connector.view))
    }

    fn views(&self) -> String {
        let registrars = self.registrars.iter().map(|registrar| &registrar.view);
        let views = registrars.chain(self.connectors.iter().map(|connector| &connector.view));
        views.map(|view| format!("{:?}", *view.status().borrow())).collect::<Vec<_>>().join("\n")
    }
}

/// What every process is started with.
struct Starting<'a> {
    backbone: &'a Backbone,
    key: &'a Arc<SigningKey>,
    command_key: &'a SigningKey,
    clock: &'a SetClock,
    shutdown: &'a CancellationToken,
    folder: &'a TempDir,
    seed: u64,
}

/// A registrar whose view of the instance is not open yet.
struct Begun {
    link: Arc<Link>,
    store: Store,
    shutdown: CancellationToken,
}

impl Begun {
    fn opened(self, profile: &Instance) -> anyhow::Result<Registrar> {
        let view = view_of(&self.store, &self.link, profile, &self.shutdown)?;
        Ok(Registrar { link: self.link, view, shutdown: self.shutdown })
    }
}

impl Starting<'_> {
    fn store(&self, number: u64) -> anyhow::Result<Store> {
        let folder = self.folder.path().join(format!("views-{number}"));
        let keys = [self.key.public()].into_iter().collect();
        Ok(Store::open(&StoreConfig {
            folder,
            cache_bytes_max: VIEW_CACHE_BYTES,
            directory: false,
            keys,
            retry_seed: self.seed,
        })?)
    }

    fn entropy(&self, number: u64) -> Arc<CountingEntropy> {
        Arc::new(CountingEntropy::seeded((self.seed << 32).wrapping_add(number << 20)))
    }

    fn registrar(&self, number: u64) -> anyhow::Result<Begun> {
        let (link, store, shutdown) = (Link::to(self.backbone), self.store(number)?, self.shutdown.child_token());
        let config = RegistrarConfig { command_keys: vec![self.command_key.public()], ..RegistrarConfig::default() };
        let keys = [self.key.public()].into_iter().collect();
        let backbone = link.backbone();
        let parts = RegistrarParts {
            fleet: fleet::follow(backbone.log.clone(), keys, self.seed, shutdown.clone()),
            backbone,
            store: store.clone(),
            key: Arc::clone(self.key),
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy(number),
        };
        tokio::spawn(rollcall_registrar::run(config, parts, shutdown.clone()));
        Ok(Begun { link, store, shutdown })
    }

    fn connector(
        &self,
        number: u64,
        snapshots: &watch::Receiver<Arc<FleetSnapshot>>,
        profile: &Instance,
    ) -> anyhow::Result<Connector> {
        let (link, store, shutdown) = (Link::to(self.backbone), self.store(number)?, self.shutdown.child_token());
        let bounded = number % 2 == 1;
        let mut config = ConnectorConfig { tls_folder: self.folder.path().into(), ..ConnectorConfig::default() };
        config.limits.registration_ms_max = REGISTRATION_MS_MAX;
        if bounded {
            (config.stale_admission_s_max, config.stale_sessions) = (STALE_ADMISSION.as_secs(), StaleSessions::End);
        }
        let view = view_of(&store, &link, profile, &shutdown)?;
        let ((clients, handed_over), (bound, _)) = (mpsc::channel(16), oneshot::channel());
        let (told, status) = watch::channel(ConnectorStatus::default());
        let heartbeats = self.backbone.heartbeats.clone();
        let freshness = Freshness::start(heartbeats, vec![self.key.public()], self.seed, shutdown.clone());
        freshness.track_fleet(snapshots.clone());
        let parts = rollcall_connector::Parts {
            backbone: link.backbone(),
            store,
            freshness,
            fleet: snapshots.clone(),
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy(number),
            bound,
            status: told,
        };
        tokio::spawn(async move { run_below_tls(config, parts, handed_over, shutdown).await });
        Ok(Connector { link, view, clients, status, bounded, behind_since: None })
    }
}

/// The view that a process has, or is about to have.
fn view_of(
    store: &Store,
    link: &Arc<Link>,
    profile: &Instance,
    shutdown: &CancellationToken,
) -> anyhow::Result<AdmissionView> {
    Ok(store.admission(&profile.id, profile.incarnation, link.backbone().log, shutdown.clone())?)
}

/// Creates the instance.
async fn found(
    backbone: &Backbone,
    command_key: &SigningKey,
    snapshots: &mut watch::Receiver<Arc<FleetSnapshot>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<Instance> {
    let requests = RequestClient::start(LogId::Fleet, backbone.requests.clone(), &TaskTracker::new(), shutdown.clone());
    let id = RequestId::parse("create-instance")?;
    let draft = InstanceDraft {
        id: instance(),
        access_domain: SERVER_NAME.into(),
        edition: Edition::Enterprise,
        region: "cn-north-4".into(),
        devices_max: None,
    };
    let command = FleetCommand::CreateInstance(draft);
    let request = AnyRequest::Fleet { id: id.clone(), actor: operator(), command };
    let at = Timestamp::from_unix_s(START_UNIX_S);
    let make = || prove_command(command_key, snapshots, &LogId::Fleet, &id, request.clone(), at);
    match requests.ask(RequestKind::Command, &id, make, RULING).await? {
        Ruling::Accepted { .. } => {}
        Ruling::Rejected(rejected) => bail!("the instance was not created: {}", rejected.message),
    }
    let created = snapshots.wait_for(|snapshot| snapshot.fleet.instances.contains_key(&instance())).await?;
    created.fleet.instances.get(&instance()).cloned().context("it was there a moment ago")
}

fn prove_command(
    key: &SigningKey,
    snapshots: &watch::Receiver<Arc<FleetSnapshot>>,
    log: &LogId,
    id: &RequestId,
    request: AnyRequest,
    at: Timestamp,
) -> Bytes {
    let request = encode_request(&QueuedRequest { submitted_at: at, traceparent: None, request });
    let bound = Bound { log, incarnation: incarnation(&snapshots.borrow().fleet, log), request: id };
    prove(key, bound, &request, at)
}

/// Devices `<product>_<CN>`; a newer certificate takes the place of the old one.
pub(crate) fn template_body(product: &ProductId) -> TemplateDraft {
    let cn = "iotda::certificate::common_name".to_owned();
    TemplateDraft {
        parameters: vec![(cn.clone(), "String".into())],
        node_id: Some(DraftValue::Ref(cn)),
        product_id: Some(DraftValue::Static(product.as_str().into())),
        on_certificate_change: Some("replace".into()),
        ..TemplateDraft::default()
    }
}

fn operator() -> Actor {
    Actor::Operator("alice".into())
}

pub(crate) fn instance() -> InstanceId {
    InstanceId::parse("one").expect("an id")
}

pub(crate) fn log() -> LogId {
    LogId::Instance(instance())
}

pub(crate) fn space() -> SpaceId {
    SpaceId::parse("space").expect("an id")
}

pub(crate) fn product() -> ProductId {
    ProductId::parse("sensor").expect("an id")
}

pub(crate) fn other_product() -> ProductId {
    ProductId::parse("meter").expect("an id")
}

pub(crate) fn template() -> TemplateId {
    TemplateId::parse("template").expect("an id")
}
