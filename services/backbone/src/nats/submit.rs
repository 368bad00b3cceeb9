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
use tokio::time::Instant;

use super::{
    atomic::{self, StoreError},
    connection::Connection,
    shards::Shard,
    streams, subjects,
};
use crate::{
    BackboneError,
    requests::{RequestKind, Submitted},
};

/// How long it counts what a shard or a log was last found to hold.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// The server's words for a subject that holds as many messages as it may.
const PER_SUBJECT: &str = "maximum messages per subject exceeded";

/// Puts requests into shards, and keeps a log from taking more of one than its share: JetStream has limits for a stream
/// and for a subject, and none for the subjects of a log.
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
    is_full: bool,
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
        let subject = subjects::request(shard, log, kind, id);
        if self.has_its_share(connection, log, shard).await? {
            // What waits already is no more than before: whoever asks again is told so.
            if count(connection, &subjects::requests_stream(shard), subject, attempted).await? > 0 {
                return Ok(Submitted::AlreadyQueued);
            }
            let max = connection.config.limits.shards.requests_of_log;
            return Err(BackboneError::LimitReached { what: format!("the number of waiting requests of {log}"), max });
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
                tracing::warn!(%log, %shard, reason, "the shard's request queue is full");
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

    /// Whether a log has all that it may have, as far as this process knows; others may submit at the same time.
    async fn has_its_share(&self, connection: &Connection, log: &LogId, shard: Shard) -> Result<bool, BackboneError> {
        if let Some(is_full) = self.known(log) {
            return Ok(is_full);
        }
        let left = left(connection, log, shard).await?;
        let counted = Counted { at: Instant::now(), left: left.saturating_sub(1), is_full: left == 0 };
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).insert(log.clone(), counted);
        Ok(counted.is_full)
    }

    /// What was counted, less what has been submitted since; `None` if it is to be counted.
    fn known(&self, log: &LogId) -> Option<bool> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = counted.get_mut(log).filter(|counted| counted.at.elapsed() < COUNT_EVERY)?;
        if !counted.is_full {
            counted.left = counted.left.checked_sub(1)?;
        }
        Some(counted.is_full)
    }
}

/// What a log has left of its share. Its subjects are counted only when the whole shard has as many: that is cheap to ask.
async fn left(connection: &Connection, log: &LogId, shard: Shard) -> Result<u64, BackboneError> {
    let (stream, max) = (subjects::requests_stream(shard), connection.config.limits.shards.requests_of_log);
    let attempted = || format!("counting the waiting requests of {log}");
    // No stream: storing will say so.
    let Some(info) = streams::info(connection, &stream, attempted).await? else { return Ok(max) };
    if info.state.messages < max {
        return Ok(max - info.state.messages);
    }
    Ok(max.saturating_sub(count(connection, &stream, subjects::requests_of_log(shard, log), attempted).await?))
}

/// How many subjects of a stream match a filter.
async fn count(
    connection: &Connection,
    stream: &str,
    filter: String,
    attempted: impl Fn() -> String,
) -> Result<u64, BackboneError> {
    let counting = async {
        let stream = connection.jetstream.get_stream_no_info(stream).await.map_err(|error| error.to_string())?;
        let subjects = stream.info_with_subjects(filter).await.map_err(|error| error.to_string())?;
        let count = subjects.try_fold(0_u64, |count, _subject| std::future::ready(Ok(count + 1))).await;
        count.map_err(|error| error.to_string())
    };
    connection.within(attempted, counting).await
}
