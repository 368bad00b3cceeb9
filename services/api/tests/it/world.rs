//! One fleet in one process: backbone in memory, registrar, API. Operators and instances come through the queue, as they
//! would from any other process.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rollcall_api::{Config, FirstAdministrator, Limits, MasterKey, Parts, command_key, run};
use rollcall_chassis::{
    clock::{Clock as _, SetClock},
    entropy::CountingEntropy,
};
use rollcall_domain::{
    fleet::{AccessKeyId, Edition, FleetCommand, InstanceDraft, NewOperator, OperatorName, ProjectId, Role, Scope},
    ids::{CaId, DeviceId, LogId, Position, RequestId, TemplateId},
    registry::{Actor, CaStatus, Command, ProductDetails, Request, RequestBody, command::TemplateChange},
    template::{DraftValue, TemplateDraft},
    time::Timestamp,
};
use rollcall_log::{
    Backbone,
    codec::{AnyRequest, QueuedRequest, Ruling, encode_request},
    proof::{Bound, incarnation, prove},
    request_client::RequestClient,
    requests::RequestKind,
    seal::SealKeys,
    signing::{PublicKey, SigningKey},
};
use rollcall_log_memory::{Control, MemoryConfig};
use rollcall_projection::{
    admission::{Store, StoreConfig},
    directory::DirectoryView,
    fleet::{self, FleetSnapshot},
    freshness::Freshness,
};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{client::Client, pki::Authority};

/// 2026-06-01T00:00:00Z.
pub(crate) const NOW_MS: i64 = 1_780_272_000_000;
/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The project of every operator that a test makes.
pub(crate) const PROJECT: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

pub(crate) struct World {
    pub(crate) backbone: Backbone,
    /// Switches faults of the backbone.
    pub(crate) faults: Control,
    pub(crate) clock: SetClock,
    pub(crate) address: SocketAddr,
    /// What the API told of the administrator that it made.
    pub(crate) first_administrator: FirstAdministrator,
    pub(crate) fleet: watch::Receiver<Arc<FleetSnapshot>>,
    pub(crate) store: Store,
    /// What registrars sign with.
    pub(crate) key: Arc<SigningKey>,
    pub(crate) freshness: Freshness,
    registrar: Mutex<Option<CancellationToken>>,
    master_key: MasterKey,
    pub(crate) command_key: SigningKey,
    request_clients: Mutex<BTreeMap<LogId, RequestClient>>,
    numbers: AtomicU64,
    shutdown: CancellationToken,
    /// The tasks end before the folder goes.
    _stop: DropGuard,
    folder: TempDir,
}

pub(crate) fn id<T: std::str::FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// Waits for what must come.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("not within {PATIENCE:?}"))
}

/// Waits for something that has no channel of its own.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let tried = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, tried).await.is_ok(), "not within {PATIENCE:?}: {what}");
}

impl World {
    /// A fleet without instances.
    pub(crate) async fn empty() -> Self {
        Self::with_limits(|_| {}).await
    }

    /// A fleet without instances, whose API has other limits.
    pub(crate) async fn with_limits(change: impl FnOnce(&mut Limits)) -> Self {
        Self::with_config(|config| change(&mut config.limits)).await
    }

    /// A fleet without instances, whose API is configured otherwise.
    pub(crate) async fn with_config(change: impl FnOnce(&mut Config)) -> Self {
        let (clock, folder, shutdown) = (SetClock::at(NOW_MS), TempDir::new().unwrap(), CancellationToken::new());
        let now = clock.clone();
        let memory = MemoryConfig { now_ms: Arc::new(move || now.unix_ms()), ..MemoryConfig::seeded(1) };
        let (backbone, faults) = rollcall_log_memory::with_control(memory);
        let store = StoreConfig {
            folder: folder.path().join("views"),
            cache_bytes_max: 16 * 1024 * 1024,
            directory: true,
            keys: SealKeys::default(),
            retry_seed: 0,
        };
        let store = Store::open(&store).unwrap();
        let key = Arc::new(SigningKey::generate());
        let fleet = fleet::follow(Arc::clone(&backbone.log), SealKeys::default(), 0, shutdown.clone());
        let freshness = Freshness::start(backbone.heartbeats.clone(), vec![key.public()], 0, shutdown.clone());
        freshness.track_fleet(fleet.clone());
        let command_key_file = folder.path().join("api/command.key");
        let command_key = command_key::read_or_make(&command_key_file, &CountingEntropy::seeded(6_000_000)).unwrap();
        let registrar = start_registrar(&backbone, &store, &fleet, &clock, &key, 1_000_000, command_key.public(), &shutdown);
        let master_key_file = folder.path().join("api/master.key");
        let mut config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            plain_http: true,
            master_key_file: master_key_file.clone(),
            command_key_file,
            limits: Limits { requests_per_s_max: 10_000, ..Limits::default() },
            ..Config::default()
        };
        change(&mut config);
        let ((bound, address), (first_administrator, told)) = (oneshot::channel(), oneshot::channel());
        let parts = Parts {
            backbone: backbone.clone(),
            store: store.clone(),
            freshness: freshness.clone(),
            fleet: fleet.clone(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(CountingEntropy::seeded(2_000_000)),
            bound,
            first_administrator,
            fleet_file_credentials: None,
        };
        let stop = shutdown.clone();
        tokio::spawn(async move { run(config, parts, stop).await.unwrap() });
        let address = within(address).await.unwrap();
        let first_administrator = within(told).await.unwrap();
        let master_key = MasterKey::open_or_make(&master_key_file, &CountingEntropy::seeded(3_000_000)).unwrap();
        Self {
            backbone,
            faults,
            clock,
            address,
            first_administrator,
            fleet,
            store,
            registrar: Mutex::new(Some(registrar)),
            master_key,
            command_key,
            key,
            freshness,
            request_clients: Mutex::default(),
            numbers: AtomicU64::new(1),
            _stop: shutdown.clone().drop_guard(),
            shutdown,
            folder,
        }
    }

    /// Another API process of the same fleet. Where it listens, and what stops it.
    pub(crate) async fn second_api(&self) -> (SocketAddr, CancellationToken) {
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            plain_http: true,
            master_key_file: self.folder.path().join("api/master.key"),
            command_key_file: self.command_key_file(),
            limits: Limits { requests_per_s_max: 10_000, change_ms_max: 30_000, drain_ms_max: 30_000, ..Limits::default() },
            ..Config::default()
        };
        let ((bound, address), (first_administrator, _)) = (oneshot::channel(), oneshot::channel());
        let parts = Parts {
            backbone: self.backbone.clone(),
            store: self.store.clone(),
            freshness: self.freshness.clone(),
            fleet: self.fleet.clone(),
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(CountingEntropy::seeded(5_000_000_000)),
            bound,
            first_administrator,
            fleet_file_credentials: None,
        };
        let stop = self.shutdown.child_token();
        let stopped = stop.clone();
        tokio::spawn(async move { run(config, parts, stopped).await.unwrap() });
        (within(address).await.unwrap(), stop)
    }

    pub(crate) fn command_key_file(&self) -> PathBuf {
        self.folder.path().join("api/command.key")
    }

    /// A fleet with one instance `alpha`, in it the default space `space` with product `truck`.
    pub(crate) async fn with_alpha() -> Self {
        let world = Self::empty().await;
        world.create_instance("alpha").await;
        world.create_space("alpha", "space").await;
        world.create_product("alpha", "space", "truck").await;
        world
    }

    /// A registrar no longer rules, until [`Self::resume`].
    pub(crate) fn hold(&self) {
        if let Some(stop) = self.registrar.lock().unwrap().take() {
            stop.cancel();
        }
    }

    pub(crate) fn resume(&self) {
        let seed = 4_000_000 + 1_000_000 * self.number();
        let (key, command_key) = (&self.key, self.command_key.public());
        let stop =
            start_registrar(&self.backbone, &self.store, &self.fleet, &self.clock, key, seed, command_key, &self.shutdown);
        *self.registrar.lock().unwrap() = Some(stop);
    }

    /// A number that no other call gets.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::SeqCst)
    }

    fn request_client(&self, log: &LogId) -> RequestClient {
        let mut request_clients = self.request_clients.lock().unwrap();
        let new = || {
            RequestClient::start(
                log.clone(),
                Arc::clone(&self.backbone.requests),
                &TaskTracker::new(),
                self.shutdown.clone(),
            )
        };
        request_clients.entry(log.clone()).or_insert_with(new).clone()
    }

    async fn ask(&self, log: LogId, kind: RequestKind, request: AnyRequest) -> Position {
        let id = match &request {
            AnyRequest::Fleet { id, .. } => id.clone(),
            AnyRequest::Registry(request) => request.id.clone(),
        };
        let submitted_at = Timestamp::from_unix_ms(self.clock.unix_ms());
        let queued = encode_request(&QueuedRequest { submitted_at, traceparent: None, request: request.clone() });
        let make = || match kind {
            RequestKind::Connect => queued.clone(),
            RequestKind::Command => {
                let incarnation = incarnation(&self.fleet.borrow().fleet, &log);
                prove(&self.command_key, Bound { log: &log, incarnation, request: &id }, &queued, submitted_at)
            }
        };
        match self.request_client(&log).ask(kind, &id, make, PATIENCE).await.unwrap() {
            Ruling::Accepted { position } => position,
            Ruling::Rejected(rejected) => panic!("{request:?}: {rejected:?}"),
        }
    }

    /// Has the fleet changed as another process would; the API has seen it when this returns.
    pub(crate) async fn fleet_command(&self, command: FleetCommand) {
        let id = self.request_id();
        let request = AnyRequest::Fleet { id, actor: Actor::Operator("test".into()), command };
        let position = self.ask(LogId::Fleet, RequestKind::Command, request).await;
        let mut fleet = self.fleet.clone();
        within(fleet.wait_for(|snapshot| snapshot.position() >= position)).await.unwrap();
    }

    /// Has an instance changed as another process would; the API has seen it when this returns.
    pub(crate) async fn command(&self, instance: &str, command: Command) -> Position {
        let actor = Actor::Operator("test".into());
        let request = Request { id: self.request_id(), actor, body: RequestBody::Command(command) };
        let log = LogId::Instance(id(instance));
        let position = self.ask(log, RequestKind::Command, AnyRequest::Registry(request)).await;
        self.reached(instance, position).await;
        position
    }

    /// A certificate connects for the first time. `claimed`: the device that the client says it is.
    pub(crate) async fn connect(&self, instance: &str, der: &[u8], claimed: Option<&str>) -> Position {
        let actor = Actor::Certificate(Sha256::digest(der).into());
        let claimed: Option<DeviceId> = claimed.map(id);
        let body = RequestBody::CertificateConnect { chain: vec![der.into()], claimed };
        let request = AnyRequest::Registry(Request { id: self.request_id(), actor, body });
        let position = self.ask(LogId::Instance(id(instance)), RequestKind::Connect, request).await;
        self.reached(instance, position).await;
        position
    }

    fn request_id(&self) -> RequestId {
        id(&format!("test-{}", self.number()))
    }

    /// The API's own view of an instance.
    pub(crate) fn view(&self, instance: &str) -> DirectoryView {
        let fleet = Arc::clone(&self.fleet.borrow());
        let found = &fleet.fleet.instances[&id(instance)];
        self.store.directory(&found.id, found.incarnation, Arc::clone(&self.backbone.log), self.shutdown.clone()).unwrap()
    }

    async fn reached(&self, instance: &str, position: Position) {
        let view = self.view(instance);
        within(view.admission().reached(position)).await.unwrap();
    }

    /// Adds an instance and waits until the API serves it.
    pub(crate) async fn create_instance(&self, name: &str) {
        let instance = InstanceDraft {
            id: id(name),
            access_domain: format!("{name}.iot.example").into(),
            edition: Edition::Standard,
            region: "cn-north-4".into(),
            devices_max: None,
        };
        self.fleet_command(FleetCommand::CreateInstance(instance)).await;
        let viewer = self.client(Role::Viewer, Scope::default()).await.of_instance(name);
        eventually("the API serves the instance", || async { viewer.get("/apps").await.status == 200 }).await;
    }

    pub(crate) async fn create_space(&self, instance: &str, space: &str) {
        let default_policy = Some(id(&format!("default-{space}")));
        self.command(instance, Command::CreateSpace { space: id(space), name: space.into(), default_policy }).await;
    }

    pub(crate) async fn create_product(&self, instance: &str, space: &str, product: &str) {
        let details = ProductDetails {
            name: product.into(),
            device_type: "Truck".into(),
            protocol_type: "MQTT".into(),
            data_format: "json".into(),
            service_capabilities: "[]".into(),
            ..ProductDetails::default()
        };
        self.command(instance, Command::CreateProduct { space: id(space), product: id(product), details }).await;
    }

    /// A template that makes `<product>_<CN>` of a certificate.
    pub(crate) async fn create_template(&self, instance: &str, template: &str, product: &str) {
        let cn = "iotda::certificate::common_name".to_owned();
        let body = TemplateDraft {
            parameters: vec![(cn.clone(), "String".into())],
            node_id: Some(DraftValue::Ref(cn)),
            product_id: Some(DraftValue::Static(product.into())),
            ..TemplateDraft::default()
        };
        let (template, name): (TemplateId, _) = (id(template), template.into());
        self.command(instance, Command::CreateTemplate { template, name, description: "".into(), body }).await;
    }

    /// Uploads and verifies a CA, binds `template`, switches self-registration on.
    pub(crate) async fn trust(&self, instance: &str, authority: &Authority, ca: &str, space: &str, template: &str) {
        let ca: CaId = id(ca);
        let der = authority.der.clone().into();
        self.command(instance, Command::UploadCa { ca: ca.clone(), space: id(space), der }).await;
        let configuration = self.view(instance).admission().configuration();
        let code = match &configuration.cas[&ca].status {
            CaStatus::AwaitingProof { code, .. } => code.to_string(),
            CaStatus::Verified { .. } => panic!("verified without proof"),
        };
        let proof = authority.device(&code).into();
        self.command(instance, Command::VerifyCa { ca: ca.clone(), proof }).await;
        let template = TemplateChange::Bind(id(template));
        self.command(instance, Command::ConfigureCa { ca, template, self_registration: Some(true) }).await;
    }

    /// Instance `alpha` with `space`, `truck` and a CA `ca` whose template `template` makes `truck_<CN>` of certificates.
    pub(crate) async fn with_ca() -> (Self, Authority) {
        let (world, authority) = (Self::with_alpha().await, Authority::root("Device CA"));
        world.create_template("alpha", "template", "truck").await;
        world.trust("alpha", &authority, "ca", "space", "template").await;
        (world, authority)
    }

    /// A new operator with an access key.
    pub(crate) async fn client(&self, role: Role, scope: Scope) -> Client {
        let number = self.number();
        let name: OperatorName = id(&format!("{}-{number}", role.name()));
        let project: ProjectId = id(PROJECT);
        let new = NewOperator { name: name.clone(), role, scope, project, password_hash: None };
        self.fleet_command(FleetCommand::CreateOperator(new)).await;
        let key: AccessKeyId = id(&format!("TESTKEY{number:013}"));
        let command = FleetCommand::CreateAccessKey { key: key.clone(), operator: name, description: "".into() };
        self.fleet_command(command).await;
        Client {
            address: self.address,
            source: Ipv4Addr::LOCALHOST,
            clock: self.clock.clone(),
            project: PROJECT.into(),
            secret: self.master_key.access_secret(key.as_str()).expose_secret().to_owned(),
            access_key: key.as_str().to_owned(),
            instance: None,
        }
    }

    pub(crate) async fn admin(&self) -> Client {
        self.client(Role::Admin, Scope::default()).await
    }

    pub(crate) async fn operator(&self) -> Client {
        self.client(Role::Operator, Scope::default()).await
    }

    pub(crate) async fn viewer(&self) -> Client {
        self.client(Role::Viewer, Scope::default()).await
    }

    /// An operator who may only use these resource spaces.
    pub(crate) async fn operator_of(&self, spaces: &[&str]) -> Client {
        let spaces: BTreeSet<_> = spaces.iter().map(|space| id(space)).collect();
        self.client(Role::Operator, Scope { instances: None, spaces: Some(spaces) }).await
    }

    /// Whoever has no credentials.
    pub(crate) fn nobody(&self) -> Client {
        Client {
            address: self.address,
            source: Ipv4Addr::LOCALHOST,
            clock: self.clock.clone(),
            project: PROJECT.into(),
            access_key: String::new(),
            secret: String::new(),
            instance: None,
        }
    }
}

fn start_registrar(
    backbone: &Backbone,
    store: &Store,
    fleet: &watch::Receiver<Arc<FleetSnapshot>>,
    clock: &SetClock,
    key: &Arc<SigningKey>,
    seed: u64,
    command_key: PublicKey,
    shutdown: &CancellationToken,
) -> CancellationToken {
    let stop = shutdown.child_token();
    let parts = rollcall_registrar::Parts {
        backbone: backbone.clone(),
        store: store.clone(),
        fleet: fleet.clone(),
        key: Arc::clone(key),
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(CountingEntropy::seeded(seed)),
    };
    let config = rollcall_registrar::Config { command_keys: vec![command_key], ..rollcall_registrar::Config::default() };
    tokio::spawn(rollcall_registrar::run(config, parts, stop.clone()));
    stop
}
