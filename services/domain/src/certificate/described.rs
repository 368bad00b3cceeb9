//! What one certificate says, in words for a person who has it as a file.
//!
//! Rules read [`facts`](super::facts) and [`path`](super::path); none reads this. Invariant: a certificate that is refused for its
//! serial number is described all the same, since that is when people look at it.

use super::{
    extensions::{self, Extensions},
    facts::{CertificateFacts, FactsError, SubjectAttribute},
    keys,
    name::{self, AttributeFault},
    tbs::TbsCertificate,
};
use crate::text;

/// Characters of a whole Name that are shown.
const NAME_CHARS_MAX: usize = 1024;

/// Attribute types that are shown by a short name (RFC 4514 §3 and RFC 4519 §2), beside those that templates may use.
const SHORT_NAMES: [(&[u8], &str); 8] = [
    (&[0x55, 0x04, 4], "SN"),
    (&[0x55, 0x04, 7], "L"),
    (&[0x55, 0x04, 9], "STREET"),
    (&[0x55, 0x04, 12], "title"),
    (&[0x55, 0x04, 42], "GN"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01], "UID"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19], "DC"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01], "emailAddress"),
];

/// One certificate in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Every attribute of the Subject in its order, as `CN=Device CA, O=ACME`; escaped and bounded. An attribute without a usable
    /// text has `?` for one.
    pub subject: String,
    /// The same of the issuer.
    pub issuer: String,
    /// The content of the INTEGER, hexadecimal.
    pub serial_number: String,
    /// Kind and size of the key, such as `RSA, 2048 bits`; of a key that is not accepted, what it is instead.
    pub public_key: String,
    /// Whether a key of that kind and size is accepted.
    pub public_key_accepted: bool,
    /// Such as `ECDSA with SHA-256`.
    pub signature_algorithm: String,
    /// Whether the algorithm is accepted; whether the signature is genuine is not asked.
    pub signature_algorithm_accepted: bool,
    /// Whether basicConstraints say CA:TRUE; not whether an upload would be accepted.
    pub is_ca: bool,
    /// Validity, fingerprints, and the attributes that templates may use.
    pub facts: CertificateFacts,
}

impl Description {
    /// Describes one certificate (DER).
    ///
    /// # Errors
    /// [`FactsError`] if the bytes are not exactly one certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, FactsError> {
        let (certificate, serial_number) = TbsCertificate::read_with_serial_number(der)?;
        let facts = CertificateFacts::of_refused(der)?;
        let key = keys::check(certificate.public_key);
        let constraints = Extensions::read(certificate.extensions).ok().and_then(|read| read.basic_constraints);
        Ok(Self {
            subject: shown(certificate.subject),
            issuer: shown(certificate.issuer),
            serial_number: serial_number.iter().map(|byte| format!("{byte:02x}")).collect(),
            public_key_accepted: key.is_ok(),
            public_key: key.map_or_else(|found| found, |()| keys::key_name(certificate.public_key)),
            signature_algorithm: keys::algorithm_name(certificate.signature_algorithm),
            signature_algorithm_accepted: keys::is_accepted_signature(certificate.signature_algorithm),
            is_ca: constraints.is_some_and(|constraints| constraints.ca),
            facts,
        })
    }

    /// The attributes that templates may use and that are there, each with its text or why that cannot be used.
    pub fn attributes(&self) -> impl Iterator<Item = (SubjectAttribute, Result<&str, AttributeFault>)> {
        let found = SubjectAttribute::ALL.map(|attribute| (attribute, self.facts.attribute(attribute)));
        found.into_iter().filter(|(_, value)| *value != Err(AttributeFault::Absent))
    }
}

/// A Name (its content) for people. What follows an attribute that cannot be read is left out.
fn shown(name: &[u8]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let read = name::walk(name, |attribute| {
        let known = SubjectAttribute::from_oid(attribute.oid).map(|known| known.to_string());
        let short = || SHORT_NAMES.iter().find(|(oid, _)| *oid == attribute.oid).map(|(_, short)| (*short).to_owned());
        let kind = known.or_else(short).unwrap_or_else(|| extensions::dotted(attribute.oid));
        let value = attribute.text().map_or_else(|_| "?".to_owned(), String::from);
        parts.push(format!("{kind}={value}"));
    });
    if read.is_err() {
        parts.push("?".to_owned());
    }
    text::shown(&parts.join(", "), NAME_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

    use super::*;

    #[test]
    fn a_certificate_is_told_in_words() {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Device CA");
        params.distinguished_name.push(DnType::LocalityName, "Ulm");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0x0a, 0xff]));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let described = Description::from_der(certificate.der()).unwrap();
        assert_eq!((described.subject.as_str(), described.issuer.as_str()), ("CN=Device CA, L=Ulm", "CN=Device CA, L=Ulm"));
        assert_eq!((described.serial_number.as_str(), described.is_ca), ("0aff", true));
        assert_eq!((described.public_key.as_str(), described.public_key_accepted), ("ECDSA, P-256", true));
        assert_eq!(
            (described.signature_algorithm.as_str(), described.signature_algorithm_accepted),
            ("ECDSA with SHA-256", true)
        );
        let attributes: Vec<_> = described.attributes().collect();
        assert_eq!(attributes, [(SubjectAttribute::CommonName, Ok("Device CA"))]);
        assert!(Description::from_der(b"not DER").is_err());
    }

    #[test]
    fn what_has_no_text_is_not_passed_over() {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "left\u{202e}right");
        params.distinguished_name.push(DnType::CustomDnType(vec![1, 2, 3]), "x");
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let described = Description::from_der(certificate.der()).unwrap();
        assert_eq!(described.subject, "CN=?, 1.2.3=x");
        let attributes: Vec<_> = described.attributes().collect();
        assert_eq!(attributes, [(SubjectAttribute::CommonName, Err(AttributeFault::ControlCharacter))]);
    }
}
