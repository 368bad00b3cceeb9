//! One fleet of two instances, their registrars, and one connector or several.

use std::{
    fmt::Debug,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rollcall_chassis::{
    clock::{Clock, SetClock},
    entropy::CountingEntropy,
};
use rollcall_connector::{Config, ConnectorStatus, Limits, Parts, run};
use rollcall_domain::{
    fleet::{Edition, Fleet, Instance},
    ids::{CaId, Incarnation, InstanceId, PolicyId, ProductId, SpaceId, TemplateId},
    registry::{CaStatus, Command, ProductDetails, command::TemplateChange},
    template::{DraftValue, TemplateDraft},
};
use rollcall_log::Backbone;
use rollcall_log::seal::SealKeys;
use rollcall_log_memory::{Control, Faults, MemoryConfig};
use rollcall_projection::{
    admission::{Store, StoreConfig},
    fleet::FleetSnapshot,
    freshness::Freshness,
};
use rustls::{
    ClientConfig,
    version::{TLS12, TLS13},
};
use tempfile::TempDir;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    client::{self, Client, PATIENCE, Refused, within},
    pki::{Authority, Identity},
    registrar::Registrar,
};

/// 2026-06-01T00:00:00Z.
pub(crate) const NOW_MS: i64 = 1_780_272_000_000;
pub(crate) const ALPHA: &str = "alpha.iot.example";
pub(crate) const BETA: &str = "beta.iot.example";

pub(crate) struct World {
    pub(crate) backbone: Backbone,
    pub(crate) faults: Control,
    pub(crate) clock: SetClock,
    pub(crate) server_ca: Authority,
    pub(crate) alpha: Arc<Registrar>,
    pub(crate) beta: Arc<Registrar>,
    pub(crate) fleet: watch::Sender<Arc<FleetSnapshot>>,
    folder: TempDir,
    /// Each connector has its own ids.
    seeds: AtomicU64,
}

pub(crate) struct Connector {
    pub(crate) address: SocketAddr,
    pub(crate) status: watch::Receiver<ConnectorStatus>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ended: JoinHandle<()>,
}

pub(crate) fn id<T: std::str::FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn instance(name: &str, domain: &str) -> Instance {
    Instance {
        id: id(name),
        access_domain: domain.into(),
        edition: Edition::Standard,
        region: "cn-north-4".into(),
        incarnation: Incarnation::NIL,
        devices_max: None,
        self_registration_available: None,
    }
}

impl World {
    /// Two empty instances.
    pub(crate) async fn new() -> Self {
        let clock = SetClock::at(NOW_MS);
        let now = clock.clone();
        let (backbone, faults) = rollcall_log_memory::with_control(MemoryConfig {
            now_ms: Arc::new(move || now.unix_ms()),
            ..MemoryConfig::seeded(1)
        });
        let (alpha, beta) = (instance("alpha", ALPHA), instance("beta", BETA));
        let instances = [&alpha, &beta].map(|instance| (instance.id.clone(), instance.clone()));
        let fleet = Fleet { instances: instances.into(), ..Fleet::default() };
        let fleet = FleetSnapshot { fleet, caught_up: true, ..FleetSnapshot::default() };
        let (folder, server_ca) = (TempDir::new().unwrap(), Authority::root("Server CA"));
        let world = Self {
            alpha: Registrar::start(backbone.clone(), alpha, clock.clone()).await,
            beta: Registrar::start(backbone.clone(), beta, clock.clone()).await,
            fleet: watch::Sender::new(Arc::new(fleet)),
            backbone,
            faults,
            clock,
            server_ca,
            folder,
            seeds: AtomicU64::new(1_000_000),
        };
        world.write_server_certificate("alpha", &world.server_ca.server(ALPHA));
        world.write_server_certificate("beta", &world.server_ca.server(BETA));
        world
    }

    /// Two instances; in alpha a space `space` with product `truck`, and a CA whose template makes devices of CNs.
    pub(crate) async fn with_ca() -> (Self, Authority) {
        let (world, ca) = (Self::new().await, Authority::root("Device CA"));
        set_up(&world.alpha, "space").await;
        trust(&world.alpha, &ca, "ca", "space").await;
        (world, ca)
    }

    pub(crate) fn tls_folder(&self) -> PathBuf {
        let folder = self.folder.path().join("tls");
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    pub(crate) fn write_server_certificate(&self, instance: &str, identity: &Identity) {
        let folder = self.tls_folder();
        let chain: String = identity.chain.iter().map(|der| pem("CERTIFICATE", der)).collect();
        fs::write(folder.join(format!("{instance}.crt")), chain).unwrap();
        let key = folder.join(format!("{instance}.key"));
        rollcall_chassis::secret_file::replace(&key, &pem("PRIVATE KEY", &identity.key)).unwrap();
    }

    pub(crate) async fn connector(&self) -> Connector {
        self.connector_with(|_| {}).await
    }

    /// A connector that is ready for what the registrars have decided so far.
    pub(crate) async fn connector_with(&self, change: impl FnOnce(&mut Limits)) -> Connector {
        let number = fs::read_dir(self.folder.path()).unwrap().count();
        let connector = self.start(self.backbone.clone(), &format!("views-{number}"), change).await;
        self.settled(&connector).await;
        connector
    }

    /// A connector that has begun, with its views in a folder of this name.
    pub(crate) async fn start(&self, backbone: Backbone, views: &str, change: impl FnOnce(&mut Limits)) -> Connector {
        self.start_on(backbone, self.store(views).await, change).await
    }

    /// A connector that has begun, with its views in this store.
    pub(crate) async fn start_on(&self, backbone: Backbone, store: Store, change: impl FnOnce(&mut Limits)) -> Connector {
        self.configured(backbone, store, Freshness::unknown(), |config| change(&mut config.limits)).await
    }

    /// A connector that has begun, configured by the test, and knows so much of registrars.
    pub(crate) async fn configured(
        &self,
        backbone: Backbone,
        store: Store,
        freshness: Freshness,
        change: impl FnOnce(&mut Config),
    ) -> Connector {
        let limits = Limits { connections_max: 2000, linger_ms_max: 300, drain_ms_max: 5000, ..Limits::default() };
        let mut config =
            Config { listen: ([127, 0, 0, 1], 0).into(), tls_folder: self.tls_folder(), limits, ..Config::default() };
        change(&mut config);
        let ((bound, address), (status, seen), shutdown) =
            (oneshot::channel(), watch::channel(ConnectorStatus::default()), CancellationToken::new());
        let parts = Parts {
            backbone,
            store,
            freshness,
            fleet: self.fleet.subscribe(),
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(CountingEntropy::seeded(self.seeds.fetch_add(1_000_000, Ordering::SeqCst))),
            bound,
            status,
        };
        let stop = shutdown.clone();
        let ended = tokio::spawn(async move { run(config, parts, stop).await.unwrap() });
        Connector { address: within(address).await.unwrap(), status: seen, shutdown, ended }
    }

    pub(crate) async fn store(&self, views: &str) -> Store {
        open_store(&self.folder.path().join(views)).await
    }

    /// Waits until a connector stands where the registrars stand.
    pub(crate) async fn settled(&self, connector: &Connector) {
        let standing = |registrar: &Registrar| {
            let cas = registrar.read(|registry| registry.configuration.cas.values().filter(|ca| ca.is_verified()).count());
            (registrar.position(), cas)
        };
        let wanted = [standing(&self.alpha), standing(&self.beta)];
        connector
            .until(move |status| {
                status.ready()
                    && status.instances.len() == wanted.len()
                    && status.instances.iter().zip(&wanted).all(|(instance, (position, cas))| {
                        instance.view.position >= *position && instance.trusted_cas == *cas && instance.routing
                    })
            })
            .await;
    }

    /// Nothing can be written any more.
    pub(crate) async fn lose_backbone(&self) {
        tokio::join!(self.alpha.hold(), self.beta.hold());
        self.faults.set_faults(Faults { unavailable: 1000, ..Faults::default() });
    }

    /// What is written is written, and said to have failed.
    pub(crate) async fn lose_acknowledgements(&self) {
        tokio::join!(self.alpha.hold(), self.beta.hold());
        self.faults.set_faults(Faults { lost_ack: 1000, ..Faults::default() });
    }

    /// All is well again.
    pub(crate) fn find_backbone(&self) {
        self.faults.clear();
        self.alpha.resume();
        self.beta.resume();
    }

    pub(crate) fn config(&self, identity: &Identity) -> Arc<ClientConfig> {
        Arc::new(client::config(&self.server_ca.der, Some(identity), &[&TLS12, &TLS13]))
    }

    /// Connects to alpha up to CONNACK.
    pub(crate) async fn connect(&self, connector: &Connector, identity: &Identity) -> Result<Client, Refused> {
        let config = self.config(identity);
        let mut client = Client::handshake(connector.address, ALPHA, config).await.unwrap();
        client.connect("any client").await.unwrap().map(|_| client)
    }

    /// Connects to alpha; how TLS refused it.
    pub(crate) async fn refused_by_tls(&self, connector: &Connector, name: &str, config: Arc<ClientConfig>) -> String {
        match attempt(connector, name, config).await {
            Err(error) => error.to_string(),
            Ok(answer) => panic!("expected an alert, got {answer:?}"),
        }
    }
}

/// A handshake and CONNECT, whichever of them fails: in TLS 1.3 the client is done before the server has judged.
pub(crate) async fn attempt(
    connector: &Connector,
    name: &str,
    config: Arc<ClientConfig>,
) -> io::Result<Result<(), Refused>> {
    let mut client = Client::handshake(connector.address, name, config).await?;
    Ok(client.connect("any client").await?.map(drop))
}

impl Connector {
    /// Waits for a state, and shows the last one if it does not come.
    pub(crate) async fn until(&self, wanted: impl Fn(&ConnectorStatus) -> bool) {
        let mut status = self.status.clone();
        let came = tokio::time::timeout(PATIENCE, status.wait_for(wanted)).await.is_ok();
        assert!(came, "not within {PATIENCE:?}; last seen: {:#?}", self.status.borrow());
    }

    pub(crate) fn sessions(&self) -> usize {
        self.status.borrow().instances.iter().map(|instance| instance.sessions).sum()
    }
}

/// A connector before may still be letting go of it.
async fn open_store(folder: &Path) -> Store {
    let config = StoreConfig {
        folder: folder.into(),
        cache_bytes_max: 16 * 1024 * 1024,
        directory: false,
        keys: SealKeys::default(),
        retry_seed: 0,
    };
    within(async {
        loop {
            match Store::open(&config) {
                Ok(store) => return store,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await
}

/// A resource space with a product `truck` and a template that makes `truck_<CN>` of a certificate.
pub(crate) async fn set_up(registrar: &Registrar, space: &str) {
    let space: SpaceId = id(space);
    let default_policy: Option<PolicyId> = Some(id(&format!("default-{space}")));
    registrar.command(Command::CreateSpace { space: space.clone(), name: "Space".into(), default_policy }).await;
    create_product(registrar, &space, "truck").await;
    create_template(registrar, "template", "truck").await;
}

pub(crate) async fn create_product(registrar: &Registrar, space: &SpaceId, product: &str) {
    let details = ProductDetails {
        name: product.into(),
        device_type: "Truck".into(),
        protocol_type: "MQTT".into(),
        data_format: "json".into(),
        service_capabilities: "[]".into(),
        ..ProductDetails::default()
    };
    let product: ProductId = id(product);
    registrar.command(Command::CreateProduct { space: space.clone(), product, details }).await;
}

/// Makes `<product>_<CN>` of a certificate.
pub(crate) fn template_body(product: &str) -> TemplateDraft {
    let cn = "iotda::certificate::common_name".to_owned();
    TemplateDraft {
        parameters: vec![(cn.clone(), "String".into())],
        node_id: Some(DraftValue::Ref(cn)),
        product_id: Some(DraftValue::Static(product.into())),
        ..TemplateDraft::default()
    }
}

pub(crate) async fn create_template(registrar: &Registrar, template: &str, product: &str) {
    let body = template_body(product);
    let (template, name): (TemplateId, _) = (id(template), template.into());
    registrar.command(Command::CreateTemplate { template, name, description: "".into(), body }).await;
}

/// Uploads and verifies a CA, binds `template`, switches self-registration on.
pub(crate) async fn trust(registrar: &Registrar, authority: &Authority, ca: &str, space: &str) {
    let ca: CaId = id(ca);
    registrar.command(Command::UploadCa { ca: ca.clone(), space: id(space), der: authority.der.as_ref().into() }).await;
    let code = registrar.read(|registry| match &registry.configuration.cas[&ca].status {
        CaStatus::AwaitingProof { code, .. } => code.to_string(),
        CaStatus::Verified { .. } => panic!("verified without proof"),
    });
    let proof = authority.device(&code).chain[0].as_ref().into();
    registrar.command(Command::VerifyCa { ca: ca.clone(), proof }).await;
    let template = TemplateChange::Bind(id("template"));
    registrar.command(Command::ConfigureCa { ca, template, self_registration: Some(true) }).await;
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let encoded = STANDARD.encode(der);
    let lines: Vec<&str> = encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Waits for something that has no channel of its own.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let tried = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, tried).await.is_ok(), "not within {PATIENCE:?}: {what}");
}

pub(crate) fn instance_id(name: &str) -> InstanceId {
    id(name)
}
