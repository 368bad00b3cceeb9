//! Device messages on JetStream: bounded shards, written in group commits.
//!
//! Invariant: a message's lane, space and device are those of its subject, which is what the broker checks permissions by.
//!
//! The stream forgets its oldest messages, so a follower may begin later than it asked; from then on each message comes
//! once and in order, across reconnects, unless it is slower than the stream forgets. What an instance of version 0.1 has
//! in a stream of its own comes before what is in its shard: see `own`.

mod own;
mod replay;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_nats::{HeaderMap, jetstream::stream::Info};
use async_trait::async_trait;
use rollcall_domain::ids::InstanceId;
use rollcall_log::{
    BackboneError,
    log::StreamIdentity,
    messages::{
        DeviceMessage, DeviceMessages, Lane, MessageCursor, MessagePosition, PAYLOAD_BYTES_MAX, Replayed, StoredMessage,
    },
    repeats::Repeats,
};
use tokio::sync::mpsc;

use super::{
    atomic::{self, StoreError},
    body,
    connection::{Connection, HEADERS_BYTES_MAX},
    follow::{self, Reader},
    group::{Group, Waiting},
    replay::Stored,
    shards::Shard,
    streams, subjects,
};
use own::Draining;

/// How often a batch that the server has lost is sent.
const ATTEMPTS_MAX: usize = 3;
/// So many messages are stored one by one: the server makes a store of its own for a batch, with its files, which takes
/// as long as six syncs on an idle disk and forty on a busy one.
const SINGLY_MAX: usize = 16;

type Writer = Group<atomic::Message, u64>;

/// See [`DeviceMessages`].
pub(super) struct NatsMessages {
    connection: Arc<Connection>,
    /// One for each shard: a batch is of one stream.
    writers: Mutex<HashMap<Shard, Arc<Writer>>>,
}

impl NatsMessages {
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

    /// Where the end of a stream is.
    async fn end(&self, stream: &str) -> Result<u64, BackboneError> {
        let attempted = || format!("looking for the end of stream {stream}");
        Ok(streams::existing(&self.connection, stream, attempted).await?.state.last_sequence)
    }
}

fn attempted(shard: Shard) -> String {
    format!("storing messages of shard {shard}")
}

/// Stores a batch and answers everyone in it.
async fn store(connection: &Connection, shard: Shard, batch: Vec<Waiting<atomic::Message, u64>>) {
    if batch.len() > SINGLY_MAX {
        return store_together(connection, shard, batch).await;
    }
    let singly = batch.into_iter().map(|waiting| store_together(connection, shard, vec![waiting]));
    futures_util::future::join_all(singly).await;
}

async fn store_together(connection: &Connection, shard: Shard, batch: Vec<Waiting<atomic::Message, u64>>) {
    let mut tries = 0;
    let stored = loop {
        tries += 1;
        let messages = batch.iter().map(|waiting| waiting.item.clone()).collect();
        match atomic::store(connection, || attempted(shard), messages).await {
            Err(StoreError::Incomplete) if tries < ATTEMPTS_MAX => {}
            other => break other,
        }
    };
    let unavailable = |reason: &str| BackboneError::Unavailable { attempted: attempted(shard), reason: reason.to_owned() };
    let stored = stored.map_err(|error| match error {
        StoreError::WrongLastSequence => unavailable("the server expected a sequence that was not asked for"),
        StoreError::Incomplete => unavailable("the server loses every batch"),
        StoreError::StreamLimit(reason) => unavailable(&reason),
        StoreError::Backbone(error) => error,
    });
    // The last of a batch has the sequence of the answer, those before it the sequences before.
    for (behind, waiting) in (0..).zip(batch.into_iter().rev()) {
        waiting.answer(stored.clone().map(|last| last.saturating_sub(behind)));
    }
}

#[async_trait]
impl DeviceMessages for NatsMessages {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        let shard = self.connection.shards().await?.of_instance(instance);
        streams::open(&self.connection, streams::messages(shard, &self.connection.config)).await.map(|_info| ())
    }

    async fn publish(&self, instance: &InstanceId, message: DeviceMessage) -> Result<MessagePosition, BackboneError> {
        let limit = |what: &str, max: usize| BackboneError::LimitReached { what: what.to_owned(), max: max as u64 };
        if message.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(limit("a device message's payload in bytes", PAYLOAD_BYTES_MAX));
        }
        let shard = self.connection.shards().await?.of_instance(instance);
        let subjects = subjects::Messages::sharded(shard, instance);
        let subject = subjects.of_device(message.lane, &message.space, &message.device);
        let payload = body::write(&message)
            .map_err(|reason| BackboneError::Damaged { what: "a device message".to_owned(), reason })?;
        let max = self.connection.message_bytes_max().min(PAYLOAD_BYTES_MAX + HEADERS_BYTES_MAX);
        // The batch's own headers are well below a kilobyte.
        if payload.len() + 1024 > max {
            return Err(limit(
                "a device message with its topic and properties in bytes (max_payload of the NATS server)",
                max,
            ));
        }
        let bytes = payload.len();
        let message = atomic::Message { subject, headers: HeaderMap::new(), payload };
        let sequence = self.writer(shard).commit(|| attempted(shard), message, bytes).await?;
        Ok(MessagePosition::sharded(shard.number(), sequence))
    }

    async fn follow(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        after: Option<MessageCursor>,
    ) -> Result<mpsc::Receiver<Result<StoredMessage, BackboneError>>, BackboneError> {
        let shards = self.connection.shards().await?;
        let shard = shards.of_instance(instance);
        let sharded = subjects::Messages::sharded(shard, instance);
        let last = match after {
            Some(after) => after.sharded(shard.number()),
            None => self.end(&sharded.stream).await?,
        };
        let (stream, wanted) = (sharded.stream.clone(), filter(&sharded, lanes));
        let reader = MessageReader::new(sharded, Some(shard), lanes, last);
        let follower = follow::follow(&self.connection, stream, wanted, reader).await?;
        if !shards.since_0_1 {
            return Ok(follower);
        }
        let own = subjects::Messages::own(instance);
        let looking = || format!("looking for the messages of instance {instance} of version 0.1");
        let Some(info) = streams::info(&self.connection, &own.stream, looking).await? else { return Ok(follower) };
        let last = after.map_or(info.state.last_sequence, |after| after.own());
        let (stream, wanted) = (own.stream.clone(), filter(&own, lanes));
        let reader = Draining::new(MessageReader::new(own, None, lanes, last));
        let own = follow::follow(&self.connection, stream, wanted, reader).await?;
        Ok(own::before(own, follower))
    }

    async fn end(&self, instance: &InstanceId) -> Result<MessageCursor, BackboneError> {
        let shards = self.connection.shards().await?;
        let shard = shards.of_instance(instance);
        let last = self.end(&subjects::messages_stream(shard)).await?;
        let mut end = MessageCursor::from(MessagePosition::sharded(shard.number(), last));
        if shards.since_0_1 {
            let own = subjects::Messages::own(instance);
            let looking = || format!("looking for the messages of instance {instance} of version 0.1");
            if let Some(info) = streams::info(&self.connection, &own.stream, looking).await? {
                end.advance(MessagePosition::own(info.state.last_sequence));
            }
        }
        Ok(end)
    }

    async fn replay(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        after: MessageCursor,
    ) -> Result<mpsc::Receiver<Result<Replayed, BackboneError>>, BackboneError> {
        let shard = self.connection.shards().await?.of_instance(instance);
        let sharded = subjects::Messages::sharded(shard, instance);
        let filter = filter(&sharded, lanes);
        let reader = MessageReader::new(sharded, Some(shard), lanes, after.sharded(shard.number()));
        replay::replay(&self.connection, reader, filter, after).await
    }
}

/// One filter, because only a consumer with one filter can be permitted by its subject. Where no subject has just these
/// lanes, what is not wanted is dropped here.
fn filter(subjects: &subjects::Messages, lanes: &[Lane]) -> String {
    let (up, down, lateral) = (lanes.contains(&Lane::Uplink), lanes.contains(&Lane::Downlink), lanes.contains(&Lane::Peer));
    match (up, down, lateral) {
        (true, false, false) => subjects.lane(Lane::Uplink),
        (false, true, false) => subjects.lane(Lane::Downlink),
        (false, false, true) => subjects.lane(Lane::Peer),
        (false, true, true) => subjects.to_devices(),
        (true, true, _) | (true, false, true) | (false, false, false) => subjects.all(),
    }
}

/// Reads an instance's messages of some lanes from one stream. Positions rise; what the stream has forgotten is not
/// missed.
pub(super) struct MessageReader {
    subjects: subjects::Messages,
    shard: Option<Shard>,
    lanes: Vec<Lane>,
    last: u64,
    identity: Option<StreamIdentity>,
    /// What was said of messages that are passed over.
    told: Repeats,
}

impl MessageReader {
    fn new(subjects: subjects::Messages, shard: Option<Shard>, lanes: &[Lane], last: u64) -> Self {
        Self { subjects, shard, lanes: lanes.to_vec(), last, identity: None, told: Repeats::default() }
    }

    fn position(&self) -> MessagePosition {
        self.shard.map_or(MessagePosition::own(self.last), |shard| MessagePosition::sharded(shard.number(), self.last))
    }
}

impl Reader for MessageReader {
    type Item = StoredMessage;

    /// A pipe goes on: a stream that was made again is read from its beginning, one that lost its end from where it ends
    /// now. To stop would keep from devices what is sent to them today because of what was lost yesterday.
    fn start(&mut self, info: &Info) -> Result<u64, BackboneError> {
        let (stream, end, found) = (&self.subjects.stream, info.state.last_sequence, streams::identity(info));
        if *self.identity.get_or_insert_with(|| found.clone()) != found {
            tracing::warn!(stream, last = self.last, "the message stream has been made again: following from its beginning");
            self.last = 0;
            self.identity = Some(found);
        } else if self.last > end {
            tracing::warn!(stream, last = self.last, end, "the message stream has lost its end: following from there");
            self.last = end;
        }
        Ok(self.last)
    }

    fn waiting(&mut self, _pending: u64, _end: u64) -> Result<Option<StoredMessage>, BackboneError> {
        Ok(None)
    }

    fn read(&mut self, stored: Stored) -> Result<Option<StoredMessage>, BackboneError> {
        self.last = stored.sequence;
        let message = body::read(&stored.message.payload).map_err(|reason| BackboneError::Damaged {
            what: format!("message {} of stream {}", self.last, self.subjects.stream),
            reason,
        })?;
        let subject = self.subjects.of_device(message.lane, &message.space, &message.device);
        if stored.message.subject.as_str() != subject {
            // Permissions are on subjects: the body's word for another lane or device is not the platform's.
            let (stream, position, found) = (&self.subjects.stream, self.last, &stored.message.subject);
            if let Some(left_out) = self.told.failed("elsewhere") {
                tracing::warn!(stream, position, %found, subject, left_out, "a message says that it belongs elsewhere; passed over");
            }
            return Ok(None);
        }
        let stored_at_ms = i64::try_from(stored.stored_at_ns / 1_000_000).unwrap_or(i64::MAX);
        let stored = StoredMessage { position: self.position(), stored_at_ms, message };
        Ok(self.lanes.contains(&stored.message.lane).then_some(stored))
    }
}
