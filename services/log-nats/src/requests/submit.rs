//! How a request gets into the queue: one conditional publish, answered for itself.
//!
//! Not a batch: a batch with one request that waits already is refused whole, and says not which. So that requests need no
//! sync of their own each, the stream of one server is written asynchronously (see `streams`): 70,000 a second instead
//! of one thousand, and what a crash of the server loses is a device that tries again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_nats::{HeaderMap, header};
use bytes::Bytes;
use futures_util::TryStreamExt;
use rollcall_domain::ids::{LogId, RequestId};
use rollcall_log::{
    BackboneError,
    requests::{RequestKind, Submitted},
};
use tokio::time::Instant;

use crate::{
    connection::Connection,
    streams::{
        self,
        atomic::{self, StoreError},
    },
    subjects::{self, shards::Shard, submitter::Submitter},
};

/// How long it counts what a shard or a log was last found to hold.
pub(super) const COUNT_EVERY: Duration = Duration::from_secs(1);

/// The server's words for a subject that holds as many messages as it may.
const PER_SUBJECT: &str = "maximum messages per subject exceeded";

/// Puts requests into shards, and keeps a log from taking more of one than its share, and this process from taking more of
/// the log's than its own: JetStream has limits for a stream and for a subject, and none for subjects that begin alike.
/// A process that does not keep to it is brought back to it by registrars: see `bound`.
#[derive(Default)]
pub(super) struct Submissions {
    /// What each log that requests were submitted to had left of its share when that was last counted.
    counted: Mutex<HashMap<LogId, Counted>>,
}

#[derive(Clone, Copy)]
struct Counted {
    at: Instant,
    /// What may be submitted before it is counted again.
    left: u64,
    full: Option<Share>,
}

/// Of what there is no more.
#[derive(Clone, Copy)]
enum Share {
    OfLog,
    OfSubmitter,
}

impl Submissions {
    /// Stores a request if its subject is empty.
    pub(super) async fn store(
        &self,
        connection: &Connection,
        log: &LogId,
        kind: RequestKind,
        id: &RequestId,
        request: Bytes,
    ) -> Result<Submitted, BackboneError> {
        let attempted = || format!("queueing request {id} of {log}");
        let shard = connection.shards().await?.of(log);
        let submitter = connection.submitter.clone();
        let subject = subjects::Request { log: log.clone(), kind, submitter, id: id.clone() }.subject(shard);
        if let Some(full) = self.full(connection, log, shard).await? {
            // What waits already is no more than before: a caller that asks again is told so.
            if count(connection, &subjects::requests_stream(shard), subject, attempted).await? > 0 {
                return Ok(Submitted::AlreadyQueued);
            }
            let (limits, submitter) = (&connection.config.limits.shards, &connection.submitter);
            let (what, max) = match full {
                Share::OfLog => (format!("the number of waiting requests of {log}"), limits.requests_of_log),
                Share::OfSubmitter => {
                    (format!("the number of waiting requests of {log} by {submitter}"), limits.requests_of_submitter)
                }
            };
            return Err(BackboneError::LimitReached { what, max });
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
        let message = atomic::Message { subject, headers, payload: request };
        match atomic::store(connection, attempted, vec![message]).await {
            Ok(_sequence) => Ok(Submitted::Queued),
            Err(StoreError::WrongLastSequence) => Ok(Submitted::AlreadyQueued),
            // Nothing was on its subject a moment ago: the server holds what it could not write, and counts it.
            Err(StoreError::StreamLimit(reason)) if reason == PER_SUBJECT => Err(BackboneError::Unavailable {
                attempted: attempted(),
                reason: "the server holds it and has not written it: its disk may be full".to_owned(),
            }),
            Err(StoreError::StreamLimit(reason)) => {
                if let Some(left_out) = connection.repeats("queues").failed(&reason) {
                    tracing::warn!(%log, %shard, reason, left_out, "the shard's request queue is full");
                }
                Err(BackboneError::LimitReached {
                    what: format!(
                        "the number or bytes of waiting requests in shard {shard}, which {log} shares with others"
                    ),
                    max: connection.config.limits.requests_waiting,
                })
            }
            Err(StoreError::Incomplete) => Err(BackboneError::Unavailable {
                attempted: attempted(),
                reason: "the server speaks of a batch that was none".to_owned(),
            }),
            Err(StoreError::Backbone(error)) => Err(error),
        }
    }

    /// Of what a log or this process has all that it may have, as far as it knows; others may submit at the same time.
    async fn full(&self, connection: &Connection, log: &LogId, shard: Shard) -> Result<Option<Share>, BackboneError> {
        if let Some(full) = self.known(log) {
            return Ok(full);
        }
        let (share, left) = left(connection, log, shard).await?;
        let full = (left == 0).then_some(share);
        let counted = Counted { at: Instant::now(), left: left.saturating_sub(1), full };
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).insert(log.clone(), counted);
        Ok(full)
    }

    /// What was counted, less what has been submitted since; `None` if it is to be counted.
    fn known(&self, log: &LogId) -> Option<Option<Share>> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = counted.get_mut(log).filter(|counted| counted.at.elapsed() < COUNT_EVERY)?;
        if counted.full.is_none() {
            counted.left = counted.left.checked_sub(1)?;
        }
        Some(counted.full)
    }
}

/// What is left for this process to submit, and of which share. Subjects are counted only when the whole shard has as many: that
/// is cheap to ask.
async fn left(connection: &Connection, log: &LogId, shard: Shard) -> Result<(Share, u64), BackboneError> {
    let (stream, limits) = (subjects::requests_stream(shard), &connection.config.limits.shards);
    let attempted = || format!("counting the waiting requests of {log}");
    // No stream: storing will say so.
    let info = streams::info(connection, &stream, attempted).await?;
    let waiting = info.map_or(0, |info| info.state.messages);
    if waiting < limits.requests_of_submitter.min(limits.requests_of_log) {
        return Ok((Share::OfLog, limits.requests_of_submitter.min(limits.requests_of_log) - waiting));
    }
    let mut of_each: HashMap<Submitter, u64> = HashMap::new();
    let found = |subject: &str| {
        if let Ok(request) = subjects::Request::read(subject) {
            *of_each.entry(request.submitter).or_default() += 1;
        }
    };
    each_subject(connection, &stream, subjects::requests_of_log(shard, log), attempted, found).await?;
    // What a submitter has beyond its share is removed: it takes nothing of the others'.
    let share = |submitter: &Submitter| submitter.user().map_or(u64::MAX, |_user| limits.requests_of_submitter);
    let of_log = of_each.iter().map(|(submitter, count)| (*count).min(share(submitter))).sum();
    let own = of_each.get(&connection.submitter).copied().unwrap_or_default();
    let of_log = limits.requests_of_log.saturating_sub(of_log);
    let own = share(&connection.submitter).saturating_sub(own);
    Ok(if own < of_log { (Share::OfSubmitter, own) } else { (Share::OfLog, of_log) })
}

/// How many subjects of a stream match a filter.
async fn count(
    connection: &Connection,
    stream: &str,
    filter: String,
    attempted: impl Fn() -> String,
) -> Result<u64, BackboneError> {
    let mut count = 0;
    each_subject(connection, stream, filter, attempted, |_subject| count += 1).await?;
    Ok(count)
}

/// Calls `found` with every subject of a stream that matches a filter and holds something.
pub(super) async fn each_subject(
    connection: &Connection,
    stream: &str,
    filter: String,
    attempted: impl Fn() -> String,
    mut found: impl FnMut(&str),
) -> Result<(), BackboneError> {
    let reading = async {
        let stream = connection.jetstream.get_stream_no_info(stream).await.map_err(|error| error.to_string())?;
        let mut subjects = stream.info_with_subjects(filter).await.map_err(|error| error.to_string())?;
        while let Some((subject, _messages)) = subjects.try_next().await.map_err(|error| error.to_string())? {
            found(&subject);
        }
        Ok::<_, String>(())
    };
    connection.within(attempted, reading).await
}
