//! CAs and certificates of devices, made once for the process: making keys is slow, and which certificates there are is no
//! part of a history.

use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rollcall_domain::certificate::CertificateFacts;
use time::OffsetDateTime;

/// Where a simulated clock begins: 2026-01-01.
pub(crate) const START_UNIX_S: i64 = 1_767_225_600;
const DAY_S: i64 = 24 * 3600;
/// Devices' names in the certificates of each CA; each but the last has a newer certificate as well.
const NAMES: usize = 4;

/// All there are. The devices of the first CA are made by its template; the second has none.
pub(crate) static CAS: LazyLock<[Ca; 2]> = LazyLock::new(|| [Ca::new("First CA"), Ca::new("Second CA")]);

pub(crate) struct Ca {
    pub(crate) der: Box<[u8]>,
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
}

impl Ca {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = params(name, -1, 3650);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let der = params.self_signed(&key).expect("it signs itself").der().to_vec().into();
        let issuer = Issuer::new(params, key);
        let mut ca = Self { der, leaves: Vec::new(), issuer, device_key: KeyPair::generate().expect("a key can be made") };
        // Every other name's first certificate runs out within the time that a history may take.
        let first = (0..NAMES).map(|n| (n, -2, if n % 2 == 0 { 365 } else { 60 }));
        let newer = (0..NAMES - 1).map(|n| (n, -1, 365));
        ca.leaves = first.chain(newer).map(|(n, from, until)| ca.leaf(&format!("{n}"), from, until)).collect();
        ca
    }

    /// What proves that an operator has the key of this CA.
    pub(crate) fn proof(&self, code: &str) -> Box<[u8]> {
        self.leaf(code, -1, 365).der
    }

    fn leaf(&self, cn: &str, from_days: i64, until_days: i64) -> Leaf {
        let params = params(cn, from_days, until_days);
        let certificate = params.signed_by(&self.device_key, &self.issuer).expect("the CA signs");
        let facts = CertificateFacts::from_der(certificate.der()).expect("a certificate of this pool is readable");
        Leaf { cn: cn.to_owned(), der: certificate.der().to_vec().into(), facts: Arc::new(facts) }
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
