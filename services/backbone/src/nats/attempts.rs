//! Rejected attempts on JetStream: one bounded stream for each log.

use std::sync::Arc;

use async_nats::HeaderMap;
use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position};

use super::{
    atomic::{self, StoreError},
    connection::Connection,
    replay::{Replay, ReplayEnd},
    streams, subjects,
};
use crate::{BackboneError, attempts::Attempts, log::Entry};

/// See [`Attempts`].
pub(super) struct NatsAttempts {
    connection: Arc<Connection>,
}

impl NatsAttempts {
    pub(super) const fn new(connection: Arc<Connection>) -> Self {
        Self { connection }
    }

    /// A log's [`open`](crate::log::RegistryLog::open) has declared the stream, so that this only looks: a connector may
    /// make none. A registrar makes it again if it has been deleted.
    async fn declare(&self, log: &LogId) -> Result<(), BackboneError> {
        let wanted = streams::attempts(log, &self.connection.config);
        streams::declare(&self.connection, wanted).await.map(|_info| ())
    }
}

fn keeping(log: &LogId) -> String {
    format!("keeping rejected attempts of {log}")
}

#[async_trait]
impl Attempts for NatsAttempts {
    async fn keep(&self, log: &LogId, attempts: Vec<Bytes>) -> Result<(), BackboneError> {
        self.declare(log).await?;
        let subject = subjects::attempts(log);
        for chunk in attempts.chunks(atomic::MESSAGES_MAX) {
            let messages = chunk.iter().map(|payload| atomic::Message {
                subject: subject.clone(),
                headers: HeaderMap::new(),
                payload: payload.clone(),
            });
            let unavailable = |reason: String| BackboneError::Unavailable { attempted: keeping(log), reason };
            atomic::store(&self.connection, || keeping(log), messages.collect()).await.map_err(|error| match error {
                StoreError::Backbone(error) => error,
                StoreError::StreamLimit(reason) => unavailable(reason),
                StoreError::WrongLastSequence | StoreError::Incomplete => unavailable("the batch was refused".to_owned()),
            })?;
        }
        Ok(())
    }

    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        let stream = subjects::attempts_stream(log);
        let reading = || format!("reading rejected attempts of {log}");
        let Some(info) = streams::info(&self.connection, &stream, reading).await? else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        if max == 0 || after.0 >= info.state.last_sequence {
            return Ok(entries);
        }
        let mut replay = Replay::open(&self.connection, info, &subjects::attempts(log), after.0).await?;
        let mut pending = replay.pending;
        while pending > 0 && entries.len() < max {
            let stored = replay.next().await.map_err(|end| match end {
                ReplayEnd::Again(reason) => BackboneError::Unavailable { attempted: reading(), reason },
                ReplayEnd::Final(error) => error,
            })?;
            pending = stored.pending;
            entries.push(Entry::bare(Position(stored.sequence), stored.message.payload));
        }
        Ok(entries)
    }
}
