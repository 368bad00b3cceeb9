//! Which records of a log are ours: seals, how they are made, and how a reader tells.
//!
//! A broker's permissions do not hold (a server answers to any reply subject that a client names), so any process that may write
//! anything may make bytes appear in a registry log. What a registrar has appended carries a [`Seal`] beside its first
//! record: an Ed25519 signature over the log, its incarnation, the place, and the log's digest before and after. Nothing
//! else is folded.
//!
//! The digest of a log runs over its own records alone: `digest' = SHA-256(digest ‖ position ‖ SHA-256(record))`, the
//! position as eight bytes, most significant first. So a seal vouches for every own record before it, and it is enough to
//! check the last of many signatures.
//!
//! [`Verifier`] is the rule, without I/O; [`crate::follow`] reads a log by it. Invariants: whether a record is ours depends
//! on nothing but the log, the keys and the place that reading began from, so that all readers agree; what is not ours moves
//! the position and never the digest.

mod verifier;

use std::sync::Arc;

use rollcall_domain::{
    fleet::Instance,
    ids::{Incarnation, LogId, Position},
};
use rollcall_schemas::seal as wire;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use verifier::{Foreign, Stop, Verified, Verifier};

use crate::{
    log::{Entry, NewRecord, Seal},
    signing::{PublicKey, SigningKey},
};

/// A log's running digest; all zero before its first own record.
pub type Digest = [u8; 32];

/// The digest before the first own record.
pub const START: Digest = [0; 32];

/// The digest after one more own record.
pub fn chain(digest: &Digest, position: Position, record: &[u8]) -> Digest {
    let content = Sha256::digest(record);
    Sha256::new().chain_update(digest).chain_update(position.0.to_be_bytes()).chain_update(content).finalize().into()
}

/// Which log a seal is for: an instance that was deleted and made again has the id of the old one and another incarnation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SealedLog {
    pub log: LogId,
    /// Nil for the fleet, and for instances made by version 0.1.
    pub incarnation: Incarnation,
}

impl SealedLog {
    /// The fleet's own.
    pub const FLEET: Self = Self { log: LogId::Fleet, incarnation: Incarnation::NIL };

    /// The log of an instance.
    pub fn of(instance: &Instance) -> Self {
        Self { log: LogId::Instance(instance.id.clone()), incarnation: instance.incarnation }
    }

    /// Whether a seal is for this log and incarnation.
    fn is_named_by(&self, seal: &Seal) -> bool {
        *seal.log == *self.name() && seal.incarnation.as_bytes() == &self.incarnation.0
    }

    /// What the log is called in a seal.
    fn name(&self) -> &str {
        match &self.log {
            LogId::Fleet => wire::FLEET,
            LogId::Instance(id) => id.as_str(),
        }
    }
}

/// The registrars' public keys, oldest first. A key that was in use once stays listed: what it sealed is proven by it. None:
/// nothing can be proven, and everything in a log counts as ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealKeys(Arc<[PublicKey]>);

impl SealKeys {
    /// Whether there is nothing to prove by.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.iter()
    }

    fn place(&self, key: &PublicKey) -> Option<usize> {
        self.0.iter().position(|known| known == key)
    }
}

impl FromIterator<PublicKey> for SealKeys {
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

/// How a log is proven, at one place of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Nothing is: a log that version 0.1 began and that was not adopted, or a reader without keys. Everything counts as ours.
    Unsigned,
    /// Nothing has been sealed yet; what is not, is foreign.
    Awaited,
    /// By this key.
    By(PublicKey),
}

/// Where a reader stands in a log, and all that it needs to go on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Everything up to here has been looked at.
    pub position: Position,
    /// The digest of what was ours.
    pub digest: Digest,
    /// How what follows has to be proven.
    pub sealing: Sealing,
    /// The last batch that was ours; `None` before the first.
    pub batch: Option<LastBatch>,
}

/// The last batch of ours before a point. A reader that goes on reads it again, and finds the same log or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastBatch {
    /// Position of its first record.
    pub first: Position,
    /// Position of its last.
    pub end: Position,
    /// The digest before it.
    pub before: Digest,
}

impl Point {
    /// Before the first record of a log.
    pub fn start(log: &SealedLog, keys: &SealKeys) -> Self {
        let sealing =
            if keys.is_empty() || log.incarnation == Incarnation::NIL { Sealing::Unsigned } else { Sealing::Awaited };
        Self { position: Position::START, digest: START, sealing, batch: None }
    }
}

/// Whether an entry carries a seal that one of the keys has made for this log and place. It does not say that the entry is
/// ours: that takes the whole log.
pub fn is_signed(log: &SealedLog, keys: &SealKeys, entry: &Entry) -> bool {
    let Some(seal) = entry.seal.as_ref().filter(|seal| log.is_named_by(seal) && seal.first == entry.position.0) else {
        return false;
    };
    let by = keys.iter().find(|key| key.id().0 == seal.key);
    by.is_some_and(|key| key.verifies(seal.signed().as_bytes(), &seal.signature))
}

/// Seals records that are to follow on `before`. Signing takes some ten microseconds and hashing a few for each record: not
/// for a thread that orders decisions.
///
/// # Panics
/// If there are no records, or more than a batch may hold.
pub fn seal(key: &SigningKey, log: &SealedLog, before: (Position, Digest), records: &[NewRecord]) -> Seal {
    let (position, digest) = before;
    let first = position.next();
    let after = (first.0..).map(Position).zip(records).fold(digest, |digest, (at, new)| chain(&digest, at, &new.record));
    let mut seal = Seal {
        log: log.name().into(),
        incarnation: Uuid::from_bytes(log.incarnation.0),
        key: key.public().id().0,
        first: first.0,
        count: u32::try_from(records.len()).expect("a batch is far smaller"),
        before: digest,
        after,
        signature: [0; 64],
    };
    assert!(seal.count > 0, "an empty batch is never appended");
    seal.signature = key.sign(seal.signed().as_bytes());
    seal
}
