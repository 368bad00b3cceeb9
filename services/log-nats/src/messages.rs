//! Device messages on JetStream: bounded shards, written in group commits.
//!
//! A shard has one writer with one commit under way, so that messages are stored in the order in which they were handed in.
//! Few of them are published one after the other, many as one atomic batch. Either way they are sent by one task on one
//! connection: the server takes them in that order.
//!
//! Invariant: a message's lane, space and device are those of its subject, which is what the broker checks permissions by.
//!
//! The stream forgets its oldest messages, so a follower may begin later than it asked; from then on each message comes
//! once and in order, across reconnects, unless it is slower than the stream forgets. One that cannot be read is stepped
//! over. What an instance of version 0.1 has in a stream of its own comes before what is in its shard: see `own`.

mod backwards;
mod body;
mod own;
mod replay;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_nats::{HeaderMap, jetstream::stream::Info};
use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::InstanceId;
use rollcall_log::{
    BackboneError,
    log::StreamIdentity,
    messages::{
        DeviceMessage, DeviceMessages, KeptMessages, LATEST_MAX, Lane, LatestMessages, MessageCursor, MessagePosition,
        MessagesOf, PAYLOAD_BYTES_MAX, Replayed, StoredMessage, Unstored, encode_up_to_limit, step_over,
    },
    repeats::Repeats,
};
use tokio::sync::mpsc;

use super::{
    connection::{Connection, HEADERS_BYTES_MAX},
    streams::{
        self,
        atomic::{self, StoreError},
        follow::{self, Reader},
        group::{Group, Size, Waiting},
        replay::Stored,
    },
    subjects::{self, shards::Shard},
};
use backwards::Page;
use own::Draining;

/// How often a batch that the server has lost is sent.
const ATTEMPTS_MAX: usize = 3;
/// So many messages are stored one by one: the server makes a store of its own for a batch, with its files, which takes
/// as long as six syncs on an idle disk and forty on a busy one.
const SINGLY_MAX: usize = 16;

/// The messages of one call, and the sequence of the last of them.
type Writer = Group<Vec<atomic::Message>, Result<u64, Unstored>>;
type Handed = Waiting<Vec<atomic::Message>, Result<u64, Unstored>>;

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

    /// A message as the server gets it.
    fn encode(&self, subjects: &subjects::Messages, message: &DeviceMessage) -> Result<atomic::Message, BackboneError> {
        let subject = subjects.of_device(message.lane, &message.space, &message.device);
        let payload =
            body::write(message).map_err(|reason| BackboneError::Damaged { what: "a device message".to_owned(), reason })?;
        let max = self.connection.message_bytes_max().min(PAYLOAD_BYTES_MAX + HEADERS_BYTES_MAX);
        // The batch's own headers are well below a kilobyte.
        if payload.len() + 1024 > max {
            return Err(BackboneError::LimitReached {
                what: "a device message with its topic and properties in bytes (max_payload of the NATS server)".to_owned(),
                max: max as u64,
            });
        }
        Ok(atomic::Message { subject, headers: HeaderMap::new(), payload })
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
async fn store(connection: &Connection, shard: Shard, batch: Vec<Handed>) {
    let messages = batch.iter().map(|handed| handed.item.len()).sum();
    if messages > SINGLY_MAX {
        return store_together(connection, shard, batch, messages).await;
    }
    store_singly(connection, shard, batch).await;
}

async fn store_singly(connection: &Connection, shard: Shard, batch: Vec<Handed>) {
    let messages = batch.iter().flat_map(|handed| &handed.item).cloned().collect();
    let mut stored = atomic::store_singly(connection, || attempted(shard), messages).await.into_iter();
    for handed in batch {
        let mut answer = Ok(0);
        for (number, sequence) in stored.by_ref().take(handed.item.len()).enumerate() {
            // What is behind the first failure counts as failed too: acknowledged, it would have overtaken.
            if answer.is_ok() {
                answer = sequence.map_err(|error| Unstored { stored: number, error: unavailable(shard, error) });
            }
        }
        handed.answer(Ok(answer));
    }
}

async fn store_together(connection: &Connection, shard: Shard, batch: Vec<Handed>, messages: usize) {
    let mut tries = 0;
    let stored = loop {
        tries += 1;
        let messages = batch.iter().flat_map(|handed| &handed.item).cloned().collect();
        match atomic::store(connection, || attempted(shard), messages).await {
            Err(StoreError::Incomplete) if tries < ATTEMPTS_MAX => {}
            other => break other,
        }
    };
    let stored = stored.map_err(|error| Unstored { stored: 0, error: unavailable(shard, error) });
    // The last of a batch has the sequence of the answer, those before it the sequences before.
    let mut behind = messages;
    for handed in batch {
        behind = behind.saturating_sub(handed.item.len());
        let answer = stored.clone().map(|last| last.saturating_sub(behind as u64));
        handed.answer(Ok(answer));
    }
}

fn unavailable(shard: Shard, error: StoreError) -> BackboneError {
    let unavailable = |reason: &str| BackboneError::Unavailable { attempted: attempted(shard), reason: reason.to_owned() };
    match error {
        StoreError::WrongLastSequence => unavailable("the server expected a sequence that was not asked for"),
        StoreError::Incomplete => unavailable("the server loses every batch"),
        StoreError::StreamLimit(reason) => unavailable(&reason),
        StoreError::Backbone(error) => error,
    }
}

#[async_trait]
impl DeviceMessages for NatsMessages {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        let shard = self.connection.shards().await?.of_instance(instance);
        streams::open(&self.connection, streams::messages(shard, &self.connection.config)).await.map(|_info| ())
    }

    async fn publish_in_order(
        &self,
        instance: &InstanceId,
        messages: &[DeviceMessage],
    ) -> Result<MessagePosition, Unstored> {
        let unstored = |error| Unstored { stored: 0, error };
        let shard = self.connection.shards().await.map_err(unstored)?.of_instance(instance);
        let subjects = subjects::Messages::sharded(shard, instance);
        let (encoded, over) = encode_up_to_limit(messages, |message| self.encode(&subjects, message))?;
        let payload_bytes = encoded.iter().map(|message| message.payload.len()).sum();
        let size = Size { messages: encoded.len(), payload_bytes };
        let committed = self.writer(shard).commit(|| attempted(shard), encoded, size).await;
        let sequence = committed.map_err(unstored)??;
        over.map_or(Ok(MessagePosition::sharded(shard.number(), sequence)), Err)
    }

    async fn follow_of(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        of: &MessagesOf,
        after: Option<MessageCursor>,
    ) -> Result<mpsc::Receiver<Result<StoredMessage, BackboneError>>, BackboneError> {
        let shards = self.connection.shards().await?;
        let shard = shards.of_instance(instance);
        let sharded = subjects::Messages::sharded(shard, instance);
        let last = match after {
            Some(after) => after.sharded(shard.number()),
            None => self.end(&sharded.stream).await?,
        };
        let (stream, wanted) = (sharded.stream.clone(), filter(&sharded, lanes, of));
        let reader = MessageReader::new(Wanted::new(sharded, Some(shard), lanes, of), last);
        let follower = follow::follow(&self.connection, stream, wanted, reader).await?;
        if !shards.since_0_1 {
            return Ok(follower);
        }
        let own = subjects::Messages::own(instance);
        let looking = || format!("looking for the messages of instance {instance} of version 0.1");
        let Some(info) = streams::info(&self.connection, &own.stream, looking).await? else { return Ok(follower) };
        let last = after.map_or(info.state.last_sequence, |after| after.own());
        let (stream, wanted) = (own.stream.clone(), filter(&own, lanes, of));
        let reader = Draining::new(MessageReader::new(Wanted::new(own, None, lanes, of), last));
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
        of: &MessagesOf,
        mut after: MessageCursor,
    ) -> Result<mpsc::Receiver<Result<Replayed, BackboneError>>, BackboneError> {
        let shards = self.connection.shards().await?;
        let shard = shards.of_instance(instance);
        if shards.since_0_1 {
            // Passed over, and said to have been.
            after.advance(MessagePosition::own(DeviceMessages::end(self, instance).await?.own()));
        }
        let sharded = subjects::Messages::sharded(shard, instance);
        let filter = filter(&sharded, lanes, of);
        let reader = MessageReader::new(Wanted::new(sharded, Some(shard), lanes, of), after.sharded(shard.number()));
        replay::replay(&self.connection, reader, filter, after).await
    }

    async fn latest(
        &self,
        instance: &InstanceId,
        lane: Lane,
        of: &MessagesOf,
        before: Option<MessagePosition>,
        max: usize,
    ) -> Result<LatestMessages, BackboneError> {
        let shards = self.connection.shards().await?;
        let shard = shards.of_instance(instance);
        let mut page = Page::new(max.min(LATEST_MAX));
        let sharded = subjects::Messages::sharded(shard, instance);
        let attempted = || format!("reading the latest messages of instance {instance}");
        if before.is_none_or(|before| before > MessagePosition::own(u64::MAX)) {
            let filter = filter(&sharded, &[lane], of);
            let info = streams::existing(&self.connection, &sharded.stream, attempted).await?;
            let before = before.filter(|before| before.shard() == Some(shard.number()));
            let wanted = Wanted::new(sharded, Some(shard), &[lane], of);
            page.read(&self.connection, &wanted, &filter, &info, before).await?;
        }
        if shards.since_0_1 && page.latest.next.is_none() {
            let own = subjects::Messages::own(instance);
            if let Some(info) = streams::info(&self.connection, &own.stream, attempted).await? {
                let filter = filter(&own, &[lane], of);
                let before = before.filter(|before| before.shard().is_none());
                page.read(&self.connection, &Wanted::new(own, None, &[lane], of), &filter, &info, before).await?;
            }
        }
        Ok(page.latest)
    }

    async fn kept(&self, instance: &InstanceId) -> Result<KeptMessages, BackboneError> {
        let shard = self.connection.shards().await?.of_instance(instance);
        let stream = subjects::messages_stream(shard);
        let attempted = || format!("looking at the messages of instance {instance}");
        let state = streams::existing(&self.connection, &stream, attempted).await?.state;
        let at = |sequence| MessagePosition::sharded(shard.number(), sequence);
        Ok(KeptMessages { after: at(state.first_sequence.saturating_sub(1)), last: at(state.last_sequence) })
    }
}

/// One filter, because only a consumer with one filter can be permitted by its subject. Where no subject has just these
/// lanes and devices, what is not wanted is dropped here.
fn filter(subjects: &subjects::Messages, lanes: &[Lane], of: &MessagesOf) -> String {
    if let [lane] = lanes {
        match of {
            MessagesOf::Device { space, device } => return subjects.of_device(*lane, space, device),
            MessagesOf::Spaces(spaces) if spaces.len() == 1 => {
                return spaces.iter().map(|space| subjects.of_space(*lane, space)).collect();
            }
            MessagesOf::Spaces(_) | MessagesOf::Instance => {}
        }
    }
    let (up, down, lateral) = (lanes.contains(&Lane::Uplink), lanes.contains(&Lane::Downlink), lanes.contains(&Lane::Peer));
    match (up, down, lateral) {
        (true, false, false) => subjects.lane(Lane::Uplink),
        (false, true, false) => subjects.lane(Lane::Downlink),
        (false, false, true) => subjects.lane(Lane::Peer),
        (false, true, true) => subjects.to_devices(),
        (true, true, _) | (true, false, true) | (false, false, false) => subjects.all(),
    }
}

/// Which messages of one stream are read.
pub(super) struct Wanted {
    subjects: subjects::Messages,
    shard: Option<Shard>,
    lanes: Vec<Lane>,
    of: MessagesOf,
    /// What was said of messages that are passed over.
    told: Repeats,
}

impl Wanted {
    fn new(subjects: subjects::Messages, shard: Option<Shard>, lanes: &[Lane], of: &MessagesOf) -> Self {
        Self { subjects, shard, lanes: lanes.to_vec(), of: of.clone(), told: Repeats::default() }
    }

    fn position(&self, sequence: u64) -> MessagePosition {
        self.shard.map_or(MessagePosition::own(sequence), |shard| MessagePosition::sharded(shard.number(), sequence))
    }

    /// Reads a message; `None` if it was not asked for.
    ///
    /// # Errors
    /// [`BackboneError::Damaged`], which has been said and counted: whoever reads goes on behind it.
    fn read(
        &self,
        sequence: u64,
        stored_at_ns: i128,
        (found, payload): (&str, &Bytes),
    ) -> Result<Option<StoredMessage>, BackboneError> {
        let stream = &self.subjects.stream;
        let message = body::read(payload).map_err(|reason| {
            let error = BackboneError::Damaged { what: format!("message {sequence} of stream {stream}"), reason };
            step_over(&error, stream, &self.told);
            error
        })?;
        let subject = self.subjects.of_device(message.lane, &message.space, &message.device);
        if found != subject {
            // Permissions are on subjects: the body's word for another lane or device is not the platform's.
            if let Some(left_out) = self.told.failed("elsewhere") {
                tracing::warn!(
                    stream,
                    sequence,
                    found,
                    subject,
                    left_out,
                    "a message says that it belongs elsewhere; passed over"
                );
            }
            return Ok(None);
        }
        let stored_at_ms = i64::try_from(stored_at_ns / 1_000_000).unwrap_or(i64::MAX);
        let wanted = self.lanes.contains(&message.lane) && self.of.holds(message.space.as_str(), message.device.as_str());
        Ok(wanted.then(|| StoredMessage { position: self.position(sequence), stored_at_ms, message }))
    }
}

/// Reads an instance's messages of some lanes from one stream. Positions rise; what the stream has forgotten is not
/// missed.
pub(super) struct MessageReader {
    wanted: Wanted,
    last: u64,
    identity: Option<StreamIdentity>,
}

impl MessageReader {
    fn new(wanted: Wanted, last: u64) -> Self {
        Self { wanted, last, identity: None }
    }
}

impl Reader for MessageReader {
    type Item = StoredMessage;

    /// A pipe goes on: a stream that was made again is read from its beginning, one that lost its end from where it ends
    /// now. To stop would keep from devices what is sent to them today because of what was lost yesterday.
    fn start(&mut self, info: &Info) -> Result<u64, BackboneError> {
        let (stream, end, found) = (&self.wanted.subjects.stream, info.state.last_sequence, streams::identity(info));
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
        let found = (stored.message.subject.as_str(), &stored.message.payload);
        Ok(self.wanted.read(stored.sequence, stored.stored_at_ns, found).unwrap_or_default())
    }
}
