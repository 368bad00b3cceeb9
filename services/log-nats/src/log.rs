//! The registry log on JetStream: a stream for each, appended to in atomic batches at an expected last sequence.
//!
//! Invariants: a position is a stream sequence; a follower checks that each is the one after the last and that the stream
//! is still the one it began with, and stops with [`BackboneError::Damaged`] when it is not. Whether an append that got no
//! answer took place is not decided here: the caller reads the log.

mod beside;

use std::sync::Arc;

use async_nats::{header, jetstream::stream::Info};
use async_trait::async_trait;
use rollcall_domain::ids::{LogId, Position};
use rollcall_log::{
    BackboneError,
    log::{
        AppendError, BATCH_RECORDS_MAX, Batch, Entry, Followed, Follower, NewRecord, READ_BYTES_MAX, RegistryLog,
        StreamIdentity,
    },
};

use super::{
    connection::Connection,
    streams::{
        self,
        atomic::{self, StoreError},
        direct,
        follow::{self, Reader},
        replay::Stored,
    },
    subjects,
};

/// See [`RegistryLog`].
pub(super) struct NatsLog {
    connection: Arc<Connection>,
}

impl NatsLog {
    pub(super) const fn new(connection: Arc<Connection>) -> Self {
        Self { connection }
    }

    /// After a batch that the server says it never had whole: did it refuse it at the first message, because the log ends
    /// elsewhere, and was that answer lost for want of a reply subject?
    async fn explain(&self, log: &LogId, expected: Position) -> AppendError {
        match self.last(log).await {
            Ok(last) if last != expected => AppendError::Conflict { expected },
            Ok(_) => AppendError::Backbone(BackboneError::Unavailable {
                attempted: attempted(log, expected),
                reason: "the server lost a part of the batch".to_owned(),
            }),
            Err(error) => AppendError::Backbone(error),
        }
    }
}

fn attempted(log: &LogId, expected: Position) -> String {
    format!("appending to the log of {log} after {expected}")
}

#[async_trait]
impl RegistryLog for NatsLog {
    /// Opens with the log everything else that it needs: a registrar opens logs, and only a registrar's account may make
    /// streams. Other processes find them.
    async fn open(&self, log: &LogId) -> Result<StreamIdentity, BackboneError> {
        streams::open_log(&self.connection, log).await.map(|info| streams::identity(&info))
    }

    async fn last(&self, log: &LogId) -> Result<Position, BackboneError> {
        let name = subjects::registry_stream(log);
        let attempted = || format!("looking for the end of the log of {log}");
        let info = streams::existing(&self.connection, &name, attempted).await?;
        Ok(Position(info.state.last_sequence))
    }

    async fn append(&self, log: &LogId, expected: Position, batch: Batch) -> Result<Position, AppendError> {
        batch.check()?;
        let subject = subjects::registry_record(log);
        let message = |NewRecord { record: payload, request_sha256 }| {
            let headers = beside::request_sha256_header(request_sha256);
            atomic::Message { subject: subject.clone(), headers, payload }
        };
        let mut messages: Vec<_> = batch.records.into_iter().map(message).collect();
        if let Some(first) = messages.first_mut() {
            first.headers.insert(header::NATS_EXPECTED_LAST_SEQUENCE, expected.to_string());
            beside::put_seal(&mut first.headers, batch.seal.as_ref());
        }
        match atomic::store(&self.connection, || attempted(log, expected), messages).await {
            Ok(last) => Ok(Position(last)),
            Err(StoreError::WrongLastSequence) => Err(AppendError::Conflict { expected }),
            Err(StoreError::Incomplete) => Err(self.explain(log, expected).await),
            Err(StoreError::StreamLimit(reason)) => {
                Err(BackboneError::Unavailable { attempted: attempted(log, expected), reason }.into())
            }
            Err(StoreError::Backbone(error)) => Err(error.into()),
        }
    }

    /// Without a consumer. Any replica may answer, and one that lags behind knows less than the caller may have been told:
    /// an answer that would mean the end is compared with the end itself.
    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        let max = max.min(BATCH_RECORDS_MAX);
        if max == 0 {
            return Ok(Vec::new());
        }
        let stream = subjects::registry_stream(log);
        let damaged = |reason| BackboneError::Damaged { what: format!("stream {stream}"), reason };
        let mut entries = Vec::new();
        for held in direct::after(&self.connection, &stream, after.0, max, READ_BYTES_MAX).await? {
            let last = entries.last().map_or(after, |entry: &Entry| entry.position);
            if held.sequence != last.next().0 {
                return Err(damaged(format!("{} follows on {last}: what was between is gone", held.sequence)));
            }
            let (seal, request_sha256) = beside::read(Some(&held.headers));
            entries.push(Entry { position: Position(held.sequence), record: held.payload, seal, request_sha256 });
        }
        if entries.is_empty() {
            let end = self.last(log).await?;
            if end > after {
                return Err(BackboneError::Unavailable {
                    attempted: format!("reading the log of {log} after {after}"),
                    reason: format!("the replica that answered has not heard of what there is up to {end}: read again"),
                });
            }
        }
        Ok(entries)
    }

    async fn follow(&self, log: &LogId, after: Position) -> Result<Follower, BackboneError> {
        let stream = subjects::registry_stream(log);
        let reader = LogReader { stream: stream.clone(), last: after, identity: None, caught_up: false, interrupted: false };
        follow::follow(&self.connection, stream, subjects::registry_all(log), reader).await
    }
}

/// Sees to it that a log is read without a gap, and that it stays the log that it was.
struct LogReader {
    stream: String,
    last: Position,
    identity: Option<StreamIdentity>,
    /// Whether that was said since the last interruption.
    caught_up: bool,
    /// Whether that was said since the follower last caught up.
    interrupted: bool,
}

impl LogReader {
    fn damaged(&self, reason: String) -> BackboneError {
        BackboneError::Damaged { what: format!("stream {}", self.stream), reason }
    }
}

impl Reader for LogReader {
    type Item = Followed;

    fn start(&mut self, info: &Info) -> Result<u64, BackboneError> {
        let (last, end) = (self.last, info.state.last_sequence);
        let found = streams::identity(info);
        if *self.identity.get_or_insert_with(|| found.clone()) != found {
            return Err(self.damaged(format!("it was deleted and made again after {last} had been read")));
        }
        if last.0 > end {
            return Err(self.damaged(format!("it ends at {end}, but {last} has been read of it")));
        }
        Ok(last.0)
    }

    fn waiting(&mut self, pending: u64, end: u64) -> Result<Option<Followed>, BackboneError> {
        if pending == 0 && self.last.0 < end {
            let (last, next) = (self.last, self.last.next());
            return Err(self.damaged(format!("it ends at {end}, but nothing follows on {last}: {next} to {end} are gone")));
        }
        if self.caught_up || self.last.0 < end {
            return Ok(None);
        }
        (self.caught_up, self.interrupted) = (true, false);
        Ok(Some(Followed::CaughtUp(self.last)))
    }

    fn interrupted(&mut self, reason: &str) -> Option<Followed> {
        self.caught_up = false;
        let said = std::mem::replace(&mut self.interrupted, true);
        (!said).then(|| Followed::Interrupted { reason: reason.to_owned() })
    }

    fn read(&mut self, stored: Stored) -> Result<Option<Followed>, BackboneError> {
        let next = self.last.next();
        if stored.sequence != next.0 {
            let (last, found) = (self.last, stored.sequence);
            return Err(self.damaged(format!("{found} follows on {last}: everything from {next} to before {found} is gone")));
        }
        self.last = next;
        let (seal, request_sha256) = beside::read(stored.message.headers.as_ref());
        Ok(Some(Followed::Entry(Entry { position: next, record: stored.message.payload, seal, request_sha256 })))
    }
}
