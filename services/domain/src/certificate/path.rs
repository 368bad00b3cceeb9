//! Proves a presented chain up to one verified CA certificate of one instance, and says which one and by which path.
//!
//! Invariant: what is proven and what is identified are the same certificate, the first of the chain; an anchor is a
//! name *and* a key, so another CA with the same DN is another CA. When several anchors would do, the nearest to the
//! device wins: the most specific owner. The order of the other certificates, and such as do not belong, do not matter.
//!
//! webpki builds and verifies the path. It takes an anchor for a name and a key, so dates and path length of a CA
//! certificate are checked here, as is every keyUsage, and X.509 v1 device certificates (`unversioned`).

use std::collections::HashSet;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use super::{
    facts::FactsError,
    keys,
    lapse::{Lapse, Link},
    tbs::{TbsCertificate, X509Version},
};
use crate::{ids::CaId, limits, time::Timestamp};

mod anchor;
mod blame;
mod fault;
mod lineage;
mod presented;
mod unversioned;

#[cfg(test)]
mod tests;

use anchor::Anchor;
use fault::Fault;
pub(super) use fault::words;
use lineage::Lineage;
use presented::Presented;

/// Version of the rules by which a chain holds. A record of a proof carries it: raise it with every change of this module
/// by which a chain that held may hold no longer, so that no recorded proof is taken for one by the newer rules.
pub const PROVER: u32 = 1;

/// The verified CA certificates of one instance, ready for path building. Build one per trust epoch.
#[derive(Debug)]
pub struct TrustStore {
    /// Each beside what webpki needs of it, in one order.
    anchors: Vec<Anchor>,
    trusted: Vec<TrustAnchor<'static>>,
    /// CAs that no path leads through, by name and key.
    distrusted: HashSet<[u8; 32]>,
}

/// A chain that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The CA certificate that it leads to, by the id that it had when the store was made.
    pub ca: CaId,
    /// That CA certificate itself: over its DER.
    pub ca_sha256: [u8; 32],
    /// Whether the device certificate is X.509 v1 (its handshake signature then wants the raw-key check).
    pub v1: bool,
    /// The path above the device certificate, nearest first: the intermediates that were used, then the CA certificate.
    pub chain: Vec<ChainCertificate>,
}

/// What is kept of a certificate above the device's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainCertificate {
    /// Which CA it is of: SHA-256 over public key and subject, as in [`super::authority::AuthorityFacts`].
    pub name_and_key_sha256: [u8; 32],
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last instant of validity.
    pub not_after: Timestamp,
}

impl ChainCertificate {
    fn of(certificate: &TbsCertificate<'_>) -> Self {
        let (not_before, not_after) = (certificate.not_before, certificate.not_after);
        Self { name_and_key_sha256: certificate.name_and_key_sha256(), not_before, not_after }
    }
}

/// Why a chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No certificate at all.
    #[error("no certificate was presented")]
    Empty,
    /// More than [`crate::limits::CHAIN_CERTIFICATES_MAX`].
    #[error("the chain has {certificates} certificates: at most {max} are accepted")]
    TooLong {
        /// How many were presented.
        certificates: usize,
        max: usize,
    },
    /// More bytes of certificates than are taken from somebody who has proven nothing.
    #[error("the certificates of the chain have {bytes} bytes together: at most {max} are accepted")]
    TooManyBytes { bytes: usize, max: usize },
    /// One of them cannot be read or is too large.
    #[error("certificate {index} of the chain (0 is the device's own) cannot be used: {reason}")]
    Malformed {
        /// Its place in the chain.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// No path but through a CA that is distrusted.
    #[error("the chain leads through a CA that this instance distrusts")]
    Distrusted,
    /// No path to a verified CA certificate of this instance.
    #[error("the chain does not lead to a verified CA certificate of this instance")]
    UnknownIssuer,
    /// The issuer's name reads like the subject of a verified CA certificate and is written with other bytes, which are what
    /// path building compares.
    #[error(
        "the issuer of {link} matches CA certificate {ca} by text, not by encoding: have the CA issue it with its own \
             name as its certificate has it (`openssl asn1parse` shows both)"
    )]
    IssuerEncoding {
        /// The certificate that names its issuer otherwise.
        link: Link,
        ca: CaId,
    },
    /// Some certificate of the path is past its notAfter.
    #[error("{0}")]
    Expired(Box<Lapse>),
    /// Some certificate of the path is before its notBefore.
    #[error("{0}")]
    NotYetValid(Box<Lapse>),
    /// A signature of the path does not verify.
    #[error("a signature in the chain is not genuine")]
    BadSignature,
    /// A certificate that is not a CA issued another, or a path length or name constraint is broken.
    #[error("a certificate of the chain may not issue what it issued: {reason}")]
    NotPermitted {
        /// Which rule of RFC 5280.
        reason: String,
    },
    /// Key too short, curve or algorithm not accepted.
    #[error("a key or algorithm in the chain is not accepted: {reason}")]
    WeakKey {
        /// What was found.
        reason: String,
    },
    /// An extended key usage that leaves out client authentication, or a CA certificate used as a device's.
    #[error("the device certificate is not for client authentication: {reason}")]
    WrongPurpose {
        /// What was found.
        reason: String,
    },
}

impl From<Lapse> for PathError {
    fn from(lapse: Lapse) -> Self {
        if lapse.is_expiry() { Self::Expired(lapse.into()) } else { Self::NotYetValid(lapse.into()) }
    }
}

impl PathError {
    /// `snake_case`, one for each variant; for counters.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong { .. } => "too_long",
            Self::TooManyBytes { .. } => "too_many_bytes",
            Self::Malformed { .. } => "malformed",
            Self::Distrusted => "distrusted",
            Self::UnknownIssuer => "unknown_issuer",
            Self::IssuerEncoding { .. } => "issuer_encoding",
            Self::Expired(_) => "expired",
            Self::NotYetValid(_) => "not_yet_valid",
            Self::BadSignature => "bad_signature",
            Self::NotPermitted { .. } => "not_permitted",
            Self::WeakKey { .. } => "weak_key",
            Self::WrongPurpose { .. } => "wrong_purpose",
        }
    }
}

/// A chain that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven {
    pub error: PathError,
    /// The verified CA certificate that it is from nevertheless: its signatures are genuine up to there, and each certificate in
    /// between is of a CA that may issue and is not distrusted. That lets nobody in; it tells a device of a known CA, which
    /// people will ask about, from a stranger and from who has the key of a device.
    pub from: Option<UnprovenFrom>,
}

/// A verified CA certificate that a chain which does not hold is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnprovenFrom {
    /// By the id that it had when the store was made.
    pub ca: CaId,
    /// Over its DER.
    pub ca_sha256: [u8; 32],
}

impl TrustStore {
    /// From the verified CA certificates (DER) of one instance. A certificate that cannot be an anchor is left out: it
    /// was checked at upload, so this only ever happens to a damaged one.
    pub fn new<'a>(anchors: impl IntoIterator<Item = (CaId, &'a [u8])>) -> Self {
        Self::without(anchors, HashSet::new())
    }

    /// The same, without any path through one of the distrusted CAs (by name and key), as anchor or in between.
    pub fn without<'a>(anchors: impl IntoIterator<Item = (CaId, &'a [u8])>, distrusted: HashSet<[u8; 32]>) -> Self {
        let mut read: Vec<_> = anchors.into_iter().filter_map(|(ca, der)| Anchor::read(ca, der)).collect();
        read.retain(|(anchor, _)| !distrusted.contains(&anchor.certificate.name_and_key_sha256));
        // Of two certificates of one CA (same name and key) the one that is good for longer comes first.
        read.sort_by_key(|(anchor, _)| std::cmp::Reverse(anchor.certificate.not_after));
        let (anchors, trusted) = read.into_iter().unzip();
        Self { anchors, trusted, distrusted }
    }

    /// Whether no chain can hold.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Proves `chain` (DER, the device's own certificate first) at `now`.
    ///
    /// # Errors
    /// [`PathError`]: the chain does not hold.
    pub fn prove(&self, chain: &[&[u8]], now: Timestamp) -> Result<Proven, PathError> {
        self.judge(chain, now).map_err(|unproven| unproven.error)
    }

    /// As [`Self::prove`], and says of a chain that does not hold whom it is from.
    ///
    /// # Errors
    /// [`Unproven`]: the chain does not hold.
    pub fn judge(&self, chain: &[&[u8]], now: Timestamp) -> Result<Proven, Unproven> {
        self.build(chain, now).map_err(|fault| {
            let lineage = Lineage::trace(&self.anchors, chain);
            let error = blame::explain(fault, chain, lineage.as_ref(), &self.distrusted, now);
            let anchor = lineage.and_then(|lineage| lineage.answered_for(chain, &self.distrusted));
            let from = anchor.map(|anchor| UnprovenFrom { ca: anchor.ca.clone(), ca_sha256: anchor.sha256 });
            Unproven { error, from }
        })
    }

    fn build(&self, chain: &[&[u8]], now: Timestamp) -> Result<Proven, Fault> {
        let presented = Presented::read(chain, &self.distrusted)?;
        keys::check(presented.device.public_key)
            .map_err(|found| PathError::WeakKey { reason: format!("the device certificate has {found}") })?;
        let v1 = match presented.device.version {
            X509Version::V1 => true,
            X509Version::V3 => false,
        };
        let (anchor, mut chain) = if v1 {
            (unversioned::prove(&presented.device, &self.anchors, now)?, Vec::new())
        } else {
            self.build_v3(&presented, now)?
        };
        within(anchor.certificate.not_before, anchor.certificate.not_after, now)?;
        within(presented.device.not_before, presented.device.not_after, now)?;
        chain.push(anchor.certificate);
        Ok(Proven { ca: anchor.ca.clone(), ca_sha256: anchor.sha256, v1, chain })
    }

    /// Builds and verifies the path of a v3 certificate: the anchor it ends at, and the intermediates.
    fn build_v3(&self, presented: &Presented<'_>, now: Timestamp) -> Result<(&Anchor, Vec<ChainCertificate>), Fault> {
        let der = CertificateDer::from(presented.device_der);
        let device = EndEntityCert::try_from(&der).map_err(|error| fault::of_certificate(0, &presented.device, &error))?;
        presented.check_purpose()?;
        let mut intermediates_max = limits::CHAIN_CERTIFICATES_MAX;
        let mut nearest = None;
        // Where no two issuers share a name there is one way to go, anchors first, and the first path is the shortest. Where
        // they do, webpki follows one to the end before it tries the other: ask again for a shorter path until there is none.
        loop {
            match self.shortest(&device, presented, intermediates_max, now) {
                Ok(path) => {
                    let intermediates = path.1.len();
                    nearest = Some(path);
                    if intermediates < 2 || !presented.branches {
                        break;
                    }
                    intermediates_max = intermediates - 1;
                }
                Err(_) if nearest.is_some() => break,
                Err(error) => return Err(presented.fault(&error)),
            }
        }
        nearest.ok_or(Fault::NoPath(None))
    }

    /// A path with at most `intermediates_max` intermediates: its anchor, and the intermediates, nearest to the device first.
    fn shortest(
        &self,
        device: &EndEntityCert<'_>,
        presented: &Presented<'_>,
        intermediates_max: usize,
        now: Timestamp,
    ) -> Result<(&Anchor, Vec<ChainCertificate>), webpki::Error> {
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(now.unix_s()).unwrap_or(0)));
        let acceptable = |path: &VerifiedPath<'_>| {
            if path.intermediate_certificates().count() > intermediates_max {
                return Err(webpki::Error::UnknownIssuer);
            }
            match self.anchor_of(path) {
                Some(anchor) => anchor.permits(path),
                None => Err(webpki::Error::UnknownIssuer),
            }
        };
        let path = device.verify_for_usage(
            keys::ACCEPTED,
            &self.trusted,
            &presented.issuers,
            time,
            KeyUsage::client_auth(),
            None,
            Some(&acceptable),
        )?;
        let anchor = self.anchor_of(&path).ok_or(webpki::Error::UnknownIssuer)?;
        // Each was read as presented, so that none fails here; were one to, the path is not recorded with a gap.
        let read =
            |der: CertificateDer<'_>| TbsCertificate::read(&der).map(|certificate| ChainCertificate::of(&certificate));
        let intermediates = path.intermediate_certificates().map(|issuer| read(issuer.der()));
        let intermediates = intermediates.collect::<Result<_, _>>().map_err(|_| webpki::Error::BadDer)?;
        Ok((anchor, intermediates))
    }

    /// The anchor that a path ends at. The very entry of `trusted`, not an equal one.
    fn anchor_of(&self, path: &VerifiedPath<'_>) -> Option<&Anchor> {
        let at = self.trusted.iter().position(|trusted| std::ptr::addr_eq(trusted, path.anchor()))?;
        self.anchors.get(at)
    }
}

/// The SubjectPublicKeyInfo (DER) of a device certificate: for the signature of a handshake with an X.509 v1 certificate,
/// which TLS libraries only verify with the key alone.
///
/// # Errors
/// [`FactsError`] if the bytes are not exactly one certificate.
pub fn raw_public_key(device: &[u8]) -> Result<&[u8], FactsError> {
    Ok(TbsCertificate::read(device)?.public_key)
}

fn within(not_before: Timestamp, not_after: Timestamp, now: Timestamp) -> Result<(), Fault> {
    if (not_before..=not_after).contains(&now) { Ok(()) } else { Err(Fault::Outside) }
}
