//! Every stream, declared once. A live stream that differs from its declaration in what decides what is lost (retention,
//! a registry's limits, who may delete) is an error at start: a person must look. How much room a shard has is an operator's to change, and is
//! said once. Where the copies are differs only with a configuration that is wrong, here or there: an error for a process that would make streams by it.
//!
//! What is compared is what is declared here; what a server adds by itself (metadata, defaults) is not.
//!
//! Below it is how any of them is written (`atomic`, `group`) and read: from a position onward (`replay`, `follow`), what there is now
//! (`held`), a message by its place (`direct`), by taking (`pull`).

pub(crate) mod atomic;
pub(crate) mod direct;
pub(crate) mod follow;
pub(crate) mod group;
pub(crate) mod held;
pub(crate) mod pull;
pub(crate) mod replay;

use std::{collections::HashMap, fmt::Debug, time::Duration};

use async_nats::jetstream::{
    ErrorCode,
    context::{CreateStreamErrorKind, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, Info, PersistenceMode, Republish, RetentionPolicy, StorageType},
};
use rollcall_domain::ids::LogId;
use rollcall_log::{
    BackboneError,
    heartbeat::{KEPT, REGISTRARS_MAX, SHARDS},
    log::StreamIdentity,
    requests::REQUEST_AGE_MAX,
};

use super::{
    config::NatsConfig,
    connection::{
        Connection,
        full::{full, is_full},
    },
    subjects::{
        self,
        shards::{Shard, Shards},
    },
};

/// Devices and connectors whose presence one shard keeps.
const PRESENCE_ENTRIES_MAX: i64 = 4_000_000;
/// Where attempts of a shard begin in a fleet that version 0.1 made: after every attempt of the streams that logs had of
/// their own, so that positions rise from those to these.
const ATTEMPTS_FIRST_SINCE_0_1: u64 = 1 << 32;
/// Unlimited, as JetStream says it.
const NONE: i64 = -1;

/// What an operator may have changed of a stream on purpose: it counts as it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Adjustable {
    /// Nothing. A limit of a registry log decides whether something is forgotten.
    Nothing,
    /// How much there is room for; more is refused.
    Room,
    /// How much and how long is kept; the oldest go.
    RoomAndAge,
}

/// A stream as it is to be.
pub(super) struct Declaration {
    config: Config,
    adjustable: Adjustable,
}

/// A registry log: kept for ever, written in atomic batches, and closed to every kind of deletion. It reserves nothing.
/// The fleet's says how many shards there are.
pub(super) fn registry(log: &LogId, config: &NatsConfig) -> Declaration {
    let config = Config {
        name: subjects::registry_stream(log),
        subjects: vec![subjects::registry_all(log)],
        deny_delete: true,
        deny_purge: true,
        allow_direct: true,
        allow_atomic_publish: true,
        // A full log must refuse, never forget.
        discard: DiscardPolicy::New,
        metadata: match log {
            LogId::Fleet => Shards::write(config.limits.shards.count),
            LogId::Instance(_) => HashMap::new(),
        },
        ..stored(config)
    };
    Declaration { config, adjustable: Adjustable::Nothing }
}

/// A shard of request queues: a message is there until it is finished, and a subject holds one message at most. Not synced
/// one by one: see `submit`. What no registrar has taken for a day, because its instance has been deleted, makes room.
pub(super) fn requests(shard: Shard, config: &NatsConfig) -> Declaration {
    let limits = &config.limits;
    let config = Config {
        name: subjects::requests_stream(shard),
        subjects: vec![subjects::requests_all(shard)],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        max_messages_per_subject: 1,
        max_messages: limit(limits.requests_waiting),
        max_bytes: limit(limits.shards.requests_bytes),
        max_age: REQUEST_AGE_MAX,
        // A server that has copies elsewhere has no such mode.
        persist_mode: (config.replicas == 1).then_some(PersistenceMode::Async),
        ..stored(config)
    };
    Declaration { config, adjustable: Adjustable::Room }
}

/// A shard of rejected attempts: bounded by age, number for each log and submitter, and size together; the oldest go first.
pub(super) fn attempts(shard: Shard, shards: Shards, config: &NatsConfig) -> Declaration {
    let limits = &config.limits;
    let config = Config {
        name: subjects::attempts_stream(shard),
        subjects: vec![subjects::attempts_all(shard)],
        max_messages_per_subject: limit(limits.shards.attempts_of_submitter),
        max_bytes: limit(limits.shards.attempts_bytes),
        max_age: age(limits.attempts.age_ms),
        first_sequence: shards.since_0_1.then_some(ATTEMPTS_FIRST_SINCE_0_1),
        allow_direct: true,
        allow_atomic_publish: true,
        ..stored(config)
    };
    Declaration { config, adjustable: Adjustable::RoomAndAge }
}

/// A shard of device messages: bounded by age, number for each device, and size together; the oldest go first.
pub(super) fn messages(shard: Shard, config: &NatsConfig) -> Declaration {
    let limits = &config.limits;
    let config = Config {
        name: subjects::messages_stream(shard),
        subjects: vec![subjects::messages_all(shard)],
        max_messages_per_subject: limit(limits.shards.messages_of_device),
        max_bytes: limit(limits.shards.messages_bytes),
        max_age: age(limits.messages.age_ms),
        allow_direct: true,
        allow_atomic_publish: true,
        ..stored(config)
    };
    Declaration { config, adjustable: Adjustable::RoomAndAge }
}

/// A shard of presence: the last change of each device and the last heartbeat of each connector. What outlives its use
/// carries a time to live of its own.
///
/// On disk where there is one server, although presence is worth nothing after a while: a stream in memory goes with the
/// server's process, definition and all, and those who need it (connectors) may not make it again. It is not synced one by
/// one; what a crash loses is announced again, and what it leaves is believed only as long as its connector's lease. With
/// replicas the definition is in all of them, and what one loses it gets from the others: there it stays in memory.
pub(super) fn presence(shard: Shard, config: &NatsConfig) -> Declaration {
    let alone = config.replicas == 1;
    let config = Config {
        name: subjects::presence_stream(shard),
        subjects: vec![subjects::presence_all(shard)],
        storage: if alone { StorageType::File } else { StorageType::Memory },
        persist_mode: alone.then_some(PersistenceMode::Async),
        discard: DiscardPolicy::New,
        max_messages: PRESENCE_ENTRIES_MAX,
        max_messages_per_subject: 1,
        allow_direct: true,
        allow_message_ttl: true,
        // A consumer would skip a change that has been replaced before its turn.
        republish: Some(Republish {
            source: subjects::presence_all(shard),
            destination: subjects::presence_repeated(shard),
            headers_only: false,
        }),
        ..stored(config)
    };
    Declaration { config, adjustable: Adjustable::Room }
}

/// Registrars' announcements: the last of each registrar and shard. Kept as [`presence`] is.
pub(super) fn heartbeats(config: &NatsConfig) -> Declaration {
    let alone = config.replicas == 1;
    let sources = REGISTRARS_MAX as u64 * u64::from(SHARDS);
    let config = Config {
        name: subjects::HEARTBEATS_STREAM.to_owned(),
        subjects: vec![subjects::HEARTBEATS_ALL.to_owned()],
        storage: if alone { StorageType::File } else { StorageType::Memory },
        persist_mode: alone.then_some(PersistenceMode::Async),
        max_messages: limit(sources),
        max_messages_per_subject: 1,
        max_age: KEPT,
        allow_direct: true,
        ..stored(config)
    };
    Declaration { config, adjustable: Adjustable::Room }
}

/// A shard of documents: the latest of each key, and refused rather than forgotten when there is no room.
pub(super) fn documents(shard: Shard, config: &NatsConfig) -> Declaration {
    let config = Config {
        name: subjects::documents_stream(shard),
        subjects: vec![subjects::documents_all(shard)],
        discard: DiscardPolicy::New,
        max_messages_per_subject: 1,
        max_bytes: limit(config.limits.shards.documents_bytes),
        // By subject, for connectors, whose accounts name those of sessions.
        allow_direct: true,
        allow_atomic_publish: true,
        allow_message_ttl: true,
        ..stored(config)
    };
    Declaration { config, adjustable: Adjustable::Room }
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

impl Connection {
    /// The fleet's shards: looked up once, for they never change. Makes the fleet's log for it if it is not there and this
    /// process declares streams.
    pub(super) async fn shards(&self) -> Result<Shards, BackboneError> {
        if let Some(shards) = self.known_shards() {
            return Ok(shards);
        }
        let info = open(self, registry(&LogId::Fleet, &self.config)).await?;
        Ok(self.know_shards(Shards::read(&info.config.name, &info.config.metadata)?))
    }
}

/// Opens the streams that a log needs: its shards of everything, and its own registry last, so that a broker without room
/// for a shard is left without a registry that nothing could be asked of.
pub(super) async fn open_log(connection: &Connection, log: &LogId) -> Result<Info, BackboneError> {
    match log {
        LogId::Fleet => open_fleet(connection).await,
        LogId::Instance(_) => {
            let shards = connection.shards().await?;
            open_shard(connection, shards, shards.of(log)).await?;
            open(connection, registry(log, &connection.config)).await
        }
    }
}

/// The fleet's log brings all shards, so that what they reserve is reserved once, before there is an instance. One that
/// finds no room is said and left out, and the instances that need it are refused.
async fn open_fleet(connection: &Connection) -> Result<Info, BackboneError> {
    let info = open(connection, registry(&LogId::Fleet, &connection.config)).await?;
    let shards = connection.know_shards(Shards::read(&info.config.name, &info.config.metadata)?);
    open_queues(connection, shards, shards.of(&LogId::Fleet)).await?;
    if !connection.config.declares {
        return Ok(info);
    }
    for shard in shards.all() {
        match open_shard(connection, shards, shard).await {
            Err(error @ BackboneError::Full { .. }) => {
                connection.once(&format!("no room for {shard}"), || {
                    tracing::error!(%error, %shard, "there is no room for a shard: instances in it and in later ones cannot be made");
                });
                break;
            }
            opened => opened?,
        }
    }
    Ok(info)
}

/// The largest first: what does not fit in the end has reserved little.
async fn open_shard(connection: &Connection, shards: Shards, shard: Shard) -> Result<(), BackboneError> {
    open(connection, messages(shard, &connection.config)).await?;
    open(connection, documents(shard, &connection.config)).await?;
    open(connection, presence(shard, &connection.config)).await?;
    open_queues(connection, shards, shard).await
}

async fn open_queues(connection: &Connection, shards: Shards, shard: Shard) -> Result<(), BackboneError> {
    open(connection, requests(shard, &connection.config)).await?;
    open(connection, attempts(shard, shards, &connection.config)).await.map(|_info| ())
}

/// Makes the stream if it is not there and this process declares streams; compares it with its declaration if it is.
pub(super) async fn open(connection: &Connection, declaration: Declaration) -> Result<Info, BackboneError> {
    let Declaration { config: wanted, adjustable } = declaration;
    let attempted = || format!("opening stream {}", wanted.name);
    let found = match info(connection, &wanted.name, attempted).await? {
        Some(found) => found,
        None if !connection.config.declares => {
            let reason = "it is not there yet: a registrar makes it".to_owned();
            return Err(BackboneError::Unavailable { attempted: attempted(), reason });
        }
        None => create(connection, &wanted, attempted).await?,
    };
    let compared = Compared::new(&found.config, &wanted, adjustable, connection.config.declares);
    if !compared.adjusted.is_empty() {
        let adjusted = compared.adjusted.join("; ");
        connection.once(&format!("{} {adjusted}", wanted.name), || {
            tracing::info!(
                stream = wanted.name,
                adjusted,
                "the stream's limits are not the usual ones: they count as they are"
            );
        });
    }
    if compared.differences.is_empty() {
        return Ok(found);
    }
    Err(BackboneError::StreamDiffers { stream: wanted.name, difference: compared.differences.join("; ") })
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

/// What became of making a stream.
enum Made {
    Stream(Box<Info>),
    /// Another process was faster, with other settings: look at those.
    ByAnother,
    /// The broker has no room; its words.
    NoRoom(String),
}

async fn create(connection: &Connection, wanted: &Config, attempted: impl Fn() -> String) -> Result<Info, BackboneError> {
    let creation = async {
        match connection.jetstream.create_stream(wanted.clone()).await {
            Ok(stream) => Ok(Made::Stream(Box::new(stream.cached_info().clone()))),
            Err(error) => match error.kind() {
                CreateStreamErrorKind::JetStream(cause) if cause.error_code() == ErrorCode::STREAM_NAME_EXIST => {
                    Ok(Made::ByAnother)
                }
                CreateStreamErrorKind::JetStream(cause) if is_full(cause.error_code().0) => {
                    Ok(Made::NoRoom(cause.to_string()))
                }
                _ => Err(error),
            },
        }
    };
    let gone = || BackboneError::Unavailable {
        attempted: attempted(),
        reason: "it was made and deleted again by another process meanwhile".to_owned(),
    };
    match connection.within(&attempted, creation).await? {
        Made::Stream(made) => Ok(*made),
        Made::ByAnother => info(connection, &wanted.name, &attempted).await?.ok_or_else(gone),
        Made::NoRoom(reason) => Err(full(connection, attempted(), reason).await),
    }
}

/// Tells this stream from a later one of the same name.
pub(super) fn identity(info: &Info) -> StreamIdentity {
    StreamIdentity(format!("{}@{}", info.config.name, info.created.unix_timestamp_nanos()))
}

/// How a stream that was found stands to its declaration.
struct Compared {
    /// What must not be.
    differences: Vec<String>,
    /// What was changed on purpose.
    adjusted: Vec<String>,
}

impl Compared {
    /// Where the copies are is compared by processes that make streams: one that only looks keeps to what it finds.
    fn new(found: &Config, wanted: &Config, adjustable: Adjustable, declares: bool) -> Self {
        let mut compared = Self { differences: Vec::new(), adjusted: Vec::new() };
        macro_rules! settings {
            ($($field:ident),+) => {
                $( compared.differences.extend(difference(stringify!($field), &found.$field, &wanted.$field)); )+
            };
        }
        settings!(
            subjects,
            retention,
            discard,
            discard_new_per_subject,
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
        let room = [
            difference("max_messages", &found.max_messages, &wanted.max_messages),
            difference("max_bytes", &found.max_bytes, &wanted.max_bytes),
        ];
        let age = [
            difference("max_age", &found.max_age, &wanted.max_age),
            difference("max_messages_per_subject", &found.max_messages_per_subject, &wanted.max_messages_per_subject),
        ];
        let (room, age) = (room.into_iter().flatten(), age.into_iter().flatten());
        match adjustable {
            Adjustable::Nothing => compared.differences.extend(room.chain(age)),
            Adjustable::Room => {
                compared.adjusted.extend(room);
                compared.differences.extend(age);
            }
            Adjustable::RoomAndAge => compared.adjusted.extend(room.chain(age)),
        }
        if declares {
            compared.compare_copies(found, wanted);
        } else {
            compared.adjusted.clear();
        }
        compared
    }

    /// Where the copies are, and what follows from it.
    fn compare_copies(&mut self, found: &Config, wanted: &Config) {
        if let Some(difference) = difference("num_replicas", &found.num_replicas, &wanted.num_replicas) {
            let advice =
                "set `replicas` of this process to what the fleet's streams have, or have an operator change them all";
            self.differences.push(format!("{difference} ({advice})"));
            return;
        }
        let persist_mode = |config: &Config| config.persist_mode.unwrap_or_default();
        self.differences.extend(difference("persist_mode", &persist_mode(found), &persist_mode(wanted)));
        self.differences.extend(difference("storage", &found.storage, &wanted.storage));
    }
}

fn difference<T: PartialEq + Debug>(setting: &str, found: &T, wanted: &T) -> Option<String> {
    (found != wanted).then(|| format!("{setting} is {found:?}, wanted {wanted:?}"))
}
