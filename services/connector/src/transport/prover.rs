//! Proves certificate chains for one instance and trust epoch, and remembers what it has proven.
//!
//! A chain is looked at twice: in the handshake, and again by admission, which judges resumed sessions too, whose chain
//! no handshake has looked at. Remembering makes the second look a lookup. Invariant: a remembered proof is used only
//! for exactly the same bytes (SHA-256 over the whole chain), in the same trust epoch, while every certificate of the
//! chain is within its validity; so it says what proving again would say.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use rollcall_chassis::clock::Clock;
use rollcall_domain::{
    certificate::{
        CertificateFacts,
        path::{PathError, Proven, TrustStore},
    },
    limits::CHAIN_CERTIFICATES_MAX,
    time::Timestamp,
};
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

/// Proofs remembered in one generation; there are two, so at most twice as many are held.
const REMEMBERED_MAX: usize = 2048;

/// A chain that holds, and what its first certificate says.
#[derive(Debug)]
pub(crate) struct Proof {
    /// What the device's certificate says; read once.
    pub(crate) facts: Arc<CertificateFacts>,
    /// Which CA certificate it leads to.
    pub(crate) proven: Proven,
    /// From when all certificates of the chain are valid.
    not_before: Timestamp,
    /// Until when.
    not_after: Timestamp,
}

/// Proves chains against one set of verified CA certificates.
pub(crate) struct Prover {
    store: TrustStore,
    clock: Arc<dyn Clock>,
    chain_bytes_max: usize,
    remembered: Mutex<Generations>,
}

/// Two generations: what is used moves to the young one, what is not is forgotten with the old one. Bounded, and no
/// bookkeeping on a hit in the young generation.
#[derive(Default)]
struct Generations {
    young: HashMap<[u8; 32], Arc<Proof>>,
    old: HashMap<[u8; 32], Arc<Proof>>,
}

impl Prover {
    /// For the CA certificates in `store`.
    pub(crate) fn new(store: TrustStore, clock: Arc<dyn Clock>, chain_bytes_max: usize) -> Self {
        Self { store, clock, chain_bytes_max, remembered: Mutex::default() }
    }

    /// Proves a chain (the device's own certificate first) at this instant.
    ///
    /// # Errors
    /// [`PathError`]: it does not hold.
    pub(crate) fn prove<'a>(
        &self,
        chain: impl Iterator<Item = &'a CertificateDer<'a>> + Clone,
    ) -> Result<Arc<Proof>, PathError> {
        self.check_size(chain.clone())?;
        let now = Timestamp::from_unix_ms(self.clock.unix_ms());
        let key = digest(chain.clone());
        if let Some(proof) = self.recall(&key, now) {
            return Ok(proof);
        }
        let chain: Vec<&[u8]> = chain.map(AsRef::as_ref).collect();
        let proven = self.store.prove(&chain, now)?;
        let proof = Arc::new(Proof::of(&chain, proven)?);
        self.remembered.lock().expect("nothing panics while it holds this lock").put(key, proof.clone());
        Ok(proof)
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
            let reason = format!("the chain has {bytes} bytes: at most {} are accepted", self.chain_bytes_max);
            return Err(PathError::Malformed { index: 0, reason });
        }
        Ok(())
    }

    fn recall(&self, key: &[u8; 32], now: Timestamp) -> Option<Arc<Proof>> {
        let mut remembered = self.remembered.lock().expect("nothing panics while it holds this lock");
        let proof = remembered.get(key)?;
        (proof.not_before <= now && now <= proof.not_after).then_some(proof)
    }
}

impl std::fmt::Debug for Prover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prover").finish_non_exhaustive()
    }
}

impl Proof {
    fn of(chain: &[&[u8]], proven: Proven) -> Result<Self, PathError> {
        let read = |(index, der): (usize, &&[u8])| {
            CertificateFacts::from_der(der).map_err(|error| PathError::Malformed { index, reason: error.to_string() })
        };
        let mut all = chain.iter().enumerate().map(read);
        let facts = all.next().ok_or(PathError::Empty)??;
        let (mut not_before, mut not_after) = (facts.not_before, facts.not_after);
        // An unused intermediate that cannot be read or has expired only shortens how long the proof is remembered.
        for intermediate in all {
            let bounds = intermediate.map(|facts| (facts.not_before, facts.not_after));
            let (from, until) = bounds.unwrap_or((Timestamp::from_unix_ms(i64::MAX), Timestamp::from_unix_ms(i64::MIN)));
            (not_before, not_after) = (not_before.max(from), not_after.min(until));
        }
        Ok(Self { facts: Arc::new(facts), proven, not_before, not_after })
    }
}

impl Generations {
    fn get(&mut self, key: &[u8; 32]) -> Option<Arc<Proof>> {
        if let Some(proof) = self.young.get(key) {
            return Some(proof.clone());
        }
        let proof = self.old.remove(key)?;
        self.put(*key, proof.clone());
        Some(proof)
    }

    fn put(&mut self, key: [u8; 32], proof: Arc<Proof>) {
        if self.young.len() >= REMEMBERED_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, proof);
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
