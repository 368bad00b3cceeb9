//! CAs and certificates of devices, made once for the process: making keys is slow, and which certificates there are is no
//! part of a history.

use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rollcall_domain::{
    certificate::{
        CertificateFacts,
        path::{Proven, TrustStore},
    },
    ids::CaId,
    refusal::Refusal,
    registry::Configuration,
    time::Timestamp,
};
use time::OffsetDateTime;

/// Where a simulated clock begins: 2026-01-01.
pub(crate) const START_UNIX_S: i64 = 1_767_225_600;
const DAY_S: i64 = 24 * 3600;
/// Devices' names in the certificates of each CA; each but the last has a newer certificate as well.
const NAMES: usize = 4;

/// All there are. The devices of the first CA are made by its template; the second has none, and the third is below the first:
/// its devices are the first's while it is not trusted itself.
pub(crate) static CAS: LazyLock<[Ca; 3]> = LazyLock::new(|| {
    let first = Ca::new(0, "First CA", None);
    let below = Ca::new(2, "Line CA", Some(&first));
    [first, Ca::new(1, "Second CA", None), below]
});

pub(crate) struct Ca {
    number: usize,
    pub(crate) der: Box<[u8]>,
    /// What devices present beside their own certificates.
    above: Vec<Box<[u8]>>,
    pub(crate) leaves: Vec<Leaf>,
    issuer: Issuer<'static, KeyPair>,
    /// One key for all devices: nobody proves here that it has one.
    device_key: KeyPair,
}

/// A certificate of a device.
pub(crate) struct Leaf {
    pub(crate) cn: String,
    pub(crate) der: Box<[u8]>,
    pub(crate) facts: Arc<CertificateFacts>,
    /// What is presented with it.
    pub(crate) above: Vec<Box<[u8]>>,
    /// Every way to a CA certificate of the pool, were it trusted; the nearest first.
    pub(crate) paths: Vec<Proven>,
}

impl Leaf {
    /// The path that a connector finds, by what is trusted; or why there is none.
    pub(crate) fn path(&self, configuration: &Configuration) -> Result<&Proven, Refusal> {
        let holds = |path: &&Proven| {
            let distrusted = path.chain.iter().any(|above| configuration.is_distrusted(&above.name_and_key_sha256));
            configuration.ca_of(path).is_some() && !distrusted
        };
        let nearest = self.paths.first().filter(|_| !self.above.is_empty()).and_then(|path| path.chain.first());
        let presented = nearest.is_some_and(|above| configuration.is_distrusted(&above.name_and_key_sha256));
        let none = if presented { Refusal::CaDistrusted } else { Refusal::CaNotTrusted };
        self.paths.iter().find(holds).ok_or(none)
    }
}

impl Ca {
    fn new(number: usize, name: &str, issuer: Option<&Self>) -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = params(name, -1, 3650);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = match issuer {
            None => params.self_signed(&key).expect("it signs itself"),
            Some(issuer) => params.signed_by(&key, &issuer.issuer).expect("the CA above signs"),
        };
        let der: Box<[u8]> = certificate.der().to_vec().into();
        let above = issuer.map(|_| der.clone()).into_iter().collect();
        let device_key = KeyPair::generate().expect("a key can be made");
        let mut ca = Self { number, der, above, leaves: Vec::new(), issuer: Issuer::new(params, key), device_key };
        // Every other name's first certificate runs out within the time that a history may take.
        let first = (0..NAMES).map(|n| (n, -2, if n % 2 == 0 { 365 } else { 60 }));
        let newer = (0..NAMES - 1).map(|n| (n, -1, 365));
        let roots: Vec<&Self> = issuer.into_iter().collect();
        let leaf = |(n, from, until): (usize, i64, i64)| ca.leaf(&format!("{n}"), from, until, &roots);
        ca.leaves = first.chain(newer).map(leaf).collect();
        ca
    }

    /// What proves that an operator has the key of this CA.
    pub(crate) fn proof(&self, code: &str) -> Box<[u8]> {
        self.leaf(code, -1, 365, &[]).der
    }

    /// A certificate of a device; `roots` are those that may be trusted in place of this one.
    fn leaf(&self, cn: &str, from_days: i64, until_days: i64, roots: &[&Self]) -> Leaf {
        let params = params(cn, from_days, until_days);
        let certificate = params.signed_by(&self.device_key, &self.issuer).expect("the CA signs");
        let facts = CertificateFacts::from_der(certificate.der()).expect("a certificate of this pool is readable");
        let der: Box<[u8]> = certificate.der().to_vec().into();
        let chain: Vec<&[u8]> = [&der].into_iter().chain(&self.above).map(|der| &**der).collect();
        let path = |root: &Self| {
            let alone = TrustStore::new([(ca(root.number), &*root.der)]);
            alone.prove(&chain, Timestamp::from_unix_s(START_UNIX_S)).expect("the pool's certificates are good at the start")
        };
        let paths = [self].into_iter().chain(roots.iter().copied()).map(path).collect();
        Leaf { cn: cn.to_owned(), facts: Arc::new(facts), above: self.above.clone(), paths, der }
    }
}

/// A server certificate and its key, PEM, of a name that no client of a simulation looks at.
pub(crate) static SERVER: LazyLock<[String; 2]> = LazyLock::new(|| {
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = params("server", -1, 3650).self_signed(&key).expect("it signs itself");
    [certificate.pem(), key.serialize_pem()]
});

fn params(cn: &str, from_days: i64, until_days: i64) -> CertificateParams {
    let at = |days: i64| OffsetDateTime::from_unix_timestamp(START_UNIX_S + days * DAY_S).expect("a year of this century");
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, cn);
    (params.not_before, params.not_after) = (at(from_days), at(until_days));
    params
}

pub(crate) fn ca(number: usize) -> CaId {
    CaId::parse(&format!("ca-{number}")).expect("an id")
}
