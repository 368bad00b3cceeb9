//! Device messages on JetStream: one bounded stream for each instance, written in group commits.
//!
//! Invariant: a message's lane, space and device are those of its subject, which is what the broker checks permissions by.
//!
//! The stream forgets its oldest messages, so a follower may begin later than it asked; from then on each message comes
//! once and in order, across reconnects, unless it is slower than the stream forgets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_nats::{HeaderMap, jetstream::stream::Info};
use async_trait::async_trait;
use rollcall_domain::ids::{InstanceId, Position};
use tokio::sync::mpsc;

use super::{
    HEADERS_BYTES_MAX,
    atomic::{self, StoreError},
    body,
    connection::Connection,
    follow::{self, Reader},
    group::{Group, Waiting},
    replay::Stored,
    streams, subjects,
};
use crate::{
    BackboneError,
    log::StreamIdentity,
    messages::{DeviceMessage, DeviceMessages, Lane, PAYLOAD_BYTES_MAX, StoredMessage},
};

/// How often a batch that the server has lost is sent.
const ATTEMPTS_MAX: usize = 3;
/// So many messages are stored one by one: the server makes a store of its own for a batch, with its files, which takes
/// as long as six syncs on an idle disk and forty on a busy one.
const SINGLY_MAX: usize = 16;

/// See [`DeviceMessages`].
pub(super) struct NatsMessages {
    connection: Arc<Connection>,
    groups: Mutex<HashMap<InstanceId, Arc<Group<atomic::Message, u64>>>>,
}

impl NatsMessages {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, groups: Mutex::default() }
    }

    fn group(&self, instance: &InstanceId) -> Arc<Group<atomic::Message, u64>> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.entry(instance.clone()).or_insert_with(|| Arc::new(self.start_group(instance))).clone()
    }

    fn start_group(&self, instance: &InstanceId) -> Group<atomic::Message, u64> {
        let (connection, instance) = (self.connection.clone(), instance.clone());
        Group::start(self.connection.config.operation_timeout, move |batch| {
            let (connection, instance) = (connection.clone(), instance.clone());
            async move { store(&connection, &instance, batch).await }
        })
    }
}

fn attempted(instance: &InstanceId) -> String {
    format!("storing messages of instance {instance}")
}

/// Stores a batch and answers everyone in it.
async fn store(connection: &Connection, instance: &InstanceId, batch: Vec<Waiting<atomic::Message, u64>>) {
    if batch.len() > SINGLY_MAX {
        return store_together(connection, instance, batch).await;
    }
    let singly = batch.into_iter().map(|waiting| store_together(connection, instance, vec![waiting]));
    futures_util::future::join_all(singly).await;
}

async fn store_together(connection: &Connection, instance: &InstanceId, batch: Vec<Waiting<atomic::Message, u64>>) {
    let mut tries = 0;
    let stored = loop {
        tries += 1;
        let messages = batch.iter().map(|waiting| waiting.item.clone()).collect();
        match atomic::store(connection, || attempted(instance), messages).await {
            Err(StoreError::Incomplete) if tries < ATTEMPTS_MAX => {}
            other => break other,
        }
    };
    let unavailable =
        |reason: &str| BackboneError::Unavailable { attempted: attempted(instance), reason: reason.to_owned() };
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
        let wanted = streams::messages(instance, &self.connection.config);
        streams::declare(&self.connection, wanted).await.map(|_info| ())
    }

    async fn publish(&self, instance: &InstanceId, message: DeviceMessage) -> Result<Position, BackboneError> {
        let limit = |what: &str, max: usize| BackboneError::LimitReached { what: what.to_owned(), max: max as u64 };
        if message.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(limit("a device message's payload in bytes", PAYLOAD_BYTES_MAX));
        }
        let subject = subjects::message(instance, message.lane, &message.space, &message.device);
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
        self.group(instance).commit(|| attempted(instance), message, bytes).await.map(Position)
    }

    async fn follow(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        after: Option<Position>,
    ) -> Result<mpsc::Receiver<Result<StoredMessage, BackboneError>>, BackboneError> {
        let stream = subjects::messages_stream(instance);
        let last = match after {
            Some(after) => after,
            None => {
                let attempted = || format!("looking for the end of stream {stream}");
                let info = streams::existing(&self.connection, &stream, attempted).await?;
                Position(info.state.last_sequence)
            }
        };
        let reader = MessageReader {
            instance: instance.clone(),
            stream: stream.clone(),
            lanes: lanes.to_vec(),
            last,
            identity: None,
        };
        follow::follow(&self.connection, stream, filter(instance, lanes), reader).await
    }
}

/// One filter, because only a consumer with one filter can be permitted by its subject. Where no subject has just these
/// lanes, what is not wanted is dropped here.
fn filter(instance: &InstanceId, lanes: &[Lane]) -> String {
    let (up, down, lateral) = (lanes.contains(&Lane::Up), lanes.contains(&Lane::Down), lanes.contains(&Lane::Lateral));
    match (up, down, lateral) {
        (true, false, false) => subjects::messages_lane(instance, Lane::Up),
        (false, true, false) => subjects::messages_lane(instance, Lane::Down),
        (false, false, true) => subjects::messages_lane(instance, Lane::Lateral),
        (false, true, true) => subjects::messages_to_devices(instance),
        (true, true, _) | (true, false, true) | (false, false, false) => subjects::messages_all(instance),
    }
}

/// Reads messages of some lanes. Positions rise; what the stream has forgotten is not missed.
struct MessageReader {
    instance: InstanceId,
    stream: String,
    lanes: Vec<Lane>,
    last: Position,
    identity: Option<StreamIdentity>,
}

impl Reader for MessageReader {
    type Item = StoredMessage;

    /// A pipe goes on: a stream that was made again is read from its beginning, one that lost its end from where it ends
    /// now. To stop would keep from devices what is sent to them today because of what was lost yesterday.
    fn start(&mut self, info: &Info) -> Result<u64, BackboneError> {
        let (stream, end, found) = (&self.stream, info.state.last_sequence, streams::identity(info));
        if *self.identity.get_or_insert_with(|| found.clone()) != found {
            tracing::warn!(stream, last = %self.last, "the message stream has been made again: following from its beginning");
            self.last = Position::START;
            self.identity = Some(found);
        } else if self.last.0 > end {
            tracing::warn!(stream, last = %self.last, end, "the message stream has lost its end: following from there");
            self.last = Position(end);
        }
        Ok(self.last.0)
    }

    fn waiting(&mut self, _pending: u64, _end: u64) -> Result<Option<StoredMessage>, BackboneError> {
        Ok(None)
    }

    fn read(&mut self, stored: Stored) -> Result<Option<StoredMessage>, BackboneError> {
        self.last = Position(stored.sequence);
        let message = body::read(&stored.message.payload).map_err(|reason| BackboneError::Damaged {
            what: format!("message {} of stream {}", self.last, self.stream),
            reason,
        })?;
        let subject = subjects::message(&self.instance, message.lane, &message.space, &message.device);
        if stored.message.subject.as_str() != subject {
            // Permissions are on subjects: the body's word for another lane or device is not the platform's.
            let (stream, position, found) = (&self.stream, self.last, &stored.message.subject);
            tracing::warn!(stream, %position, %found, subject, "a message says that it belongs elsewhere; passed over");
            return Ok(None);
        }
        let stored_at_ms = i64::try_from(stored.stored_at_ns / 1_000_000).unwrap_or(i64::MAX);
        let stored = StoredMessage { position: self.last, stored_at_ms, message };
        Ok(self.lanes.contains(&stored.message.lane).then_some(stored))
    }
}
