//! The facts of one certificate: fingerprints, validity, issuer and the Subject attributes that templates may use.
//!
//! Invariant: an attribute is used only if it is there exactly once, decodes by its ASN.1 tag, is not empty and holds no
//! control, bidirectional or zero-width character; anything else is a fault that names the attribute.

use std::fmt;

use crate::time::Timestamp;

/// The seven Subject attributes that a template may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectAttribute {
    /// C, 2.5.4.6.
    Country,
    /// O, 2.5.4.10.
    Organization,
    /// OU, 2.5.4.11.
    OrganizationalUnit,
    /// dnQualifier, 2.5.4.46.
    DistinguishedNameQualifier,
    /// ST, 2.5.4.8.
    StateName,
    /// CN, 2.5.4.3.
    CommonName,
    /// serialNumber, 2.5.4.5: the attribute of the Subject, not the certificate's serial number.
    SerialNumber,
}

impl SubjectAttribute {
    /// All seven, in the order of the v5 API page.
    pub const ALL: [Self; 7] = [
        Self::Country,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::DistinguishedNameQualifier,
        Self::StateName,
        Self::CommonName,
        Self::SerialNumber,
    ];

    /// The parameter name of the v5 API: `iotda::certificate::…`.
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Country => "iotda::certificate::country",
            Self::Organization => "iotda::certificate::organization",
            Self::OrganizationalUnit => "iotda::certificate::organizational_unit",
            Self::DistinguishedNameQualifier => "iotda::certificate::distinguished_name_qualifier",
            Self::StateName => "iotda::certificate::state_name",
            Self::CommonName => "iotda::certificate::common_name",
            Self::SerialNumber => "iotda::certificate::serial_number",
        }
    }

    /// The attribute that a parameter name means.
    pub fn from_parameter(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.parameter() == name)
    }
}

impl fmt::Display for SubjectAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Country => "C",
            Self::Organization => "O",
            Self::OrganizationalUnit => "OU",
            Self::DistinguishedNameQualifier => "dnQualifier",
            Self::StateName => "ST",
            Self::CommonName => "CN",
            Self::SerialNumber => "serialNumber",
        })
    }
}

/// Why an attribute cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttributeFault {
    /// Not in the Subject.
    Absent,
    /// More than once in the Subject: which one is meant is anybody's guess.
    Repeated,
    /// There, with nothing in it.
    Empty,
    /// Holds a control, bidirectional-formatting or zero-width character.
    ControlCharacter,
    /// Its bytes are not what its ASN.1 tag says, or the tag is not a text.
    Undecodable,
}

/// The X.509 version of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum X509Version {
    /// No extensions; still made by `openssl x509 -req` without an extension file.
    V1,
    /// Everything else that is accepted.
    V3,
}

/// What one certificate says, read once from its DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// SHA-256 over the whole DER.
    pub sha256: [u8; 32],
    /// SHA-1 over the whole DER; for operators' pre-registrations only.
    pub sha1: [u8; 20],
    /// Version 1 or 3.
    pub version: X509Version,
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last instant of validity.
    pub not_after: Timestamp,
    /// The seven attributes as found: one entry for each occurrence, in the Subject's order.
    pub(crate) subject: Vec<(SubjectAttribute, Result<Box<str>, AttributeFault>)>,
}

/// Why bytes are not a certificate that Rollcall reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// Longer than [`crate::limits::CERTIFICATE_BYTES_MAX`].
    #[error("the certificate has {bytes} bytes: at most {max} are accepted")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Not DER, or not a Certificate of RFC 5280.
    #[error("not a DER certificate: {reason}")]
    Malformed {
        /// What the parser said.
        reason: String,
    },
    /// Bytes after the end of the certificate.
    #[error("{bytes} bytes follow the certificate: remove them")]
    TrailingBytes {
        /// How many.
        bytes: usize,
    },
}

impl CertificateFacts {
    /// Reads one DER certificate.
    ///
    /// # Errors
    /// [`FactsError`] if the bytes are not exactly one certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, FactsError> {
        let _ = der;
        todo!()
    }

    /// The one usable value of an attribute.
    ///
    /// # Errors
    /// [`AttributeFault`] says why there is none.
    pub fn attribute(&self, attribute: SubjectAttribute) -> Result<&str, AttributeFault> {
        let _ = attribute;
        todo!()
    }

    /// The Subject CN for people and logs: escaped, bounded to 64 characters, empty if there is none.
    pub fn display_name(&self) -> String {
        todo!()
    }
}
