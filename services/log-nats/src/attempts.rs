//! Rejected attempts on JetStream: bounded shards, with one subject for each log and submitter, read together.
//!
//! A log of version 0.1 had a stream of its own: what is left in it is read first, until it has aged out.

use std::sync::Arc;

use async_nats::HeaderMap;
use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position};
use rollcall_log::{BackboneError, attempts::Attempts, log::Entry};

use super::{
    connection::Connection,
    streams::{
        self,
        atomic::{self, StoreError},
        held::Held,
    },
    subjects,
};

/// See [`Attempts`].
pub(super) struct NatsAttempts {
    connection: Arc<Connection>,
}

impl NatsAttempts {
    pub(super) const fn new(connection: Arc<Connection>) -> Self {
        Self { connection }
    }

    /// Reads on in one stream, up to `max` entries in all.
    async fn read_stream(
        &self,
        (stream, subject): (&str, &str),
        after: Position,
        max: usize,
        entries: &mut Vec<Entry>,
    ) -> Result<(), BackboneError> {
        let reading = || format!("reading rejected attempts on {subject}");
        let Some(info) = streams::info(&self.connection, stream, reading).await? else { return Ok(()) };
        if entries.len() >= max || after.0 >= info.state.last_sequence {
            return Ok(());
        }
        let mut held = Held::open(&self.connection, info, subject.to_owned(), after.0).await?;
        while entries.len() < max
            && let Some(stored) = held.next().await.map_err(|end| end.unavailable(reading))?
        {
            entries.push(Entry::bare(Position(stored.sequence), stored.message.payload));
        }
        Ok(())
    }
}

fn keeping(log: &LogId) -> String {
    format!("keeping rejected attempts of {log}")
}

#[async_trait]
impl Attempts for NatsAttempts {
    async fn keep(&self, log: &LogId, attempts: Vec<Bytes>) -> Result<(), BackboneError> {
        let shards = self.connection.shards().await?;
        let shard = shards.of(log);
        // A log's `open` has made the stream; a registrar makes it again if it has been deleted.
        streams::open(&self.connection, streams::attempts(shard, shards, &self.connection.config)).await?;
        let subject = subjects::attempts(shard, log, &self.connection.submitter);
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
        let shards = self.connection.shards().await?;
        let shard = shards.of(log);
        let mut entries = Vec::new();
        if shards.since_0_1 {
            // Positions of the shard begin after all of these.
            let own = (&*subjects::own::attempts_stream(log), &*subjects::own::attempts(log));
            self.read_stream(own, after, max, &mut entries).await?;
        }
        let sharded = (&*subjects::attempts_stream(shard), &*subjects::attempts_of_log(shard, log));
        self.read_stream(sharded, after, max, &mut entries).await?;
        Ok(entries)
    }
}
