//! Device CAs and the certificates that they issue.

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

pub(crate) struct Authority {
    pub(crate) der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
    subject: DistinguishedName,
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::with(subject(name))
    }

    /// One with an organization.
    pub(crate) fn of_organization(name: &str, organization: &str) -> Self {
        let mut subject = subject(name);
        subject.push(DnType::OrganizationName, organization);
        Self::with(subject)
    }

    fn with(subject: DistinguishedName) -> Self {
        let (params, key) = (authority(subject.clone()), KeyPair::generate().unwrap());
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { der, issuer: Issuer::new(params, key), subject }
    }

    /// A CA whose certificate this one has signed.
    pub(crate) fn below(&self, name: &str) -> Self {
        let (params, key) = (authority(subject(name)), KeyPair::generate().unwrap());
        let der = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Self { der, issuer: Issuer::new(params, key), subject: subject(name) }
    }

    /// The same name and key with another certificate.
    pub(crate) fn renewed(&self) -> Self {
        let key = KeyPair::try_from(self.issuer.key().serialize_der()).unwrap();
        let mut params = authority(self.subject.clone());
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { der, issuer: Issuer::new(params, key), subject: self.subject.clone() }
    }

    /// DER of a certificate for a device, or for a proof of possession: signed directly.
    pub(crate) fn device(&self, cn: &str) -> Vec<u8> {
        self.issue(subject(cn))
    }

    /// DER of a certificate with a serial number and an OU in its Subject, where they are given.
    pub(crate) fn device_with(&self, cn: &str, serial_number: Option<&str>, unit: Option<&str>) -> Vec<u8> {
        let mut subject = subject(cn);
        if let Some(serial_number) = serial_number {
            subject.push(DnType::CustomDnType(vec![2, 5, 4, 5]), serial_number);
        }
        if let Some(unit) = unit {
            subject.push(DnType::OrganizationalUnitName, unit);
        }
        self.issue(subject)
    }

    fn issue(&self, subject: DistinguishedName) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject;
        params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().to_vec()
    }
}

fn authority(subject: DistinguishedName) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn subject(cn: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, cn);
    subject
}

/// As openssl writes it.
pub(crate) fn pem(der: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let encoded = STANDARD.encode(der);
    let lines: Vec<&str> = encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
