//! Certificates: CAs, devices, servers; and the X.509 v1 certificates that rcgen does not make.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SigningKey, string::PrintableString,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;

/// A certificate with its key; `chain` is what is presented.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: Vec<u8>,
}

impl Identity {
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()))
    }
}

pub(crate) struct Authority {
    pub(crate) der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    name: String,
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        let (params, key) = (authority_params(name), KeyPair::generate().unwrap());
        let der = params.self_signed(&key).unwrap().der().clone();
        Self { der, issuer: Issuer::new(params, key), name: name.into() }
    }

    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let (params, key) = (authority_params(name), KeyPair::generate().unwrap());
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Self { der, issuer: Issuer::new(params, key), name: name.into() }
    }

    /// The same name and key with another certificate.
    pub(crate) fn renewed(&self) -> Self {
        let key = KeyPair::try_from(self.issuer.key().serialize_der()).unwrap();
        let mut params = authority_params(&self.name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        let der = params.self_signed(&key).unwrap().der().clone();
        Self { der, issuer: Issuer::new(params, key), name: self.name.clone() }
    }

    /// A certificate of another CA, signed by this one.
    pub(crate) fn signs(&self, other: &Self) -> CertificateDer<'static> {
        authority_params(&other.name).signed_by(other.issuer.key(), &self.issuer).unwrap().der().clone()
    }

    pub(crate) fn device(&self, cn: &str) -> Identity {
        self.issue(CertificateParams::default(), cn)
    }

    pub(crate) fn device_until(&self, cn: &str, not_after_unix_s: i64) -> Identity {
        let mut params = CertificateParams::default();
        params.not_after = OffsetDateTime::from_unix_timestamp(not_after_unix_s).unwrap();
        self.issue(params, cn)
    }

    pub(crate) fn device_since(&self, cn: &str, not_before_unix_s: i64) -> Identity {
        let mut params = CertificateParams::default();
        params.not_before = OffsetDateTime::from_unix_timestamp(not_before_unix_s).unwrap();
        self.issue(params, cn)
    }

    pub(crate) fn server(&self, domain: &str) -> Identity {
        self.issue(CertificateParams::new([domain.to_owned()]).unwrap(), domain)
    }

    pub(crate) fn rsa_server(&self, domain: &str) -> Identity {
        let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        self.issue_for(key, CertificateParams::new([domain.to_owned()]).unwrap(), domain)
    }

    fn issue(&self, params: CertificateParams, cn: &str) -> Identity {
        self.issue_for(KeyPair::generate().unwrap(), params, cn)
    }

    fn issue_for(&self, key: KeyPair, mut params: CertificateParams, cn: &str) -> Identity {
        params.distinguished_name = subject(cn);
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Identity { chain: vec![der], key: key.serialize_der() }
    }

    /// A device certificate with something changed.
    pub(crate) fn device_with(&self, cn: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::default();
        change(&mut params);
        self.issue(params, cn)
    }

    /// A device certificate of a key of this kind.
    pub(crate) fn device_of_key(&self, cn: &str, algorithm: &'static rcgen::SignatureAlgorithm) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(cn);
        let key = KeyPair::generate_for(algorithm).unwrap();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Identity { chain: vec![der], key: key.serialize_der() }
    }

    /// A CA certificate below this one with something changed.
    pub(crate) fn intermediate_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (mut params, key) = (authority_params(name), KeyPair::generate().unwrap());
        change(&mut params);
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Self { der, issuer: Issuer::new(params, key), name: name.into() }
    }

    /// The same key, with its name as a UTF8String in what it issues.
    pub(crate) fn named_in_utf8(&self) -> Self {
        let key = KeyPair::try_from(self.issuer.key().serialize_der()).unwrap();
        let mut params = authority_params(&self.name);
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, DnValue::Utf8String(self.name.clone()));
        params.distinguished_name = name;
        Self { der: self.der.clone(), issuer: Issuer::new(params, key), name: self.name.clone() }
    }

    /// As `openssl x509 -req` makes it without an extension file: version 1.
    pub(crate) fn device_v1(&self, cn: &str) -> Identity {
        self.device_v1_of_serial(cn, 1)
    }

    /// The same with a serial number of one byte; 0x80 and above are negative.
    pub(crate) fn device_v1_of_serial(&self, cn: &str, serial: u8) -> Identity {
        let key = KeyPair::generate().unwrap();
        // ecdsa-with-SHA256, 1.2.840.10045.4.3.2.
        let algorithm = tlv(0x30, &tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
        let validity = tlv(0x30, &[tlv(0x17, b"200101000000Z"), tlv(0x17, b"491231235959Z")].concat());
        let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
        let parts = [tlv(0x02, &[serial]), algorithm.clone(), name(&self.name), validity, name(cn), spki];
        let tbs = tlv(0x30, &parts.concat());
        let signature = self.issuer.key().sign(&tbs).unwrap();
        let signature = tlv(0x03, &[&[0], &*signature].concat());
        let der = CertificateDer::from(tlv(0x30, &[tbs, algorithm, signature].concat()));
        Identity { chain: vec![der], key: key.serialize_der() }
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn subject(cn: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, DnValue::PrintableString(PrintableString::try_from(cn).unwrap()));
    subject
}

/// A Name with one CN as PrintableString.
fn name(cn: &str) -> Vec<u8> {
    let attribute = [tlv(0x06, &[0x55, 0x04, 0x03]), tlv(0x13, cn.as_bytes())].concat();
    tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)))
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let header = match length {
        0..=0x7f => vec![tag, length as u8],
        0x80..=0xff => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [header, content.to_vec()].concat()
}
