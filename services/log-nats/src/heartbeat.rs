//! Registrars' announcements on JetStream: one small stream that holds the last one of each registrar and shard.
//!
//! It outlives its server, as presence does and for the same reason: those who follow it may not make it. What a registrar
//! that is gone has left goes away by its age.

use std::sync::Arc;

use async_nats::{HeaderMap, jetstream::stream::Info};
use async_trait::async_trait;
use bytes::Bytes;
use rollcall_log::{
    BackboneError,
    heartbeat::{Heard, Heartbeats, Source},
};
use tokio::sync::mpsc;

use super::{
    connection::Connection,
    streams::{
        self,
        atomic::{self, StoreError},
        follow::{self, Reader},
        replay::Stored,
    },
    subjects,
};

/// See [`Heartbeats`].
pub(super) struct NatsHeartbeats {
    connection: Arc<Connection>,
}

impl NatsHeartbeats {
    pub(super) const fn new(connection: Arc<Connection>) -> Self {
        Self { connection }
    }
}

#[async_trait]
impl Heartbeats for NatsHeartbeats {
    async fn open(&self) -> Result<(), BackboneError> {
        let wanted = streams::heartbeats(&self.connection.config);
        streams::open(&self.connection, wanted).await.map(|_info| ())
    }

    async fn announce(&self, source: &Source, announcement: Bytes) -> Result<(), BackboneError> {
        let attempted = || format!("announcing registrar {}", source.registrar);
        let subject = subjects::heartbeat(&source.registrar, source.shard);
        let message = atomic::Message { subject, headers: HeaderMap::new(), payload: announcement };
        let unavailable = |reason: String| BackboneError::Unavailable { attempted: attempted(), reason };
        let stored = atomic::store(&self.connection, attempted, vec![message]).await;
        stored.map(|_sequence| ()).map_err(|error| match error {
            StoreError::Backbone(error) => error,
            StoreError::StreamLimit(reason) => unavailable(reason),
            StoreError::WrongLastSequence | StoreError::Incomplete => unavailable("the server refused it".to_owned()),
        })
    }

    async fn follow(&self) -> Result<mpsc::Receiver<Result<Heard, BackboneError>>, BackboneError> {
        let (stream, filter) = (subjects::HEARTBEATS_STREAM.to_owned(), subjects::HEARTBEATS_ALL.to_owned());
        follow::follow(&self.connection, stream, filter, AnnouncementReader).await
    }
}

/// Hands over every announcement, and after each interruption the last ones again: a server that was killed may have lost
/// some, and have given their sequences to others.
struct AnnouncementReader;

impl Reader for AnnouncementReader {
    type Item = Heard;

    fn start(&mut self, _info: &Info) -> Result<u64, BackboneError> {
        Ok(0)
    }

    fn waiting(&mut self, _pending: u64, _end: u64) -> Result<Option<Heard>, BackboneError> {
        Ok(None)
    }

    fn interrupted(&mut self, _reason: &str) -> Option<Heard> {
        Some(Heard::Interrupted)
    }

    fn read(&mut self, stored: Stored) -> Result<Option<Heard>, BackboneError> {
        Ok(Some(Heard::Announced(stored.message.payload)))
    }
}
