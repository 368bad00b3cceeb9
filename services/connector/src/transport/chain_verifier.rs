//! Verifies certificate chains for one instance and trust epoch, and caches what it has verified.
//!
//! A chain is verified twice: in the handshake, and by admission, which also sees resumed sessions, whose chain no
//! handshake has verified. The cache makes the second time a lookup. Invariant: a cached chain is used only for exactly
//! the same bytes (SHA-256 over the whole chain), in the same trust epoch, while every certificate of the chain is
//! within its validity; so it is what verifying again would return.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use rollcall_chassis::clock::Clock;
use rollcall_domain::{
    certificate::{
        CertificateFacts,
        path::{PathError, Proven, TrustStore, Unproven},
    },
    limits::CHAIN_CERTIFICATES_MAX,
    time::Timestamp,
};
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

/// Chains kept in one generation; there are two, so at most twice as many are held.
const CACHED_MAX: usize = 2048;

/// A chain that leads to a verified CA certificate, and the facts of its first certificate.
#[derive(Debug)]
pub(crate) struct VerifiedChain {
    /// What the device's certificate says; read once.
    pub(crate) facts: Arc<CertificateFacts>,
    /// By which certificates it leads to which CA certificate.
    pub(crate) path: Arc<Proven>,
    /// From when all certificates of the chain are valid.
    not_before: Timestamp,
    not_after: Timestamp,
}

/// Verifies chains against one set of verified CA certificates.
pub(crate) struct ChainVerifier {
    store: TrustStore,
    clock: Arc<dyn Clock>,
    chain_bytes_max: usize,
    cache: Mutex<Generations>,
}

/// Two generations: what is used moves to the young one, the rest is dropped with the old one. Bounded, and no
/// bookkeeping on a hit in the young generation.
#[derive(Default)]
struct Generations {
    young: HashMap<[u8; 32], Arc<VerifiedChain>>,
    old: HashMap<[u8; 32], Arc<VerifiedChain>>,
}

impl ChainVerifier {
    /// For the CA certificates in `store`.
    pub(crate) fn new(store: TrustStore, clock: Arc<dyn Clock>, chain_bytes_max: usize) -> Self {
        Self { store, clock, chain_bytes_max, cache: Mutex::default() }
    }

    /// The CA certificates that it verifies by.
    pub(crate) fn store(&self) -> &TrustStore {
        &self.store
    }

    /// Verifies a chain (the device's own certificate first) at this instant.
    ///
    /// # Errors
    /// [`Unproven`]: it does not lead to a verified CA certificate, or breaks a rule.
    pub(crate) fn verify<'a>(
        &self,
        chain: impl Iterator<Item = &'a CertificateDer<'a>> + Clone,
    ) -> Result<Arc<VerifiedChain>, Unproven> {
        let nobodys = |error| Unproven { error, from: None };
        self.check_size(chain.clone()).map_err(nobodys)?;
        let now = Timestamp::from_unix_ms(self.clock.unix_ms());
        let key = digest(chain.clone());
        if let Some(verified) = self.cached(&key, now) {
            return Ok(verified);
        }
        let chain: Vec<&[u8]> = chain.map(AsRef::as_ref).collect();
        let path = self.store.judge(&chain, now)?;
        let verified = Arc::new(VerifiedChain::of(&chain, path).map_err(nobodys)?);
        self.cache.lock().expect("nothing panics while it holds this lock").put(key, verified.clone());
        Ok(verified)
    }

    /// Before anything is hashed or read: what may be sent for free must also be cheap to refuse.
    fn check_size<'a>(&self, chain: impl Iterator<Item = &'a CertificateDer<'a>>) -> Result<(), PathError> {
        let (certificates, bytes) =
            chain.fold((0, 0_usize), |(certificates, bytes), der| (certificates + 1, bytes.saturating_add(der.len())));
        if certificates == 0 {
            return Err(PathError::Empty);
        }
        if certificates > CHAIN_CERTIFICATES_MAX {
            return Err(PathError::TooLong { certificates, max: CHAIN_CERTIFICATES_MAX });
        }
        if bytes > self.chain_bytes_max {
            return Err(PathError::TooManyBytes { bytes, max: self.chain_bytes_max });
        }
        Ok(())
    }

    fn cached(&self, key: &[u8; 32], now: Timestamp) -> Option<Arc<VerifiedChain>> {
        let mut cache = self.cache.lock().expect("nothing panics while it holds this lock");
        let verified = cache.get(key)?;
        (verified.not_before <= now && now <= verified.not_after).then_some(verified)
    }
}

impl std::fmt::Debug for ChainVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainVerifier").finish_non_exhaustive()
    }
}

impl VerifiedChain {
    fn of(chain: &[&[u8]], path: Proven) -> Result<Self, PathError> {
        let read = |(index, der): (usize, &&[u8])| {
            CertificateFacts::from_der(der).map_err(|error| PathError::Malformed { index, reason: error.to_string() })
        };
        let mut all = chain.iter().enumerate().map(read);
        let facts = all.next().ok_or(PathError::Empty)??;
        let (mut not_before, mut not_after) = (facts.not_before, facts.not_after);
        // An unused intermediate that cannot be read or has expired only shortens how long the chain is cached.
        for intermediate in all {
            let bounds = intermediate.map(|facts| (facts.not_before, facts.not_after));
            let (from, until) = bounds.unwrap_or((Timestamp::from_unix_ms(i64::MAX), Timestamp::from_unix_ms(i64::MIN)));
            (not_before, not_after) = (not_before.max(from), not_after.min(until));
        }
        Ok(Self { facts: Arc::new(facts), path: Arc::new(path), not_before, not_after })
    }
}

impl Generations {
    fn get(&mut self, key: &[u8; 32]) -> Option<Arc<VerifiedChain>> {
        if let Some(verified) = self.young.get(key) {
            return Some(verified.clone());
        }
        let verified = self.old.remove(key)?;
        self.put(*key, verified.clone());
        Some(verified)
    }

    fn put(&mut self, key: [u8; 32], verified: Arc<VerifiedChain>) {
        if self.young.len() >= CACHED_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, verified);
    }
}

/// Over the lengths too, so that the same bytes cut elsewhere are another chain.
fn digest<'a>(chain: impl Iterator<Item = &'a CertificateDer<'a>>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for der in chain {
        hash.update((der.len() as u64).to_be_bytes());
        hash.update(der);
    }
    hash.finalize().into()
}
