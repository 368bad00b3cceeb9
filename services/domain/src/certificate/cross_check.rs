//! A second opinion on certificates that are about to be written down: x509-parser must read the same as we do.
//!
//! Our own reader is the strict one, because x509-parser stops a Name silently at the first attribute that it cannot read,
//! takes overlong lengths, and leaves trailing bytes to its caller. But two readers that disagree about one certificate are
//! how an identity is forged, so a registration or an upload needs both: whatever one of them reads otherwise is refused.
//! Only at those two places: it costs a parse, and a known device is recognised by the hash of its whole DER.

use x509_parser::{certificate::X509Certificate, prelude::FromDer as _, x509::X509Version as ParsedVersion};

use super::{
    facts::{CertificateFacts, FactsError, SubjectAttribute},
    name::AttributeFault,
    tbs::X509Version,
};
use crate::time::Timestamp;

impl CertificateFacts {
    /// As [`CertificateFacts::from_der`], for a certificate that is about to be written down: x509-parser must read the
    /// same.
    ///
    /// # Errors
    /// [`FactsError`] if either cannot read it, or they disagree.
    pub(crate) fn confirmed_from_der(der: &[u8]) -> Result<Self, FactsError> {
        let facts = Self::from_der(der)?;
        confirm(der, &facts).map_err(|reason| FactsError::Malformed { reason })?;
        Ok(facts)
    }
}

/// Whether x509-parser reads `der` as `facts` say.
///
/// # Errors
/// What it reads otherwise, for people.
pub(crate) fn confirm(der: &[u8], facts: &CertificateFacts) -> Result<(), String> {
    let (rest, parsed) =
        X509Certificate::from_der(der).map_err(|_| "a second reader (x509-parser) cannot read it".to_owned())?;
    let disagrees = |what: &str| Err(format!("two readers disagree about its {what}"));
    if !rest.is_empty() {
        return disagrees("end");
    }
    let version = match facts.version {
        X509Version::V1 => ParsedVersion::V1,
        X509Version::V3 => ParsedVersion::V3,
    };
    if parsed.version() != version {
        return disagrees("version");
    }
    let validity = parsed.validity();
    let dates = [validity.not_before, validity.not_after].map(|date| Timestamp::from_unix_s(date.timestamp()));
    if dates != [facts.not_before, facts.not_after] {
        return disagrees("validity");
    }
    match SubjectAttribute::ALL.into_iter().find(|attribute| !agree(&parsed, facts, *attribute)) {
        Some(attribute) => disagrees(&attribute.to_string()),
        None => Ok(()),
    }
}

/// Whether both readers find the attribute as often, and with the same text where x509-parser knows its text.
fn agree(parsed: &X509Certificate<'_>, facts: &CertificateFacts, attribute: SubjectAttribute) -> bool {
    let mut found = (parsed.subject().iter_attributes())
        .filter(|found| SubjectAttribute::from_oid(found.attr_type().as_bytes()) == Some(attribute));
    let (first, second) = (found.next(), found.next());
    match (facts.attribute(attribute), first, second) {
        (Err(AttributeFault::Absent), None, None) | (Err(AttributeFault::Repeated), Some(_), Some(_)) => true,
        // A text that is not used identifies no device, whatever it says.
        (Err(AttributeFault::Empty | AttributeFault::ControlCharacter | AttributeFault::Undecodable), Some(_), None) => true,
        // It cannot make text of BMPString, TeletexString and UniversalString; then being there once has to do.
        (Ok(ours), Some(theirs), None) => theirs.as_str().map_or(true, |theirs| theirs == ours),
        _ => false,
    }
}
