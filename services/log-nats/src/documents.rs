//! Documents on JetStream: shards, one subject for each key, which holds one message: the latest. What version 0.1 kept in
//! streams of instances' own is copied before an instance's documents are used: see `copy`.
//!
//! Invariants: a revision is a stream sequence, and a write names the one it expects of its subject; what was deleted
//! leaves a message that says so, for a while, which reads as no document and is written over like none. Reads ask the
//! stream's leader: another replica may not have heard yet of what a writer has been told is there. Documents of sessions
//! and wills alone are read from any replica: a connector's account can be let read them only by subject. What is
//! written by what was read too early is a conflict.

mod copy;
mod sessions;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::{
    HeaderMap, header,
    jetstream::{message::StreamMessage, stream::RawMessageErrorKind},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use rollcall_domain::ids::LogId;
use rollcall_log::{
    BackboneError,
    documents::{Document, DocumentKey, Documents, PutError, Revision, SessionDocuments, check_size},
};

use super::{
    connection::Connection,
    streams::{
        self,
        atomic::{self, StoreError},
        group::{Group, Size, Waiting},
    },
    subjects::{self, shards::Shard},
};

/// The header that says that a document was deleted, named as key-value buckets of NATS name it.
const OPERATION: &str = "KV-Operation";
const DELETED: &str = "DEL";
/// How long the message that says so is kept: it is not read, but it takes the body away.
const DELETED_KEPT: Duration = Duration::from_secs(60);
/// So many writes are stored one by one; more of them share a batch and its sync.
const SINGLY_MAX: usize = 16;
/// How often a put looks again at what was deleted, when that keeps changing.
const TRIES_MAX: usize = 5;

/// The sequence of what was stored; `None` if the subject's last one was not the expected one.
type Answer = Option<u64>;

type Writer = Group<atomic::Message, Answer>;

/// See [`Documents`].
pub(super) struct NatsDocuments {
    connection: Arc<Connection>,
    /// One for each shard: a batch is of one stream.
    writers: Mutex<HashMap<Shard, Arc<Writer>>>,
}

/// What a key's subject holds.
enum Latest {
    Nothing,
    Deleted { sequence: u64 },
    Document(Document),
}

impl NatsDocuments {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, writers: Mutex::default() }
    }

    fn writer(&self, shard: Shard) -> Arc<Writer> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        writers.entry(shard).or_insert_with(|| Arc::new(self.start_writer(shard))).clone()
    }

    fn start_writer(&self, shard: Shard) -> Writer {
        let connection = self.connection.clone();
        Group::start(self.connection.config.operation_timeout, move |batch| {
            let connection = connection.clone();
            async move { store(&connection, shard, batch).await }
        })
    }

    /// Writes if the subject's last sequence is `expected`.
    async fn write(
        &self,
        log: &LogId,
        key: &DocumentKey,
        expected: u64,
        mut headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Answer, BackboneError> {
        headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string());
        let size = Size { messages: 1, payload_bytes: payload.len() };
        let shard = self.connection.shards().await?.of(log);
        let message = atomic::Message { subject: subjects::document(shard, log, key), headers, payload };
        self.writer(shard).commit(|| attempted(shard), message, size).await
    }

    async fn latest(&self, log: &LogId, key: &DocumentKey) -> Result<Latest, BackboneError> {
        let shard = self.connection.shards().await?.of(log);
        let (stream, subject) = (subjects::documents_stream(shard), subjects::document(shard, log, key));
        if matches!(key, DocumentKey::Session(_) | DocumentKey::Will(..)) {
            return sessions::latest(&self.connection, &stream, &subject).await;
        }
        let reading = async {
            let stream = self.connection.jetstream.get_stream_no_info(&stream).await.map_err(|error| error.to_string())?;
            match stream.raw_message_builder().last_by_subject(&subject).send().await {
                Ok(message) => Ok(latest(message)),
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(Latest::Nothing),
                Err(error) => Err(error.to_string()),
            }
        };
        self.connection.within(|| format!("reading {subject} of stream {stream}"), reading).await
    }
}

fn attempted(shard: Shard) -> String {
    format!("storing documents of shard {shard}")
}

fn latest(message: StreamMessage) -> Latest {
    if is_deletion(&message.headers) {
        return Latest::Deleted { sequence: message.sequence };
    }
    Latest::Document(Document { revision: Revision(message.sequence), body: message.payload })
}

/// Whether a message says that its document was deleted.
pub(super) fn is_deletion(headers: &HeaderMap) -> bool {
    headers.get(OPERATION).is_some_and(|operation| operation.as_str() == DELETED)
}

#[async_trait]
impl Documents for NatsDocuments {
    async fn open(&self, log: &LogId) -> Result<(), BackboneError> {
        let shards = self.connection.shards().await?;
        let shard = shards.of(log);
        streams::open(&self.connection, streams::documents(shard, &self.connection.config)).await?;
        match log {
            LogId::Instance(instance) if shards.since_0_1 => copy::copy(&self.connection, shard, instance).await,
            // Version 0.1 kept none of the fleet.
            LogId::Instance(_) | LogId::Fleet => Ok(()),
        }
    }

    /// What version 0.1 kept is not copied: it kept no sessions.
    async fn open_sessions(&self, log: &LogId) -> Result<(), BackboneError> {
        let shard = self.connection.shards().await?.of(log);
        streams::open(&self.connection, streams::documents(shard, &self.connection.config)).await.map(|_info| ())
    }

    async fn sessions(&self, log: &LogId) -> Result<SessionDocuments, BackboneError> {
        sessions::list(&self.connection, log).await
    }

    async fn get(&self, log: &LogId, key: &DocumentKey) -> Result<Option<Document>, BackboneError> {
        match self.latest(log, key).await? {
            Latest::Nothing | Latest::Deleted { .. } => Ok(None),
            Latest::Document(document) => Ok(Some(document)),
        }
    }

    async fn put(&self, log: &LogId, key: &DocumentKey, expected: Revision, body: Bytes) -> Result<Revision, PutError> {
        check_size(&body)?;
        let mut over = expected.0;
        for _ in 0..TRIES_MAX {
            if let Some(sequence) = self.write(log, key, over, HeaderMap::new(), body.clone()).await? {
                return Ok(Revision(sequence));
            }
            if expected != Revision::NONE {
                return Err(PutError::Conflict);
            }
            // No document, and yet no empty subject: one was deleted here, or another writer was faster.
            over = match self.latest(log, key).await? {
                Latest::Nothing => 0,
                Latest::Deleted { sequence } => sequence,
                Latest::Document(_) => return Err(PutError::Conflict),
            };
        }
        Err(PutError::Conflict)
    }

    async fn delete(&self, log: &LogId, key: &DocumentKey, expected: Revision) -> Result<(), PutError> {
        if expected == Revision::NONE {
            return match self.latest(log, key).await? {
                Latest::Nothing | Latest::Deleted { .. } => Ok(()),
                Latest::Document(_) => Err(PutError::Conflict),
            };
        }
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, DELETED);
        headers.insert(header::NATS_MESSAGE_TTL, format!("{}s", DELETED_KEPT.as_secs()).as_str());
        match self.write(log, key, expected.0, headers, Bytes::new()).await? {
            Some(_sequence) => Ok(()),
            None => Err(PutError::Conflict),
        }
    }
}

/// Stores what came together and answers everyone. A batch is refused whole when one of its writers was too late, and
/// says not which: then each is on its own.
async fn store(connection: &Connection, shard: Shard, batch: Vec<Waiting<atomic::Message, Answer>>) {
    let mut subjects = HashSet::new();
    // Two writers of one document: the second waits for what becomes of the first.
    let (first, again): (Vec<_>, Vec<_>) = batch.into_iter().partition(|next| subjects.insert(next.item.subject.clone()));
    let singly = if first.len() > SINGLY_MAX { store_together(connection, shard, first).await } else { first };
    join_all(singly.into_iter().map(|waiting| store_one(connection, shard, waiting))).await;
    for waiting in again {
        store_one(connection, shard, waiting).await;
    }
}

/// Stores a batch, all or none; gives it back if that is to be tried one by one.
async fn store_together(
    connection: &Connection,
    shard: Shard,
    batch: Vec<Waiting<atomic::Message, Answer>>,
) -> Vec<Waiting<atomic::Message, Answer>> {
    let messages = batch.iter().map(|waiting| waiting.item.clone()).collect();
    match atomic::store(connection, || attempted(shard), messages).await {
        Err(StoreError::WrongLastSequence | StoreError::Incomplete | StoreError::StreamLimit(_)) => return batch,
        Err(StoreError::Backbone(error)) => {
            batch.into_iter().for_each(|waiting| waiting.answer(Err(error.clone())));
        }
        // The last of a batch has the sequence of the answer, those before it the sequences before.
        Ok(last) => {
            for (behind, waiting) in (0..).zip(batch.into_iter().rev()) {
                waiting.answer(Ok(Some(last.saturating_sub(behind))));
            }
        }
    }
    Vec::new()
}

async fn store_one(connection: &Connection, shard: Shard, waiting: Waiting<atomic::Message, Answer>) {
    let stored = atomic::store(connection, || attempted(shard), vec![waiting.item.clone()]).await;
    waiting.answer(match stored {
        Ok(sequence) => Ok(Some(sequence)),
        Err(StoreError::WrongLastSequence) => Ok(None),
        Err(StoreError::Incomplete) => Err(BackboneError::Unavailable {
            attempted: attempted(shard),
            reason: "the server speaks of a batch that was none".to_owned(),
        }),
        Err(StoreError::StreamLimit(reason)) => {
            if let Some(left_out) = connection.repeats("documents").failed(&reason) {
                tracing::warn!(%shard, reason, left_out, "there is no room for documents");
            }
            Err(BackboneError::LimitReached {
                what: format!("bytes of documents in shard {shard}, which several instances share,"),
                max: connection.config.limits.shards.documents_bytes,
            })
        }
        Err(StoreError::Backbone(error)) => Err(error),
    });
}
