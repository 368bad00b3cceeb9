//! The API's proof of a command: who may have one ruled on, whatever the broker lets through.
//!
//! A broker's permissions do not hold: a server answers to any reply subject that a client names, so bytes of a
//! connector's choice can be made to land in a request queue. A command is therefore ruled on only if the API has signed
//! which log it is for, in which incarnation of the instance, under which request id, what it says, and when. How that
//! looks in the queue is [`rollcall_schemas::proof`]'s; the queues carry it as bytes and know nothing of it. A
//! certificate-connect event carries none by design: the certificate proves itself.
//!
//! What a proof does not prevent: the same command under the same id again within [`LIFE`]. The log remembers the id of
//! every command that made a record, so that replaying one of those makes none. Does not say who the operator is: the API has
//! let them in, and what they may do is its decision.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use rollcall_domain::{
    fleet::Fleet,
    ids::{LogId, RequestId},
    time::Timestamp,
};
use rollcall_schemas::{
    encoding::{Sha256 as Digest256, Time},
    proof::Proof,
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::signing::{KeyId, PublicKey, SigningKey};

/// How long a command may wait for a registrar. One that has waited longer was perhaps given up by its operator, and the
/// registry may have changed under it.
pub const LIFE: Duration = Duration::from_secs(10 * 60);
/// How far ahead of a registrar's clock the API's may be. One that is behind shortens [`LIFE`] by as much.
pub const CLOCK_AHEAD_MAX: Duration = Duration::from_secs(60);

/// What a proof is bound to besides the request's bytes and the time.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// The log that the command is for.
    pub log: &'a LogId,
    /// [`incarnation`] of that log.
    pub incarnation: Uuid,
    /// The id that the command is queued under.
    pub request: &'a RequestId,
}

/// Why a command does not count as an operator's. The text names what differs, and what to do where it is not an attack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// The registrar has no key to verify with, so it takes no command at all.
    #[error("this registrar has no command key: set command_keys to what `rollcall pki command-key` has printed")]
    NoKeys,
    /// No proof stands before the request.
    #[error("it carries no proof of an API: operators' commands go through the API, of this version or a newer one")]
    Missing,
    /// The proof cannot be read.
    #[error("its proof cannot be read: {0}")]
    Malformed(String),
    /// Another key than those of the configuration.
    #[error("its proof is of key {0}, which is not among this registrar's command_keys")]
    UnknownKey(KeyId),
    /// The key is known, and has not signed this.
    #[error("its proof is not signed by the key that it names")]
    WrongSignature,
    /// Made for another log.
    #[error("its proof is for another log")]
    OtherLog,
    /// Made for another life of the instance.
    #[error("its proof is for another incarnation of the instance: give the command again")]
    OtherIncarnation,
    /// Made for another request.
    #[error("its proof is for another request id")]
    OtherRequest,
    /// Made for other bytes.
    #[error("its proof is for another request body")]
    OtherBody,
    /// Made later than now.
    #[error("its proof is from the future: the clocks of API and registrar differ by more than {} s", CLOCK_AHEAD_MAX.as_secs())]
    FromTheFuture,
    /// Made too long ago.
    #[error("its proof is older than {} minutes: give the command again", LIFE.as_secs() / 60)]
    Expired,
}

impl Unproven {
    /// A fixed word for a metric.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoKeys => "no_keys",
            Self::Missing => "missing",
            Self::Malformed(_) => "malformed",
            Self::UnknownKey(_) => "unknown_key",
            Self::WrongSignature => "wrong_signature",
            Self::OtherLog => "other_log",
            Self::OtherIncarnation => "other_incarnation",
            Self::OtherRequest => "other_request",
            Self::OtherBody => "other_body",
            Self::FromTheFuture => "from_the_future",
            Self::Expired => "expired",
        }
    }
}

/// Which life of its instance a log belongs to, as the fleet knows it; nil for the fleet's own log, for an instance that
/// the fleet does not have, and for one that was created before there were incarnations.
pub fn incarnation(fleet: &Fleet, log: &LogId) -> Uuid {
    let instance = match log {
        LogId::Fleet => None,
        LogId::Instance(instance) => fleet.instances.get(instance),
    };
    instance.map_or(Uuid::nil(), |instance| Uuid::from_bytes(instance.incarnation.0))
}

/// What is queued for a command: the proof's line, then the request (encoded by [`crate::codec::encode_request`]).
pub fn prove(key: &SigningKey, bound: Bound<'_>, request: &[u8], now: Timestamp) -> Bytes {
    let mut proof = Proof {
        instance: instance_of(bound.log),
        incarnation: bound.incarnation,
        request: bound.request.to_string(),
        sha256: Digest256(Sha256::digest(request).into()),
        made_at: Time::from_unix_ms(now.unix_ms()),
        key: key.public().id().0,
        signature: [0; 64],
    };
    proof.signature = key.sign(proof.statement().as_bytes());
    let line = proof.to_line();
    let mut queued = BytesMut::with_capacity(line.len() + request.len());
    queued.put_slice(line.as_bytes());
    queued.put_slice(request);
    queued.freeze()
}

/// The request behind a good proof.
///
/// # Errors
/// [`Unproven`]. The signature comes first: what an unsigned line claims is not worth naming.
pub fn verify(keys: &[PublicKey], bound: Bound<'_>, queued: &Bytes, now: Timestamp) -> Result<Bytes, Unproven> {
    if keys.is_empty() {
        return Err(Unproven::NoKeys);
    }
    let split = Proof::split(queued).map_err(|error| Unproven::Malformed(error.to_string()))?;
    let (proof, request) = split.ok_or(Unproven::Missing)?;
    let key = KeyId(proof.key);
    let key = keys.iter().find(|known| known.id() == key).ok_or(Unproven::UnknownKey(key))?;
    if !key.verifies(proof.statement().as_bytes(), &proof.signature) {
        return Err(Unproven::WrongSignature);
    }
    if proof.instance != instance_of(bound.log) {
        return Err(Unproven::OtherLog);
    }
    if proof.incarnation != bound.incarnation {
        return Err(Unproven::OtherIncarnation);
    }
    if proof.request != bound.request.as_str() {
        return Err(Unproven::OtherRequest);
    }
    if proof.sha256.0 != <[u8; 32]>::from(Sha256::digest(request)) {
        return Err(Unproven::OtherBody);
    }
    let age_ms = i128::from(now.unix_ms()) - i128::from(proof.made_at.unix_ms());
    if age_ms < -milliseconds(CLOCK_AHEAD_MAX) {
        return Err(Unproven::FromTheFuture);
    }
    if age_ms > milliseconds(LIFE) {
        return Err(Unproven::Expired);
    }
    Ok(queued.slice_ref(request))
}

fn instance_of(log: &LogId) -> Option<String> {
    match log {
        LogId::Fleet => None,
        LogId::Instance(instance) => Some(instance.to_string()),
    }
}

const fn milliseconds(duration: Duration) -> i128 {
    duration.as_millis() as i128
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use rollcall_domain::ids::InstanceId;

    use super::*;

    /// The private key of RFC 8032's first test: PKCS #8 in base64. It protects nothing.
    const KEY: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
    const NOW_MS: i64 = 1_780_272_000_000;

    fn log(instance: &str) -> LogId {
        LogId::Instance(InstanceId::parse(instance).unwrap())
    }

    fn id(text: &str) -> RequestId {
        RequestId::parse(text).unwrap()
    }

    fn later(duration: Duration, more_ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(NOW_MS + i64::try_from(duration.as_millis()).unwrap() + more_ms)
    }

    #[test]
    fn golden_proofs_are_those_of_this_key() {
        let key = SigningKey::from_pkcs8(&STANDARD.decode(KEY).unwrap()).unwrap();
        let incarnation: Uuid = "6f9619ff-8b86-d011-b42d-00c04fc964ff".parse().unwrap();
        for (file, log, incarnation, request) in [
            (include_str!("../../../schemas/golden/proof/fleet.v1.txt"), LogId::Fleet, Uuid::nil(), "first-start-operator"),
            (include_str!("../../../schemas/golden/proof/instance.v1.txt"), log("north"), incarnation, "api-0197"),
        ] {
            let request = id(request);
            let bound = Bound { log: &log, incarnation, request: &request };
            let now = Timestamp::from_unix_ms(NOW_MS);
            let made = prove(&key, bound, b"{}\n", now);
            assert_eq!(String::from_utf8_lossy(&made), file, "Ed25519 signs the same text alike each time");
            assert_eq!(verify(&[key.public()], bound, &file.as_bytes().into(), now).as_deref(), Ok(&b"{}\n"[..]));
        }
    }

    #[test]
    fn f36_a_proof_is_good_for_what_it_was_made_for_and_for_nothing_else() {
        let (key, stranger) = (SigningKey::generate(), SigningKey::generate());
        let (north, south, one, two) = (log("north"), log("south"), id("one"), id("two"));
        let life = Uuid::from_u128(1);
        let bound = Bound { log: &north, incarnation: life, request: &one };
        let now = Timestamp::from_unix_ms(NOW_MS);
        let keys = [stranger.public(), key.public()];
        let queued = prove(&key, bound, b"{\"a\":1}", now);
        let refused = |bound, queued: &Bytes, now| verify(&keys, bound, queued, now).unwrap_err();

        assert_eq!(verify(&keys, bound, &queued, now).as_deref(), Ok(&b"{\"a\":1}"[..]));
        assert_eq!(verify(&[], bound, &queued, now), Err(Unproven::NoKeys));
        assert_eq!(refused(bound, &b"{\"a\":1}"[..].into(), now), Unproven::Missing);
        assert_eq!(verify(&keys[..1], bound, &queued, now), Err(Unproven::UnknownKey(key.public().id())));
        assert_eq!(refused(Bound { log: &south, ..bound }, &queued, now), Unproven::OtherLog);
        assert_eq!(refused(Bound { log: &LogId::Fleet, ..bound }, &queued, now), Unproven::OtherLog);
        assert_eq!(refused(Bound { incarnation: Uuid::from_u128(2), ..bound }, &queued, now), Unproven::OtherIncarnation);
        assert_eq!(refused(Bound { request: &two, ..bound }, &queued, now), Unproven::OtherRequest);
        let text = String::from_utf8(queued.to_vec()).unwrap();
        assert_eq!(refused(bound, &text.replace("\"a\":1", "\"a\":2").into(), now), Unproven::OtherBody);
        // Whoever changes the line to fit has no signature for it.
        let fitted = text.replace("instance/north", "instance/south");
        assert_eq!(refused(Bound { log: &south, ..bound }, &fitted.into(), now), Unproven::WrongSignature);
        let malformed = refused(bound, &text.replace("rollcall-proof 1", "rollcall-proof 9").into(), now);
        assert!(matches!(&malformed, Unproven::Malformed(reason) if reason.contains("version 9")), "{malformed}");
    }

    #[test]
    fn f37_a_proof_dies_after_ten_minutes_and_is_not_good_before_it_was_made() {
        let key = SigningKey::generate();
        let (log, request) = (log("north"), id("one"));
        let bound = Bound { log: &log, incarnation: Uuid::nil(), request: &request };
        let made = |at| prove(&key, bound, b"{}", at);
        let judged = |queued: &Bytes, now| verify(&[key.public()], bound, queued, now).map(drop);
        let now = Timestamp::from_unix_ms(NOW_MS);
        assert_eq!(judged(&made(now), later(LIFE, 0)), Ok(()));
        assert_eq!(judged(&made(now), later(LIFE, 1)), Err(Unproven::Expired));
        assert_eq!(judged(&made(later(CLOCK_AHEAD_MAX, 0)), now), Ok(()));
        assert_eq!(judged(&made(later(CLOCK_AHEAD_MAX, 1)), now), Err(Unproven::FromTheFuture));
    }
}
