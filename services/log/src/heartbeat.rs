//! What registrars announce of themselves: how far their views are, under a counter that rises. Readers tell by it a quiet
//! log from one that they cannot see any more.
//!
//! Not records: of each registrar and shard of logs the last announcement is kept, and the backbone may forget that too.
//! Invariant: an [`Announcement`] that was read was signed by the holder of one of the reader's keys; when it was made is
//! not known, so only a counter that rises while it is followed says that the registrar lives.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{InstanceId, LogId, Position, RegistrarId};
use rollcall_schemas::{WireError, announcement as wire, encoding};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

pub use rollcall_schemas::announcement::ANNOUNCEMENT_BYTES_MAX;

use crate::{
    error::BackboneError,
    signing::{KeyId, PublicKey, SigningKey},
};

/// How often a registrar announces.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// How long the last announcement of a registrar that is gone is kept.
pub const KEPT: Duration = Duration::from_secs(60);
/// Shards that logs are announced in, so that no announcement grows with the fleet beyond what a broker takes.
pub const SHARDS: u32 = 16;
/// Registrars whose announcements are kept and followed at a time.
pub const REGISTRARS_MAX: usize = 64;

/// Of which registrar and shard an announcement is: a later one takes the place of an earlier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The registrar process.
    pub registrar: RegistrarId,
    /// The shard of logs, below [`SHARDS`].
    pub shard: u32,
}

/// How far a registrar's view of one log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPosition {
    pub log: LogId,
    /// The last record that it has folded.
    pub position: Position,
    /// The log's digest there.
    pub digest: [u8; 32],
}

/// What a registrar announces of one shard of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Who announces, and of which shard.
    pub source: Source,
    /// Rises from each to the next.
    pub counter: u64,
    /// The logs of the shard that the registrar serves.
    pub logs: Vec<LogPosition>,
}

/// Why bytes are not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disbelief {
    /// They are no announcement that this version can read.
    #[error("an announcement cannot be read: {0}")]
    Unreadable(#[from] WireError),
    /// An id or a shard that there cannot be.
    #[error("an announcement cannot be read: {0}")]
    Malformed(String),
    /// The key is none of the reader's.
    #[error("an announcement is signed with key {0}, which is none of the registrars' public keys that are configured here")]
    UnknownKey(KeyId),
    /// The key's holder has not signed this.
    #[error("the signature of an announcement is not valid")]
    Forged,
}

/// What a follower gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An announcement, as it was put there.
    Announced(Bytes),
    /// The backbone is out of reach, or was: what comes next may be old.
    Interrupted,
}

/// Announcements of the registrars of a fleet.
#[async_trait]
pub trait Heartbeats: Send + Sync {
    /// Declares what announcements need, or checks it against its declaration.
    ///
    /// # Errors
    /// [`BackboneError`] if that cannot be done.
    async fn open(&self) -> Result<(), BackboneError>;

    /// Puts an announcement in the place of the last one from its source.
    ///
    /// # Errors
    /// [`BackboneError`] if it could not be put there.
    async fn announce(&self, source: &Source, announcement: Bytes) -> Result<(), BackboneError>;

    /// The last announcement from each source, in any order, then every one that comes. A follower that is too slow may
    /// miss some: a later one says the same and more.
    ///
    /// # Errors
    /// [`BackboneError`] if following cannot start; [`BackboneError::Damaged`] while nothing has been [opened](Self::open).
    async fn follow(&self) -> Result<mpsc::Receiver<Result<Heard, BackboneError>>, BackboneError>;
}

/// The shard that a log is announced in.
pub fn shard_of(log: &LogId) -> u32 {
    let digest = Sha256::digest(name(log).as_bytes());
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    u32::try_from(number % u64::from(SHARDS)).unwrap_or_default()
}

fn name(log: &LogId) -> &str {
    match log {
        LogId::Fleet => wire::Standing::FLEET,
        LogId::Instance(id) => id.as_str(),
    }
}

fn named(name: &str) -> Result<LogId, Disbelief> {
    if name == wire::Standing::FLEET {
        return Ok(LogId::Fleet);
    }
    InstanceId::parse(name).map(LogId::Instance).map_err(|error| Disbelief::Malformed(error.to_string()))
}

impl Announcement {
    /// As it is announced.
    pub fn sign(&self, key: &SigningKey) -> Bytes {
        let logs = self.logs.iter().map(|standing| wire::Standing {
            log: name(&standing.log).to_owned(),
            position: standing.position.0,
            digest: encoding::Sha256(standing.digest),
        });
        let Source { registrar, shard } = &self.source;
        let key_id = key.public().id().to_string();
        let mut written = wire::Announcement::unsigned(registrar.to_string(), *shard, self.counter, key_id, logs.collect());
        written.signature = encoding::Base64(key.sign(written.signed().as_bytes()).to_vec());
        written.to_json().into()
    }

    /// Reads what was announced, if the holder of one of these keys has signed it.
    ///
    /// # Errors
    /// [`Disbelief`].
    pub fn read(bytes: &[u8], keys: &[PublicKey]) -> Result<Self, Disbelief> {
        let written = wire::Announcement::from_json(bytes)?;
        let id: KeyId = written.key.parse().map_err(|_| Disbelief::Malformed("its key is no key id".to_owned()))?;
        let key = keys.iter().find(|key| key.id() == id).ok_or(Disbelief::UnknownKey(id))?;
        if !key.verifies(written.signed().as_bytes(), &written.signature.0) {
            return Err(Disbelief::Forged);
        }
        let registrar = RegistrarId::parse(&written.registrar).map_err(|error| Disbelief::Malformed(error.to_string()))?;
        if written.shard >= SHARDS {
            return Err(Disbelief::Malformed(format!("its shard is {}, and there are {SHARDS}", written.shard)));
        }
        let standing = |standing: wire::Standing| {
            let (position, digest) = (Position(standing.position), standing.digest.0);
            Ok(LogPosition { log: named(&standing.log)?, position, digest })
        };
        let source = Source { registrar, shard: written.shard };
        let logs = written.logs.into_iter().map(standing).collect::<Result<_, Disbelief>>()?;
        Ok(Self { source, counter: written.counter, logs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement() -> Announcement {
        let log = LogId::Instance(InstanceId::parse("north").unwrap());
        Announcement {
            source: Source { registrar: RegistrarId::parse("r-1").unwrap(), shard: shard_of(&log) },
            counter: 42,
            logs: [log, LogId::Fleet].map(|log| LogPosition { log, position: Position(7), digest: [7; 32] }).into(),
        }
    }

    #[test]
    fn what_was_signed_is_read_again_and_nothing_else_is_believed() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let said = announcement();
        let bytes = said.sign(&key);
        assert_eq!(Announcement::read(&bytes, &[other.public(), key.public()]), Ok(said.clone()));
        assert_eq!(Announcement::read(&bytes, &[other.public()]), Err(Disbelief::UnknownKey(key.public().id())));
        for (found, put) in [("42", "43"), ("north", "south"), ("0707", "0708"), ("\"position\":7", "\"position\":8")] {
            let forged = String::from_utf8(bytes.to_vec()).unwrap().replacen(found, put, 1);
            assert_eq!(Announcement::read(forged.as_bytes(), &[key.public()]), Err(Disbelief::Forged), "{forged}");
        }
        let beyond = Announcement { source: Source { shard: SHARDS, ..said.source.clone() }, ..said };
        assert!(matches!(Announcement::read(&beyond.sign(&key), &[key.public()]), Err(Disbelief::Malformed(_))));
        assert!(matches!(Announcement::read(b"{}", &[key.public()]), Err(Disbelief::Unreadable(_))));
    }

    /// Pinned: registrars of two versions must not announce one log in two shards.
    #[test]
    fn the_shard_of_a_log_never_changes() {
        let of = |id: &str| shard_of(&LogId::Instance(InstanceId::parse(id).unwrap()));
        let (fleet, north, south) = (shard_of(&LogId::Fleet), of("north"), of("south"));
        assert_eq!((fleet, north, south), (13, 1, 3));
    }
}
