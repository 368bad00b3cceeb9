//! Every stream, declared once. A live stream that differs from its declaration is an error at start: a limit or a
//! retention policy that somebody changed by hand decides what is lost, so a person must look.
//!
//! What is compared is what is declared here; what a server adds by itself (metadata, defaults) is not.

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    context::{CreateStreamErrorKind, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, Info, PersistenceMode, Republish, RetentionPolicy, StorageType},
};
use rollcall_domain::ids::{InstanceId, LogId};

use super::{config::NatsConfig, connection::Connection, subjects};
use crate::{
    BackboneError,
    heartbeat::{KEPT, REGISTRARS_MAX, SHARDS},
    log::StreamIdentity,
};

/// Devices and connectors of one instance whose presence is kept.
const PRESENCE_ENTRIES_MAX: i64 = 4_000_000;
/// Bytes of requests that one queue holds: a full queue of certificates of 1 kB. JetStream reserves it for every instance.
const REQUESTS_BYTES_MAX: i64 = 1024 * 1024 * 1024;
/// Unlimited, as JetStream says it.
const NONE: i64 = -1;

/// A registry log: kept for ever, written in atomic batches, and closed to every kind of deletion.
pub(super) fn registry(log: &LogId, config: &NatsConfig) -> Config {
    Config {
        name: subjects::registry_stream(log),
        subjects: vec![subjects::registry_all(log)],
        deny_delete: true,
        deny_purge: true,
        allow_direct: true,
        allow_atomic_publish: true,
        // A full log must refuse, never forget.
        discard: DiscardPolicy::New,
        ..stored(config)
    }
}

/// A request queue: a message is there until it is finished, and a subject holds one message at most. Not synced one by
/// one: see `submit`.
pub(super) fn requests(log: &LogId, config: &NatsConfig) -> Config {
    Config {
        name: subjects::requests_stream(log),
        subjects: vec![subjects::requests_all(log)],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        max_messages_per_subject: 1,
        max_messages: limit(config.limits.requests_waiting),
        max_bytes: REQUESTS_BYTES_MAX,
        // A server that has copies elsewhere has no such mode.
        persist_mode: (config.replicas == 1).then_some(PersistenceMode::Async),
        ..stored(config)
    }
}

/// Rejected attempts: bounded by age, number and size, the oldest go first.
pub(super) fn attempts(log: &LogId, config: &NatsConfig) -> Config {
    Config {
        name: subjects::attempts_stream(log),
        subjects: vec![subjects::attempts(log)],
        max_messages: limit(config.limits.attempts.entries),
        max_bytes: limit(config.limits.attempts.bytes),
        max_age: age(config.limits.attempts.age_ms),
        allow_direct: true,
        allow_atomic_publish: true,
        ..stored(config)
    }
}

/// Device messages: bounded by age and size, the oldest go first.
pub(super) fn messages(instance: &InstanceId, config: &NatsConfig) -> Config {
    Config {
        name: subjects::messages_stream(instance),
        subjects: vec![subjects::messages_all(instance)],
        max_messages: limit(config.limits.messages.entries),
        max_bytes: limit(config.limits.messages.bytes),
        max_age: age(config.limits.messages.age_ms),
        allow_direct: true,
        allow_atomic_publish: true,
        ..stored(config)
    }
}

/// Presence: the last change of each device and the last heartbeat of each connector. What outlives its use carries a time
/// to live of its own.
///
/// On disk where there is one server, although presence is worth nothing after a while: a stream in memory goes with the
/// server's process, definition and all, and those who need it (connectors) may not make it again. It is not synced one by
/// one; what a crash loses is announced again, and what it leaves is believed only as long as its connector's lease. With
/// replicas the definition is in all of them, and what one loses it gets from the others: there it stays in memory.
pub(super) fn presence(instance: &InstanceId, config: &NatsConfig) -> Config {
    let alone = config.replicas == 1;
    Config {
        name: subjects::presence_stream(instance),
        subjects: vec![subjects::presence_all(instance)],
        storage: if alone { StorageType::File } else { StorageType::Memory },
        persist_mode: alone.then_some(PersistenceMode::Async),
        discard: DiscardPolicy::New,
        max_messages: PRESENCE_ENTRIES_MAX,
        max_messages_per_subject: 1,
        allow_direct: true,
        allow_message_ttl: true,
        // A consumer would skip a change that has been replaced before its turn.
        republish: Some(Republish {
            source: subjects::presence_all(instance),
            destination: subjects::presence_repeated(instance),
            headers_only: false,
        }),
        ..stored(config)
    }
}

/// Registrars' announcements: the last of each registrar and shard. Kept as [`presence`] is.
pub(super) fn heartbeats(config: &NatsConfig) -> Config {
    let alone = config.replicas == 1;
    let sources = REGISTRARS_MAX as u64 * u64::from(SHARDS);
    Config {
        name: subjects::HEARTBEATS_STREAM.to_owned(),
        subjects: vec![subjects::HEARTBEATS_ALL.to_owned()],
        storage: if alone { StorageType::File } else { StorageType::Memory },
        persist_mode: alone.then_some(PersistenceMode::Async),
        max_messages: limit(sources),
        max_messages_per_subject: 1,
        max_age: KEPT,
        allow_direct: true,
        ..stored(config)
    }
}

/// Documents: the latest of each key, and refused rather than forgotten when there is no room.
pub(super) fn documents(instance: &InstanceId, config: &NatsConfig) -> Config {
    Config {
        name: subjects::documents_stream(instance),
        subjects: vec![subjects::documents_all(instance)],
        discard: DiscardPolicy::New,
        max_messages_per_subject: 1,
        max_bytes: limit(config.limits.documents_bytes),
        allow_atomic_publish: true,
        allow_message_ttl: true,
        ..stored(config)
    }
}

/// What all have in common: on disk, unlimited unless said otherwise.
fn stored(config: &NatsConfig) -> Config {
    Config {
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        max_messages: NONE,
        max_bytes: NONE,
        max_messages_per_subject: NONE,
        num_replicas: config.replicas,
        ..Config::default()
    }
}

/// A limit as JetStream says it: what is beyond its range is none.
fn limit(max: u64) -> i64 {
    i64::try_from(max).unwrap_or(NONE)
}

fn age(max_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(max_ms).unwrap_or(0))
}

/// Makes the stream if it is not there, compares it with its declaration if it is.
pub(super) async fn declare(connection: &Connection, wanted: Config) -> Result<Info, BackboneError> {
    let attempted = || format!("declaring stream {}", wanted.name);
    let found = match info(connection, &wanted.name, attempted).await? {
        Some(found) => found,
        None => create(connection, &wanted, attempted).await?,
    };
    let difference = differences(&found.config, &wanted);
    if difference.is_empty() {
        return Ok(found);
    }
    Err(BackboneError::StreamDiffers { stream: wanted.name, difference: difference.join("; ") })
}

/// What a stream is now; `None` if there is none.
pub(super) async fn info(
    connection: &Connection,
    name: &str,
    attempted: impl Fn() -> String,
) -> Result<Option<Info>, BackboneError> {
    let lookup = async {
        match connection.jetstream.get_stream(name).await {
            Ok(stream) => Ok(Some(stream.cached_info().clone())),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(cause) if cause.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
                _ => Err(error),
            },
        }
    };
    connection.within(attempted, lookup).await
}

/// What a stream that must be there is now.
pub(super) async fn existing(
    connection: &Connection,
    name: &str,
    attempted: impl Fn() -> String,
) -> Result<Info, BackboneError> {
    info(connection, name, attempted).await?.ok_or_else(|| BackboneError::Damaged {
        what: format!("stream {name}"),
        reason: "it does not exist: open it first; if it was there before, it has been deleted".to_owned(),
    })
}

async fn create(connection: &Connection, wanted: &Config, attempted: impl Fn() -> String) -> Result<Info, BackboneError> {
    let creation = async {
        match connection.jetstream.create_stream(wanted.clone()).await {
            Ok(stream) => Ok(Some(stream.cached_info().clone())),
            Err(error) => match error.kind() {
                // Somebody else was faster, with other settings: look at theirs.
                CreateStreamErrorKind::JetStream(cause) if cause.error_code() == ErrorCode::STREAM_NAME_EXIST => Ok(None),
                _ => Err(error),
            },
        }
    };
    let gone = || BackboneError::Unavailable {
        attempted: attempted(),
        reason: "it was made and deleted again by somebody else meanwhile".to_owned(),
    };
    match connection.within(&attempted, creation).await? {
        Some(created) => Ok(created),
        None => info(connection, &wanted.name, &attempted).await?.ok_or_else(gone),
    }
}

/// Tells this stream from a later one of the same name.
pub(super) fn identity(info: &Info) -> StreamIdentity {
    StreamIdentity(format!("{}@{}", info.config.name, info.created.unix_timestamp_nanos()))
}

fn differences(found: &Config, wanted: &Config) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |setting: &str, found: String, wanted: String| {
        if found != wanted {
            differences.push(format!("{setting} is {found}, wanted {wanted}"));
        }
    };
    macro_rules! settings {
        ($($field:ident),+) => { $( compare(stringify!($field), format!("{:?}", found.$field), format!("{:?}", wanted.$field)); )+ };
    }
    settings!(
        subjects,
        retention,
        discard,
        discard_new_per_subject,
        max_messages,
        max_bytes,
        max_messages_per_subject,
        max_age,
        storage,
        num_replicas,
        deny_delete,
        deny_purge,
        allow_direct,
        allow_atomic_publish,
        allow_message_ttl,
        allow_rollup,
        no_ack,
        sealed,
        mirror,
        sources,
        subject_transform,
        republish
    );
    compare(
        "persist_mode",
        format!("{:?}", found.persist_mode.unwrap_or_default()),
        format!("{:?}", wanted.persist_mode.unwrap_or_default()),
    );
    differences
}
