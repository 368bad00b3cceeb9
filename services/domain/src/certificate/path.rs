//! Proves a presented chain up to one verified CA certificate of one instance, and says which one.
//!
//! Invariant: what is proven and what is identified are the same certificate, the first of the chain; an anchor is a
//! name *and* a key, so another CA with the same DN is another CA. When several anchors would do, the nearest to the
//! device wins: the most specific owner.

use crate::{ids::CaId, time::Timestamp};

/// The verified CA certificates of one instance, ready for path building. Build one per trust epoch.
#[derive(Debug)]
pub struct TrustStore {
    anchors: Vec<(CaId, Box<[u8]>)>,
}

/// A chain that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The CA certificate that it leads to.
    pub ca: CaId,
    /// Whether the device certificate is X.509 v1 (its handshake signature then wants the raw-key check).
    pub v1: bool,
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
        /// The limit.
        max: usize,
    },
    /// One of them cannot be read or is too large.
    #[error("certificate {index} of the chain (0 is the device's own) cannot be used: {reason}")]
    Malformed {
        /// Its place in the chain.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// No path to a verified CA certificate of this instance.
    #[error("the chain does not lead to a verified CA certificate of this instance")]
    UnknownIssuer,
    /// Some certificate of the path is past its notAfter.
    #[error("a certificate of the chain has expired")]
    Expired,
    /// Some certificate of the path is before its notBefore.
    #[error("a certificate of the chain is not yet valid")]
    NotYetValid,
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

impl TrustStore {
    /// From the verified CA certificates (DER) of one instance. A certificate that cannot be an anchor is left out: it
    /// was checked at upload, so this only ever happens to a damaged one.
    pub fn new<'a>(anchors: impl IntoIterator<Item = (CaId, &'a [u8])>) -> Self {
        Self { anchors: anchors.into_iter().map(|(ca, der)| (ca, der.into())).collect() }
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
        let _ = (chain, now);
        todo!()
    }
}
