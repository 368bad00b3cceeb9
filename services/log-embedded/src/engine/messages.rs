//! Device messages on the local store. One that cannot be read is stepped over.

use std::sync::Arc;

use async_trait::async_trait;
use rollcall_domain::ids::{InstanceId, Position};
use rollcall_log::{
    BackboneError,
    messages::{
        DeviceMessage, DeviceMessages, KeptMessages, LATEST_BYTES_MAX, LATEST_MAX, Lane, LatestMessages, MessageCursor,
        MessagePosition, MessagesOf, Replayed, StoredMessage, Unstored, encode_up_to_limit, step_over,
    },
    repeats::Repeats,
};
use tokio::sync::mpsc;

use super::{
    core::Core,
    cursor::{Cursor, FOLLOWER_ROWS_MAX},
    message_form,
    store::{self, Chunk, Read},
    stream::{StreamKind, StreamName},
};

/// What is looked at for one page of the latest messages: there is no index by device, because keeping one would cost each
/// message more than it costs the few who look.
const LOOKED_AT: Chunk = Chunk { rows: 50_000, bytes: 32 * 1024 * 1024 };

/// [`DeviceMessages`] on a [`Core`].
pub(crate) struct LocalMessages {
    core: Arc<Core>,
    /// What was said of messages that pages step over.
    told: Repeats,
}

impl LocalMessages {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), told: Repeats::default() }
    }
}

type Out = mpsc::Sender<Result<StoredMessage, BackboneError>>;

#[async_trait]
impl DeviceMessages for LocalMessages {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        self.core.declare(StreamName::messages(instance), StreamKind::Messages).await.map(|_| ())
    }

    /// All of them in one job: its transaction holds them all or none.
    async fn publish_in_order(
        &self,
        instance: &InstanceId,
        messages: &[DeviceMessage],
    ) -> Result<MessagePosition, Unstored> {
        let (bodies, over) = encode_up_to_limit(messages, message_form::encode)?;
        let (stream, bounds) = (StreamName::messages(instance), self.core.shared.limits.messages);
        let last: Result<Position, BackboneError> = self.core.write(move |batch| batch.keep(&stream, &bodies, bounds)).await;
        let last = last.map_err(|error| Unstored { stored: 0, error })?;
        over.map_or(Ok(MessagePosition::own(last.0)), Err)
    }

    async fn follow_of(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        of: &MessagesOf,
        after: Option<MessageCursor>,
    ) -> Result<mpsc::Receiver<Result<StoredMessage, BackboneError>>, BackboneError> {
        let stream = StreamName::messages(instance);
        let tail = self.core.shared.tails.watch(&stream).ok_or_else(|| stream.undeclared())?;
        let after = after.map_or_else(|| *tail.borrow(), |after| after.own());
        let (out, follower) = mpsc::channel(FOLLOWER_ROWS_MAX);
        let cursor = Cursor { store: Arc::clone(&self.core.shared.store), stream, after, tail };
        tokio::spawn(follow(cursor, Arc::new((lanes.to_vec(), of.clone())), out));
        Ok(follower)
    }

    async fn end(&self, instance: &InstanceId) -> Result<MessageCursor, BackboneError> {
        let stream = StreamName::messages(instance);
        let last = self.core.shared.tails.last(&stream).ok_or_else(|| stream.undeclared())?;
        Ok(MessagePosition::own(last).into())
    }

    async fn replay(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        of: &MessagesOf,
        after: MessageCursor,
    ) -> Result<mpsc::Receiver<Result<Replayed, BackboneError>>, BackboneError> {
        let stream = StreamName::messages(instance);
        let tail = self.core.shared.tails.watch(&stream).ok_or_else(|| stream.undeclared())?;
        let (out, replayed) = mpsc::channel(FOLLOWER_ROWS_MAX);
        let last = *tail.borrow();
        let cursor = Cursor { store: Arc::clone(&self.core.shared.store), stream, after: after.own().min(last), tail };
        tokio::spawn(replay(cursor, last, Arc::new((lanes.to_vec(), of.clone())), out));
        Ok(replayed)
    }

    async fn latest(
        &self,
        instance: &InstanceId,
        lane: Lane,
        of: &MessagesOf,
        before: Option<MessagePosition>,
        max: usize,
    ) -> Result<LatestMessages, BackboneError> {
        let stream = StreamName::messages(instance);
        if self.core.shared.tails.last(&stream).is_none() {
            return Err(stream.undeclared());
        }
        // A position of another stream is of a deployment that this one came of: all that is here is later.
        let before = before.filter(|before| before.shard().is_none()).map_or(u64::MAX, |before| before.sequence());
        let page = Chunk { rows: max.min(LATEST_MAX), bytes: LATEST_BYTES_MAX };
        let (named, of) = (stream.clone(), of.clone());
        let reading = self.core.shared.store.read("reading messages", move |transaction| {
            store::rows_back(transaction, &stream, before, page, LOOKED_AT, |body| message_form::is_of(&[lane], &of, body))
        });
        let read = reading.await?;
        let next = (read.through > 0).then_some(MessagePosition::own(read.through));
        let (messages, damaged) = readable(&named, read, &self.told);
        Ok(LatestMessages { messages, damaged, next })
    }

    async fn kept(&self, instance: &InstanceId) -> Result<KeptMessages, BackboneError> {
        let stream = StreamName::messages(instance);
        let last = self.core.shared.tails.last(&stream).ok_or_else(|| stream.undeclared())?;
        let store = &self.core.shared.store;
        let first = store.read("looking at messages", move |transaction| store::first(transaction, &stream));
        let after = first.await?.map_or(last, |first| first.saturating_sub(1));
        Ok(KeptMessages { after: MessagePosition::own(after), last: MessagePosition::own(last) })
    }
}

async fn replay(
    mut cursor: Cursor,
    last: u64,
    wanted: Arc<(Vec<Lane>, MessagesOf)>,
    out: mpsc::Sender<Result<Replayed, BackboneError>>,
) {
    let told = Repeats::default();
    while cursor.after < last {
        let asked = Arc::clone(&wanted);
        let read = match cursor.next(move |body| message_form::is_of(&asked.0, &asked.1, body)).await {
            Ok(read) => read,
            Err(error) => {
                // The reader may be gone too.
                let _ = out.send(Err(error)).await;
                return;
            }
        };
        for message in readable(&cursor.stream, read, &told).0 {
            if out.send(Ok(Replayed::Message(message))).await.is_err() {
                return;
            }
        }
    }
    let _ = out.send(Ok(Replayed::End(MessagePosition::own(cursor.after).into()))).await;
}

async fn follow(mut cursor: Cursor, wanted: Arc<(Vec<Lane>, MessagesOf)>, out: Out) {
    let told = Repeats::default();
    loop {
        let asked = Arc::clone(&wanted);
        let read = tokio::select! {
            read = cursor.next(move |body| message_form::is_of(&asked.0, &asked.1, body)) => read,
            () = out.closed() => return,
        };
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                // The follower may be gone too.
                let _ = out.send(Err(error)).await;
                return;
            }
        };
        for message in readable(&cursor.stream, read, &told).0 {
            if out.send(Ok(message)).await.is_err() {
                return;
            }
        }
    }
}

/// The messages that can be read, and how many cannot.
fn readable(stream: &StreamName, read: Read, told: &Repeats) -> (Vec<StoredMessage>, u64) {
    let (mut messages, mut damaged) = (Vec::with_capacity(read.rows.len()), read.damaged);
    for row in &read.rows {
        match message_form::decode(stream, row) {
            Ok(message) => messages.push(message),
            Err(error) => damaged.push(error),
        }
    }
    for error in &damaged {
        step_over(error, stream.as_str(), told);
    }
    (messages, damaged.len() as u64)
}
