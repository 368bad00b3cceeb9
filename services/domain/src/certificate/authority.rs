//! CA certificates: the checks at upload that path building will not make for us, and proof of possession.

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::{
    extensions::{self, BasicConstraints, Extensions, NameConstraintFault},
    facts::{self, CertificateFacts, FactsError, Found, SubjectAttribute},
    keys::{self, SignatureFault},
    name, path,
    tbs::{TbsCertificate, TbsFault, X509Version},
};
use crate::{text, time::Timestamp};

#[cfg(test)]
mod tests;

/// Characters of a CA certificate's name for people.
const CN_NAME_CHARS_MAX: usize = 64;

/// What a CA certificate says that the registry keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityFacts {
    /// SHA-256 over the DER.
    pub sha256: [u8; 32],
    /// SHA-256 over SubjectPublicKeyInfo (DER) and subject DN (DER): the same for a renewed certificate of one CA.
    pub name_and_key_sha256: [u8; 32],
    /// Subject CN, or the whole Subject shortened where there is none; for people, escaped and bounded.
    pub cn_name: String,
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last instant of validity.
    pub not_after: Timestamp,
}

/// Why a CA certificate is refused at upload. Each has its own rejection code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityFault {
    /// Not one DER certificate.
    #[error("the CA certificate cannot be read: {reason}")]
    Malformed {
        /// What the parser said.
        reason: String,
    },
    /// X.509 v1 or v2.
    #[error("the CA certificate is not X.509 v3")]
    NotVersion3,
    /// basicConstraints absent, not critical, or CA:FALSE.
    #[error("the CA certificate {found}; it must have `basicConstraints = critical, CA:TRUE`{way_out}")]
    NotAnAuthority {
        /// What stands there instead.
        found: &'static str,
        /// What to do; empty where there is nothing but to take the right certificate.
        way_out: &'static str,
    },
    /// keyUsage without keyCertSign.
    #[error("the CA certificate's keyUsage does not allow keyCertSign")]
    MayNotSign,
    /// Outside its validity.
    #[error("the CA certificate is not within its validity now")]
    NotValidNow,
    /// A critical extension that we do not process.
    #[error("the CA certificate has the critical extension {oid}, which is not processed")]
    UnknownCriticalExtension {
        /// Its OID, dotted.
        oid: String,
    },
    /// An empty Subject.
    #[error("the CA certificate's Subject is empty")]
    EmptySubject,
    /// RSA below 2048 bits, an unsupported curve or algorithm.
    #[error("the CA certificate's key is not accepted: {reason}")]
    WeakKey {
        /// What was found.
        reason: String,
    },
    /// SHA-1, MD5 or an unknown signature algorithm, or a self-signature that does not verify.
    #[error("the CA certificate's signature is not accepted: {reason}")]
    WeakSignature {
        /// What was found.
        reason: String,
    },
    /// Name constraints that path building cannot honour (directoryName, rfc822Name and others but DNS and IP).
    #[error("the CA certificate has name constraints of kind {kind}, which cannot be honoured")]
    NameConstraints {
        /// The form of GeneralName, such as `directoryName`.
        kind: String,
    },
}

/// Why a verification certificate proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// Not one DER certificate.
    #[error("the verification certificate cannot be read: {reason}")]
    Malformed {
        /// What the parser said.
        reason: String,
    },
    /// Not signed directly by the uploaded CA.
    #[error("the verification certificate is not signed by this CA certificate")]
    NotSignedByCa,
    /// Its CN is not the current verification code.
    #[error("the verification certificate's CN is not the current verification code: {found}")]
    WrongCode {
        /// What its CN is, escaped and bounded, or why there is none.
        found: String,
    },
    /// SHA-1, MD5 or an unknown signature algorithm: whether the CA signed it is not known.
    #[error(
        "the verification certificate is signed with {algorithm}: sign it anew with SHA-256 or better (`openssl x509 -sha256`)"
    )]
    WeakSignature {
        /// As people call it.
        algorithm: String,
    },
    /// Outside its validity.
    #[error("the verification certificate is not within its validity now")]
    NotValidNow,
}

/// Makes every check of an upload.
///
/// A certificate of an intermediate CA is welcome: an anchor need not be a root. Only one that is issued to its own name
/// can show that its signature is genuine, and then has to.
///
/// # Errors
/// The first [`AuthorityFault`].
pub fn examine(der: &[u8], now: Timestamp) -> Result<AuthorityFacts, AuthorityFault> {
    let certificate = TbsCertificate::read(der).map_err(|fault| match fault {
        TbsFault::Version => AuthorityFault::NotVersion3,
        fault => malformed(FactsError::from(fault)),
    })?;
    if certificate.version != X509Version::V3 {
        return Err(AuthorityFault::NotVersion3);
    }
    let attributes = facts::attributes(certificate.subject).map_err(malformed)?;
    // Where it ends is what a path is built by; readers that stop at what they cannot read would see another name.
    name::walk(certificate.issuer, |_| {}).map_err(|fault| malformed(format!("its issuer's name: {}", fault.0)))?;
    let extensions = Extensions::read(certificate.extensions).map_err(|fault| malformed(fault.0))?;
    may_issue(&extensions)?;
    if now < certificate.not_before || now > certificate.not_after {
        return Err(AuthorityFault::NotValidNow);
    }
    if let Some(oid) = extensions.unknown_critical {
        return Err(AuthorityFault::UnknownCriticalExtension { oid: extensions::dotted(oid) });
    }
    if certificate.subject.is_empty() {
        return Err(AuthorityFault::EmptySubject);
    }
    keys::check(certificate.public_key).map_err(|reason| AuthorityFault::WeakKey { reason })?;
    check_signature(&certificate)?;
    if let Some(constraints) = extensions.name_constraints {
        extensions::check_name_constraints(constraints).map_err(|fault| match fault {
            NameConstraintFault::Kind(kind) => AuthorityFault::NameConstraints { kind: kind.into() },
            NameConstraintFault::Malformed(reason) => malformed(reason),
        })?;
    }
    // Last, that path building can use it at all: nothing that passed above should fail here.
    webpki::anchor_from_trusted_cert(&CertificateDer::from(der)).map_err(|error| malformed(path::words(&error)))?;
    CertificateFacts::confirmed_from_der(der).map_err(malformed)?;
    Ok(AuthorityFacts {
        sha256: Sha256::digest(der).into(),
        name_and_key_sha256: certificate.name_and_key_sha256(),
        cn_name: cn_name(&attributes),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
    })
}

/// Checks a proof of possession: `proof` (DER, v1 or v3) is signed directly by `ca` (DER), its CN is exactly `code`.
///
/// # Errors
/// The first [`ProofFault`].
pub(crate) fn prove_possession(ca: &[u8], proof: &[u8], code: &str, now: Timestamp) -> Result<(), ProofFault> {
    let facts = signed_proof(ca, proof)?;
    match facts.attribute(SubjectAttribute::CommonName) {
        Ok(cn) if cn == code => {}
        Ok(cn) => {
            let found = format!("it is {}", text::shown(cn, CN_NAME_CHARS_MAX));
            return Err(ProofFault::WrongCode { found });
        }
        Err(fault) => return Err(ProofFault::WrongCode { found: fault.to_string() }),
    }
    if now < facts.not_before || now > facts.not_after {
        return Err(ProofFault::NotValidNow);
    }
    Ok(())
}

/// A proof (DER, v1 or v3) that is signed directly by `ca` (DER), whatever its code and its validity.
///
/// # Errors
/// [`ProofFault::Malformed`], [`ProofFault::NotSignedByCa`].
pub(crate) fn signed_proof(ca: &[u8], proof: &[u8]) -> Result<CertificateFacts, ProofFault> {
    let malformed = |fault: FactsError| ProofFault::Malformed { reason: fault.to_string() };
    let certificate = TbsCertificate::read(proof).map_err(|fault| malformed(fault.into()))?;
    let facts = CertificateFacts::from_der(proof).map_err(malformed)?;
    // The registry keeps only CA certificates that were read before; one that cannot be read now signs nothing.
    let ca = TbsCertificate::read(ca).map_err(|_| ProofFault::NotSignedByCa)?;
    if certificate.issuer != ca.subject {
        return Err(ProofFault::NotSignedByCa);
    }
    keys::verify(&certificate, ca.public_key).map_err(|fault| match fault {
        SignatureFault::NotGenuine => ProofFault::NotSignedByCa,
        SignatureFault::Algorithm => {
            ProofFault::WeakSignature { algorithm: keys::algorithm_name(certificate.signature_algorithm) }
        }
    })?;
    Ok(facts)
}

/// Whether `issuer` (DER) signed `certificate` (DER): the names and the signature, nothing of whether it might.
pub(crate) fn signed(issuer: &[u8], certificate: &[u8]) -> bool {
    let (Ok(issuer), Ok(certificate)) = (TbsCertificate::read(issuer), TbsCertificate::read(certificate)) else {
        return false;
    };
    certificate.issuer == issuer.subject && keys::verify(&certificate, issuer.public_key).is_ok()
}

fn malformed(reason: impl ToString) -> AuthorityFault {
    AuthorityFault::Malformed { reason: reason.to_string() }
}

fn may_issue(extensions: &Extensions<'_>) -> Result<(), AuthorityFault> {
    match extensions.basic_constraints {
        Some(BasicConstraints { critical: true, ca: true, .. }) => {}
        Some(BasicConstraints { ca: true, .. }) => {
            let way_out = ". As easy-rsa and keytool make it by default, it is not: sign it anew with the same name and key, \
                           so that what it has issued stays good (docs/operate/codes/ca_not_an_authority.md says how)";
            return Err(AuthorityFault::NotAnAuthority { found: "has basicConstraints that are not critical", way_out });
        }
        Some(_) => {
            let found = "has basicConstraints CA:FALSE, so it is a device's or a server's";
            return Err(AuthorityFault::NotAnAuthority { found, way_out: "" });
        }
        None => return Err(AuthorityFault::NotAnAuthority { found: "has no basicConstraints", way_out: "" }),
    }
    match extensions.key_usage {
        Some(usage) if !usage.key_cert_sign() => Err(AuthorityFault::MayNotSign),
        Some(_) | None => Ok(()),
    }
}

fn check_signature(certificate: &TbsCertificate<'_>) -> Result<(), AuthorityFault> {
    let weak = |reason: &str| AuthorityFault::WeakSignature { reason: reason.into() };
    if !keys::is_accepted_signature(certificate.signature_algorithm) {
        let found = keys::algorithm_name(certificate.signature_algorithm);
        return Err(weak(&format!("{found} is none of RSA, ECDSA (P-256, P-384) and Ed25519 with SHA-256 or better")));
    }
    if certificate.issuer == certificate.subject && keys::verify(certificate, certificate.public_key).is_err() {
        return Err(weak("it is issued to its own name, but not signed with its own key"));
    }
    Ok(())
}

/// The CN; where there is no usable one, all attributes that are.
fn cn_name(attributes: &[Found]) -> String {
    let usable = || attributes.iter().filter_map(|(attribute, value)| Some((attribute, value.as_deref().ok()?)));
    let cn = usable().find(|(attribute, _)| **attribute == SubjectAttribute::CommonName);
    let name = match cn {
        Some((_, cn)) => cn.to_owned(),
        None => usable().map(|(attribute, value)| format!("{attribute}={value}")).collect::<Vec<_>>().join(", "),
    };
    text::shown(&name, CN_NAME_CHARS_MAX)
}
