//! CA certificates: the checks at upload that path building will not make for us, and proof of possession.

use crate::time::Timestamp;

/// What a CA certificate says that the registry keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityFacts {
    /// SHA-256 over the DER.
    pub sha256: [u8; 32],
    /// SHA-256 over subject DN (DER) and SubjectPublicKeyInfo (DER): the same for a renewed certificate of one CA.
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
    #[error("the CA certificate has no critical basicConstraints with CA:TRUE")]
    NotAnAuthority,
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
        /// Which GeneralName.
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
    #[error("the verification certificate's CN is not the current verification code")]
    WrongCode,
    /// Outside its validity.
    #[error("the verification certificate is not within its validity now")]
    NotValidNow,
}

/// Makes every check of an upload.
///
/// # Errors
/// The first [`AuthorityFault`].
pub fn examine(der: &[u8], now: Timestamp) -> Result<AuthorityFacts, AuthorityFault> {
    let _ = (der, now);
    todo!()
}

/// Checks a proof of possession: `proof` (DER, v1 or v3) is signed directly by `ca` (DER), its CN is exactly `code`.
///
/// # Errors
/// The first [`ProofFault`].
pub fn prove_possession(ca: &[u8], proof: &[u8], code: &str, now: Timestamp) -> Result<(), ProofFault> {
    let _ = (ca, proof, code, now);
    todo!()
}
