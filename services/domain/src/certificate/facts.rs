//! The facts of one certificate: fingerprints, validity, issuer and the Subject attributes that templates may use.
//!
//! Invariant: an attribute is used only if it is there exactly once, decodes by its ASN.1 tag, is not empty and holds no
//! control, bidirectional or zero-width character; anything else is a fault that names the attribute.

use std::fmt;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{
    lapse::{Lapse, Link},
    name::{self, AttributeFault},
    tbs::{TbsCertificate, TbsFault, X509Version},
};
use crate::{limits, text, time::Timestamp};

#[cfg(test)]
mod tests;

/// Characters of a Subject CN that people and logs get to see.
const DISPLAY_CHARS_MAX: usize = 64;

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

    /// The attribute of an OBJECT IDENTIFIER (its content).
    pub(super) const fn from_oid(oid: &[u8]) -> Option<Self> {
        match oid {
            [0x55, 0x04, 3] => Some(Self::CommonName),
            [0x55, 0x04, 5] => Some(Self::SerialNumber),
            [0x55, 0x04, 6] => Some(Self::Country),
            [0x55, 0x04, 8] => Some(Self::StateName),
            [0x55, 0x04, 10] => Some(Self::Organization),
            [0x55, 0x04, 11] => Some(Self::OrganizationalUnit),
            [0x55, 0x04, 46] => Some(Self::DistinguishedNameQualifier),
            _ => None,
        }
    }

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

/// An attribute that is there, and its text if it has one that can be used.
pub(crate) type Found = (SubjectAttribute, Result<Box<str>, AttributeFault>);

/// SHA-1 over a certificate's DER: what an operator may have typed of it.
pub(crate) fn sha1_of(der: &[u8]) -> [u8; 20] {
    Sha1::digest(der).into()
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
    /// Those of the seven attributes that are there, one entry each, in the Subject's order: what is repeated holds
    /// [`AttributeFault::Repeated`] and no text, because every live session keeps this.
    pub(crate) subject: Vec<Found>,
}

/// Why bytes are not a certificate that Rollcall reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// Longer than [`crate::limits::CERTIFICATE_BYTES_MAX`].
    #[error("the certificate has {bytes} bytes: at most {max} are accepted")]
    TooLarge { bytes: usize, max: usize },
    /// Not DER, or not a Certificate of RFC 5280.
    #[error("no proper certificate: {reason}")]
    Malformed {
        /// What the parser said.
        reason: String,
    },
    /// Bytes after the end of the certificate.
    #[error("{bytes} bytes follow the certificate: remove them")]
    TrailingBytes { bytes: usize },
}

impl From<TbsFault> for FactsError {
    fn from(fault: TbsFault) -> Self {
        match fault {
            TbsFault::TooLarge { bytes } => Self::TooLarge { bytes, max: limits::CERTIFICATE_BYTES_MAX },
            TbsFault::TrailingBytes { bytes } => Self::TrailingBytes { bytes },
            TbsFault::Version => Self::Malformed { reason: "it is neither X.509 v1 nor v3".into() },
            TbsFault::Malformed(reason) => Self::Malformed { reason: reason.into() },
        }
    }
}

impl CertificateFacts {
    /// Reads one DER certificate.
    ///
    /// # Errors
    /// [`FactsError`] if the bytes are not exactly one certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, FactsError> {
        Self::of(der, &TbsCertificate::read(der)?)
    }

    fn of(der: &[u8], certificate: &TbsCertificate<'_>) -> Result<Self, FactsError> {
        Ok(Self {
            sha256: Sha256::digest(der).into(),
            sha1: sha1_of(der),
            version: certificate.version,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            subject: attributes(certificate.subject)?,
        })
    }

    /// As [`Self::from_der`], for people and never for a rule: also of a certificate that is refused for its serial number.
    ///
    /// # Errors
    /// [`FactsError`] if the bytes are not exactly one certificate.
    pub fn of_refused(der: &[u8]) -> Result<Self, FactsError> {
        Self::of(der, &TbsCertificate::read_to_blame(der)?)
    }

    /// The one usable value of an attribute.
    ///
    /// # Errors
    /// [`AttributeFault`] says why there is none.
    pub fn attribute(&self, attribute: SubjectAttribute) -> Result<&str, AttributeFault> {
        let mut found = self.subject.iter().filter(|(found, _)| *found == attribute);
        match (found.next(), found.next()) {
            (None, _) => Err(AttributeFault::Absent),
            (Some((_, value)), None) => value.as_deref().map_err(|fault| *fault),
            (Some(_), Some(_)) => Err(AttributeFault::Repeated),
        }
    }

    /// How it is outside its validity at `now`, if it is; as the first certificate of a chain.
    pub fn lapse_at(&self, now: Timestamp) -> Option<Lapse> {
        Lapse::of(Link::Presented(0), &self.subject_shown(), self.not_before, self.not_after, now)
    }

    /// The Subject for people: its CN, or where there is no usable one all attributes that are; escaped and bounded.
    pub fn subject_shown(&self) -> String {
        shown(&self.subject)
    }

    /// The Subject CN for people and logs: escaped, bounded to 64 characters, empty if there is no usable one.
    pub fn display_name(&self) -> String {
        self.attribute(SubjectAttribute::CommonName).map_or_else(|_| String::new(), |cn| text::shown(cn, DISPLAY_CHARS_MAX))
    }
}

/// A Subject (the content of its Name) for people: its CN, or where there is no usable one all attributes that are. Escaped,
/// bounded; empty if nothing can be shown.
pub(super) fn subject_shown(subject: &[u8]) -> String {
    attributes(subject).map_or_else(|_| String::new(), |attributes| shown(&attributes))
}

fn shown(attributes: &[Found]) -> String {
    let usable = || attributes.iter().filter_map(|(attribute, value)| Some((attribute, value.as_deref().ok()?)));
    let cn = usable().find(|(attribute, _)| **attribute == SubjectAttribute::CommonName);
    let shown = match cn {
        Some((_, cn)) => format!("CN={cn}"),
        None => usable().map(|(attribute, value)| format!("{attribute}={value}")).collect::<Vec<_>>().join(", "),
    };
    text::shown(&shown, DISPLAY_CHARS_MAX)
}

/// The attributes of a Subject (the content of its Name) that templates may use.
pub(super) fn attributes(subject: &[u8]) -> Result<Vec<Found>, FactsError> {
    let mut attributes: Vec<Found> = Vec::new();
    name::walk(subject, |found| {
        let Some(attribute) = SubjectAttribute::from_oid(found.oid) else { return };
        match attributes.iter_mut().find(|(known, _)| *known == attribute) {
            None => attributes.push((attribute, found.text())),
            Some((_, value)) => *value = Err(AttributeFault::Repeated),
        }
    })
    .map_err(|fault| FactsError::Malformed { reason: fault.0.into() })?;
    attributes.shrink_to_fit();
    Ok(attributes)
}
