//! Device messages on the local store.

use std::sync::Arc;

use async_trait::async_trait;
use rollcall_domain::ids::{InstanceId, Position};
use rollcall_log::{
    BackboneError,
    messages::{
        DeviceMessage, DeviceMessages, Lane, MessageCursor, MessagePosition, Replayed, StoredMessage, Unstored,
        encode_up_to_limit,
    },
};
use tokio::sync::mpsc;

use super::{
    core::Core,
    cursor::{Cursor, FOLLOWER_ROWS_MAX},
    message_form,
    stream::{StreamKind, StreamName},
};

/// [`DeviceMessages`] on a [`Core`].
pub(crate) struct LocalMessages(pub(crate) Arc<Core>);

type Out = mpsc::Sender<Result<StoredMessage, BackboneError>>;

#[async_trait]
impl DeviceMessages for LocalMessages {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        self.0.declare(StreamName::messages(instance), StreamKind::Messages).await.map(|_| ())
    }

    /// All of them in one job: its transaction holds them all or none.
    async fn publish_in_order(
        &self,
        instance: &InstanceId,
        messages: &[DeviceMessage],
    ) -> Result<MessagePosition, Unstored> {
        let (bodies, over) = encode_up_to_limit(messages, message_form::encode)?;
        let (stream, bounds) = (StreamName::messages(instance), self.0.shared.limits.messages);
        let last: Result<Position, BackboneError> = self.0.write(move |batch| batch.keep(&stream, &bodies, bounds)).await;
        let last = last.map_err(|error| Unstored { stored: 0, error })?;
        over.map_or(Ok(MessagePosition::own(last.0)), Err)
    }

    async fn follow(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        after: Option<MessageCursor>,
    ) -> Result<mpsc::Receiver<Result<StoredMessage, BackboneError>>, BackboneError> {
        let stream = StreamName::messages(instance);
        let tail = self.0.shared.tails.watch(&stream).ok_or_else(|| stream.undeclared())?;
        let after = after.map_or_else(|| *tail.borrow(), |after| after.own());
        let (out, follower) = mpsc::channel(FOLLOWER_ROWS_MAX);
        let cursor = Cursor { store: Arc::clone(&self.0.shared.store), stream, after, tail };
        tokio::spawn(follow(cursor, lanes.into(), out));
        Ok(follower)
    }

    async fn end(&self, instance: &InstanceId) -> Result<MessageCursor, BackboneError> {
        let stream = StreamName::messages(instance);
        let last = self.0.shared.tails.last(&stream).ok_or_else(|| stream.undeclared())?;
        Ok(MessagePosition::own(last).into())
    }

    async fn replay(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        after: MessageCursor,
    ) -> Result<mpsc::Receiver<Result<Replayed, BackboneError>>, BackboneError> {
        let stream = StreamName::messages(instance);
        let tail = self.0.shared.tails.watch(&stream).ok_or_else(|| stream.undeclared())?;
        let (out, replayed) = mpsc::channel(FOLLOWER_ROWS_MAX);
        let last = *tail.borrow();
        let cursor = Cursor { store: Arc::clone(&self.0.shared.store), stream, after: after.own().min(last), tail };
        tokio::spawn(replay(cursor, last, lanes.into(), out));
        Ok(replayed)
    }
}

async fn replay(mut cursor: Cursor, last: u64, lanes: Arc<[Lane]>, out: mpsc::Sender<Result<Replayed, BackboneError>>) {
    while cursor.after < last {
        let wanted = Arc::clone(&lanes);
        let rows = cursor.next(move |body| message_form::is_of(&wanted, body)).await;
        let messages = rows.and_then(|rows| rows.iter().map(|row| message_form::decode(&cursor.stream, row)).collect());
        let messages: Vec<StoredMessage> = match messages {
            Ok(messages) => messages,
            Err(error) => {
                // The reader may be gone too.
                let _ = out.send(Err(error)).await;
                return;
            }
        };
        for message in messages {
            if out.send(Ok(Replayed::Message(message))).await.is_err() {
                return;
            }
        }
    }
    let _ = out.send(Ok(Replayed::End(MessagePosition::own(cursor.after).into()))).await;
}

async fn follow(mut cursor: Cursor, lanes: Arc<[Lane]>, out: Out) {
    loop {
        let wanted = Arc::clone(&lanes);
        let rows = tokio::select! {
            rows = cursor.next(move |body| message_form::is_of(&wanted, body)) => rows,
            () = out.closed() => return,
        };
        let messages = rows.and_then(|rows| rows.iter().map(|row| message_form::decode(&cursor.stream, row)).collect());
        let messages: Vec<StoredMessage> = match messages {
            Ok(messages) => messages,
            Err(error) => {
                // The follower may be gone too.
                let _ = out.send(Err(error)).await;
                return;
            }
        };
        for message in messages {
            if out.send(Ok(message)).await.is_err() {
                return;
            }
        }
    }
}
