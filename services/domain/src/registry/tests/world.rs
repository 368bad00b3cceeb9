//! A registry with its instance, its clock and real certificates, for tests to ask things of.

use std::sync::{Arc, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::{
    authenticate::{Identification, Verdict, authenticate, lost_right},
    certificate::{
        CertificateFacts, SubjectAttribute,
        authority::examine,
        path::{ChainCertificate, Proven},
    },
    fleet::{AvailabilityRules, Edition, Instance},
    ids::{CaId, DeviceId, Fingerprint, Incarnation, NodeId, PolicyId, ProductId, SpaceId},
    refusal::Refusal,
    registry::{
        Actor, CaStatus, CheckedDecision, Command, Context, Decision, Devices, Event, ProductDetails, Registry, Request,
        RequestBody,
        command::{Distrust, TemplateChange},
        decide,
        event::{CaCertificate, DeclaredCredential, DeviceProfile},
    },
    rejection::Rejection,
    template::{DraftValue, TemplateDraft},
    time::Timestamp,
};

/// 2026-06-01T00:00:00Z: "now", unless a test says otherwise.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_s(1_780_272_000);

/// An id of whatever kind is wanted.
pub(crate) fn id<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a test's own id")
}

/// A CA: a key, a name, a certificate.
#[derive(Clone)]
pub(crate) struct Authority {
    params: CertificateParams,
    key: Arc<KeyPair>,
    pub(crate) der: Box<[u8]>,
    /// What its devices present beside their own certificates.
    above: Vec<Box<[u8]>>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self::certified(params(&[(DnType::CommonName, name)], (2025, 1)), Arc::new(KeyPair::generate().unwrap()), 2040)
    }

    /// A certificate of another CA, signed by this one.
    pub(crate) fn signs(&self, other: &Self) -> Box<[u8]> {
        let issuer = Issuer::from_params(&self.params, &*self.key);
        other.params.signed_by(&*other.key, &issuer).unwrap().der().to_vec().into()
    }

    /// Which CA it is.
    pub(crate) fn name_and_key_sha256(&self) -> [u8; 32] {
        examine(&self.der, NOW).unwrap().name_and_key_sha256
    }

    /// The certificate that this one is a renewal of: same name and key, good for less long.
    pub(crate) fn before_renewal(&self) -> Self {
        Self::certified(self.params.clone(), Arc::clone(&self.key), 2035)
    }

    fn certified(mut params: CertificateParams, key: Arc<KeyPair>, until: i32) -> Self {
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let der = params.self_signed(&*key).unwrap().der().to_vec().into();
        Self { params, key, der, above: Vec::new() }
    }

    /// A CA whose certificate this one has signed.
    pub(crate) fn below(&self, name: &str) -> Self {
        let below = Self::new(name);
        let der = self.signs(&below);
        Self { above: vec![der.clone()], der, ..below }
    }

    /// A certificate for `subject`, valid from the first of a month until 2030.
    pub(crate) fn issue(&self, subject: &[(DnType, &str)], from: (i32, u8)) -> Leaf {
        let issuer = Issuer::from_params(&self.params, &*self.key);
        let der: Box<[u8]> = params(subject, from).signed_by(leaf_key(), &issuer).unwrap().der().to_vec().into();
        let facts = CertificateFacts::from_der(&der).unwrap();
        Leaf { der, facts, above: self.above.clone() }
    }

    /// The certificate of the device whose CN is `name`, from 2026.
    pub(crate) fn device(&self, name: &str) -> Leaf {
        self.issue(&[(DnType::CommonName, name)], (2026, 1))
    }
}

fn params(subject: &[(DnType, &str)], (year, month): (i32, u8)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind.clone(), *value);
    }
    params.not_before = rcgen::date_time_ymd(year, month, 1);
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    params
}

/// All leaves share a key: what tells them apart is what they say.
fn leaf_key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate().unwrap())
}

/// A device certificate.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) der: Box<[u8]>,
    pub(crate) facts: CertificateFacts,
    /// What is presented with it.
    pub(crate) above: Vec<Box<[u8]>>,
}

impl Leaf {
    pub(crate) fn chain(&self) -> Vec<Box<[u8]>> {
        [self.der.clone()].into_iter().chain(self.above.iter().cloned()).collect()
    }

    pub(crate) fn sha256(&self) -> Fingerprint {
        Fingerprint::Sha256(self.facts.sha256)
    }

    pub(crate) fn sha1(&self) -> Fingerprint {
        Fingerprint::Sha1(self.facts.sha1)
    }
}

/// Two CAs that never change, and one below the first, made once: keys are slow to make.
pub(crate) fn authorities() -> &'static [Authority; 3] {
    static AUTHORITIES: OnceLock<[Authority; 3]> = OnceLock::new();
    AUTHORITIES.get_or_init(|| {
        let acme = Authority::new("acme devices");
        let line = acme.below("acme line");
        [acme, Authority::new("globex devices"), line]
    })
}

/// CONNECT in the standard form, as text.
pub(crate) fn standard(device: &str) -> (String, Option<String>) {
    (format!("{device}_0_0_2026060100"), Some(device.to_owned()))
}

/// CONNECT with ids of the client's own choice.
pub(crate) fn any() -> (String, Option<String>) {
    ("whatever".into(), None)
}

/// A registry with its instance and its clock.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) instance: Instance,
    pub(crate) now: Timestamp,
    pub(crate) devices_max: u64,
    pub(crate) history: Vec<Event>,
    requests: u64,
}

impl World {
    /// An empty registry of an enterprise instance in cn-north-4.
    pub(crate) fn empty() -> Self {
        let instance = Instance {
            id: id("one"),
            access_domain: "one.iot.example".into(),
            edition: Edition::Enterprise,
            region: "cn-north-4".into(),
            incarnation: Incarnation::NIL,
            devices_max: None,
            self_registration_available: None,
        };
        let (registry, history) = (Registry::default(), Vec::new());
        Self { registry, instance, now: NOW, devices_max: 1000, history, requests: 0 }
    }

    /// Spaces `acme` and `globex`, each with products `meter` and `lamp` (globex: `pump`), each with a verified CA of its own.
    pub(crate) fn furnished() -> Self {
        let mut world = Self::empty();
        for (space, products) in [("acme", ["meter", "lamp"]), ("globex", ["meter", "pump"])] {
            world.grant(Command::CreateSpace {
                space: id(space),
                name: space.into(),
                default_policy: Some(id(&format!("{space}-default"))),
            });
            for product in products {
                let product = id(product);
                world.grant(Command::CreateProduct { space: id(space), product, details: details() });
            }
        }
        let [acme, globex, _] = authorities();
        world.verified_ca("acme-ca", "acme", acme);
        world.verified_ca("globex-ca", "globex", globex);
        world
    }

    /// Asks, and lets happen what is granted.
    pub(crate) fn ask(&mut self, actor: Actor, body: RequestBody) -> CheckedDecision {
        self.requests += 1;
        let request = Request { id: id(&format!("request-{}", self.requests)), actor, body };
        let decision = self.decide(&request);
        if let Ok(Decision::Record(event)) = &decision.outcome {
            self.registry.evolve(event, self.now);
            self.history.push(event.clone());
        }
        decision
    }

    /// Asks, and lets nothing happen.
    pub(crate) fn decide(&self, request: &Request) -> CheckedDecision {
        self.decide_on(&self.registry, request)
    }

    /// The same of other devices than the registry's.
    pub(crate) fn decide_on(&self, devices: &dyn Devices, request: &Request) -> CheckedDecision {
        let trust = self.registry.configuration.trust_store();
        let code = format!("code-{:032}", self.requests);
        let context = Context {
            now: self.now,
            instance: &self.instance,
            availability: &AvailabilityRules::default(),
            trust: &trust,
            verification_code: &code,
            devices_max_default: self.devices_max,
        };
        decide(&self.registry.configuration, devices, request, &context)
    }

    pub(crate) fn command(&mut self, command: Command) -> Result<Decision, Rejection> {
        self.ask(Actor::Operator("olga".into()), RequestBody::Command(command)).outcome
    }

    /// A command that must be granted.
    pub(crate) fn grant(&mut self, command: Command) {
        let outcome = self.command(command.clone());
        assert!(outcome.is_ok(), "{command:?} was refused: {outcome:?}");
    }

    /// What a command would come to, in a word: `granted`, `already so`, or the rejection's code.
    pub(crate) fn word(&mut self, command: Command) -> String {
        word(&self.command(command))
    }

    pub(crate) fn connect(&mut self, leaf: &Leaf) -> CheckedDecision {
        self.connect_as(leaf, None)
    }

    pub(crate) fn connect_as(&mut self, leaf: &Leaf, claimed: Option<DeviceId>) -> CheckedDecision {
        let body = RequestBody::CertificateConnect { chain: leaf.chain(), claimed };
        self.ask(Actor::Certificate(leaf.facts.sha256), body)
    }

    pub(crate) fn authenticate(&self, leaf: &Leaf, ca: &str, connect: &(String, Option<String>)) -> Verdict {
        self.authenticate_by(leaf, &self.path(ca), connect)
    }

    pub(crate) fn authenticate_by(&self, leaf: &Leaf, path: &Proven, connect: &(String, Option<String>)) -> Verdict {
        let identification = Identification { client_id: &connect.0, user_name: connect.1.as_deref() };
        let (configuration, availability) = (&self.registry.configuration, AvailabilityRules::default());
        authenticate(
            configuration,
            &self.registry,
            &self.instance,
            &availability,
            &leaf.facts,
            path,
            &identification,
            self.now,
        )
    }

    pub(crate) fn lost_right(
        &self,
        leaf: &Leaf,
        ca: &str,
        connect: &(String, Option<String>),
        device: &str,
    ) -> Option<Refusal> {
        self.lost_right_by(leaf, &self.path(ca), connect, device)
    }

    pub(crate) fn lost_right_by(
        &self,
        leaf: &Leaf,
        path: &Proven,
        connect: &(String, Option<String>),
        device: &str,
    ) -> Option<Refusal> {
        let identification = Identification { client_id: &connect.0, user_name: connect.1.as_deref() };
        let configuration = &self.registry.configuration;
        lost_right(configuration, &self.registry, &leaf.facts, path, &identification, &id(device), self.now)
    }

    /// The path of a device certificate that the CA certificate which had this id last has signed, whatever became of it.
    pub(crate) fn path(&self, ca: &str) -> Proven {
        let uploaded = self.history.iter().rev().find_map(|event| match event {
            Event::CaUploaded { ca: uploaded, certificate, .. } if uploaded.as_str() == ca => Some(certificate),
            _ => None,
        });
        let CaCertificate { sha256, name_and_key_sha256, not_before, not_after, .. } = uploaded.unwrap();
        let certificate =
            ChainCertificate { name_and_key_sha256: *name_and_key_sha256, not_before: *not_before, not_after: *not_after };
        Proven { ca: id(ca), ca_sha256: *sha256, v1: false, chain: vec![certificate] }
    }

    /// Deletes a CA certificate and nothing else.
    pub(crate) fn delete_ca(&mut self, ca: &str) {
        self.grant(Command::DeleteCa { ca: id(ca), distrust: Distrust::No });
    }

    pub(crate) fn verified_ca(&mut self, ca: &str, space: &str, authority: &Authority) {
        self.grant(Command::UploadCa { ca: id(ca), space: id(space), der: authority.der.clone() });
        let proof = authority.device(&self.code(ca)).der;
        self.grant(Command::VerifyCa { ca: id(ca), proof });
    }

    /// The code that a CA certificate awaits.
    pub(crate) fn code(&self, ca: &str) -> String {
        match &self.registry.configuration.cas[&id::<CaId>(ca)].status {
            CaStatus::AwaitingProof { code, .. } => code.to_string(),
            CaStatus::Verified { .. } => panic!("{ca} is verified"),
        }
    }

    /// Creates a template and puts it in force for a CA certificate.
    pub(crate) fn put_in_force(&mut self, template: &str, draft: TemplateDraft, ca: &str) {
        self.grant(Command::CreateTemplate {
            template: id(template),
            name: template.into(),
            description: "".into(),
            body: draft,
        });
        self.configure(ca, TemplateChange::Bind(id(template)), Some(true));
    }

    pub(crate) fn configure(&mut self, ca: &str, template: TemplateChange, self_registration: Option<bool>) {
        self.grant(Command::ConfigureCa { ca: id(ca), template, self_registration });
    }

    pub(crate) fn pre_register(&mut self, device: &str, space: &str, product: &str, credential: DeclaredCredential) {
        self.grant(Command::PreRegisterDevice {
            profile: profile(device, space, product),
            credential,
            description: None,
            extension_info: None,
        });
    }
}

pub(crate) fn profile(device: &str, space: &str, product: &str) -> DeviceProfile {
    DeviceProfile {
        device: id(device),
        node_id: id::<NodeId>("node"),
        space: id::<SpaceId>(space),
        product: id::<ProductId>(product),
        name: None,
        tags: Vec::new(),
        policies: Vec::<PolicyId>::new(),
    }
}

/// Certificates with these fingerprints.
pub(crate) fn pinned(primary: Option<Fingerprint>, secondary: Option<Fingerprint>) -> DeclaredCredential {
    DeclaredCredential::Certificates { primary, secondary }
}

pub(crate) fn details() -> ProductDetails {
    ProductDetails {
        name: "thing".into(),
        device_type: "Thing".into(),
        protocol_type: "MQTT".into(),
        data_format: "json".into(),
        ..ProductDetails::default()
    }
}

/// CN is the node id, the product is `product`; so CN `dev1` becomes device `<product>_dev1`.
pub(crate) fn cn_template(product: &str) -> TemplateDraft {
    let cn = SubjectAttribute::CommonName.parameter();
    TemplateDraft {
        parameters: vec![(cn.into(), "String".into())],
        node_id: Some(DraftValue::Ref(cn.into())),
        product_id: Some(DraftValue::Static(product.into())),
        ..TemplateDraft::default()
    }
}

/// The same, and a newer certificate takes the place of the old one.
pub(crate) fn replacing(draft: TemplateDraft) -> TemplateDraft {
    TemplateDraft { on_certificate_change: Some("replace".into()), ..draft }
}

pub(crate) fn word(outcome: &Result<Decision, Rejection>) -> String {
    match outcome {
        Ok(Decision::Record(_)) => "granted".into(),
        Ok(Decision::AlreadySo) => "already so".into(),
        Err(rejection) => rejection.code().into(),
    }
}
