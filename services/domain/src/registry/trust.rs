//! Which CAs an instance stands on: what proves a chain, which CA certificate a proven path is one of now, and whom it may
//! not lead through.
//!
//! A CA is its name and its key. An id is only what operators call one uploaded certificate, and is another's after a
//! deletion, so nothing that was trusted is ever looked up by it alone. Invariant: while a CA is distrusted, no path holds
//! that has a certificate of it anywhere, and no session lives that was let in by such a path.

use std::collections::BTreeSet;

use crate::{
    certificate::{
        authority,
        path::{ChainCertificate, Proven, TrustStore, UnprovenFrom},
    },
    ids::{CaId, SpaceId},
    registry::{
        event::PresentedCertificate,
        state::{Ca, Configuration},
    },
};

/// All that a [`TrustStore`] is made of, to be compared: a store of one basis is that of any equal one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustBasis {
    /// The CA certificates in force, by id and SHA-256 of the DER.
    anchors: Vec<(CaId, [u8; 32])>,
    /// CAs by name and key.
    distrusted: Vec<[u8; 32]>,
}

impl TrustBasis {
    /// How many CA certificates a chain may lead to.
    pub fn anchors(&self) -> usize {
        self.anchors.len()
    }
}

impl Configuration {
    /// The CA certificates in force, and the distrusted CAs, ready for path building.
    pub fn trust_store(&self) -> TrustStore {
        let distrusted = self.distrusted.keys().copied().collect();
        TrustStore::without(self.in_force().map(|ca| (ca.id.clone(), &*ca.der)), distrusted)
    }

    /// What [`Self::trust_store`] would be made of.
    pub fn trust_basis(&self) -> TrustBasis {
        TrustBasis {
            anchors: self.in_force().map(|ca| (ca.id.clone(), ca.sha256)).collect(),
            distrusted: self.distrusted.keys().copied().collect(),
        }
    }

    /// Whether a CA is distrusted, by name and key.
    pub fn is_distrusted(&self, name_and_key_sha256: &[u8; 32]) -> bool {
        self.distrusted.contains_key(name_and_key_sha256)
    }

    /// Whether a resource space that proves to hold a CA's key lifts the distrust of it: what one space does not believe any
    /// more, another cannot make it believe again. Of a space that is gone, any may. `true` where there is no distrust.
    pub(crate) fn may_forgive(&self, name_and_key_sha256: &[u8; 32], space: &SpaceId) -> bool {
        let by = self.distrusted.get(name_and_key_sha256).map(|distrusted| &distrusted.space);
        by.is_none_or(|by| by == space || !self.spaces.contains_key(by))
    }

    /// Whether a path has a certificate of a distrusted CA.
    pub(crate) fn distrusts(&self, path: &[ChainCertificate]) -> bool {
        path.iter().any(|above| self.is_distrusted(&above.name_and_key_sha256))
    }

    /// The CA certificate that a path leads to, as it is registered now, if it is in force. That is the same certificate,
    /// under whatever id: another one of the same CA may allow less, such as a shorter path, and has not been asked.
    pub fn ca_of(&self, path: &Proven) -> Option<&Ca> {
        self.in_force().find(|ca| ca.sha256 == path.ca_sha256)
    }

    /// The same of a chain that does not hold.
    pub fn ca_from(&self, from: &UnprovenFrom) -> Option<&Ca> {
        self.in_force().find(|ca| ca.sha256 == from.ca_sha256)
    }

    /// The CA that proved a certificate, by name and key. A record of version 1 has only an id: it means the CA that has the
    /// id as that record is applied.
    pub fn prover_of(&self, certificate: &PresentedCertificate) -> Option<[u8; 32]> {
        match &certificate.proof {
            Some(proof) => Some(proof.ca_name_and_key_sha256),
            None => self.cas.get(&certificate.ca).map(|ca| ca.name_and_key_sha256),
        }
    }

    /// The CA certificates that may still vouch for what `gone` vouched for, now that it is deleted: of the same CA, or of
    /// one that signed it and whose device certificates may come with it in between; and those of the CAs of `paths`, each
    /// the name-and-keys above a certificate that `gone` was in, nearest first. What devices present beside their own
    /// certificates is not recorded, so a path by a certificate that nobody has uploaded is not seen here.
    pub fn still_vouching(&self, gone: &Ca, paths: &[Vec<[u8; 32]>]) -> BTreeSet<CaId> {
        let trusted = |ca: &&[u8; 32]| !self.is_distrusted(ca);
        let named: BTreeSet<_> = paths.iter().flat_map(|path| path.iter().take_while(trusted)).collect();
        let by_gone = !self.is_distrusted(&gone.name_and_key_sha256);
        let vouches = |ca: &&Ca| {
            let same = ca.name_and_key_sha256 == gone.name_and_key_sha256;
            named.contains(&ca.name_and_key_sha256) || by_gone && (same || authority::signed(&ca.der, &gone.der))
        };
        self.in_force().filter(vouches).map(|ca| ca.id.clone()).collect()
    }

    /// Those that a chain may lead to: verified, and not of a distrusted CA.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = &Ca> {
        self.cas.values().filter(|ca| ca.is_verified() && !self.is_distrusted(&ca.name_and_key_sha256))
    }
}
