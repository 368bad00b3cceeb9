//! One CA and its device certificates.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use time::OffsetDateTime;

/// All certificates of the tests are valid then: 2026-01-01.
pub(super) const NOW_UNIX_S: i64 = 1_767_225_600;

pub(super) struct Ca {
    pub(super) certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    /// One key serves all devices: making keys is slow and no device connects here.
    device_key: KeyPair,
}

impl Ca {
    pub(super) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key), device_key: KeyPair::generate().unwrap() }
    }

    /// A certificate with this CN, DER.
    pub(super) fn device(&self, cn: &str) -> Box<[u8]> {
        let certificate = params(cn).signed_by(&self.device_key, &self.issuer).unwrap();
        certificate.der().to_vec().into()
    }
}

fn params(cn: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, cn);
    params.not_before = OffsetDateTime::from_unix_timestamp(NOW_UNIX_S - 3600).unwrap();
    params.not_after = OffsetDateTime::from_unix_timestamp(NOW_UNIX_S + 365 * 24 * 3600).unwrap();
    params
}
