//! What waits for one connection: messages, withdrawn filters, or that it has to close.
//!
//! Many producers, one consumer: the connection's own task. Invariants: bounded in messages and bytes; once it is
//! closed only the reason comes out, so that a message that waited when the device lost its right is not delivered
//! after.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use rollcall_domain::refusal::Refusal;
use rollcall_log::messages::{MessagePosition, StoredMessage};
use tokio::sync::Notify;

/// What the connection has to do next.
#[derive(Debug, PartialEq)]
pub(crate) enum Mail {
    /// Close, for this reason. Comes first, whatever waits.
    Close(Refusal),
    /// These filters are no longer allowed.
    Withdraw(Vec<Box<str>>),
    Message(Arc<StoredMessage>),
}

/// What became of a message that was to be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Taken,
    /// It does not fit now.
    Full,
    Closed,
}

/// How much may wait in one mailbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) messages_max: usize,
    /// Payload and topic bytes.
    pub(crate) bytes_max: usize,
}

/// The mailbox of one connection.
#[derive(Debug)]
pub(crate) struct Mailbox {
    bounds: Bounds,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    closed: Option<Refusal>,
    withdrawn: Vec<Box<str>>,
    messages: VecDeque<Arc<StoredMessage>>,
    bytes: usize,
    /// Where the message is that the connection was given last, until it asks for the next.
    given: Option<MessagePosition>,
    /// Where the first message is that did not get in, or that was thrown away.
    missed: Option<MessagePosition>,
    /// Notified once when there is room.
    room: Option<Arc<Notify>>,
    consumer: Option<Waker>,
}

impl Mailbox {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, waiting: Mutex::default() }
    }

    /// Queues a message. One that does not fit closes the mailbox: the client does not take what it is sent.
    /// `false` if it is closed.
    pub(crate) fn put(&self, message: Arc<StoredMessage>) -> bool {
        let mut waiting = self.lock();
        match waiting.push(&message, self.bounds) {
            Put::Taken => return true,
            Put::Full => waiting.close(Refusal::SlowConsumer),
            Put::Closed => {}
        }
        waiting.missed.get_or_insert(message.position);
        false
    }

    /// Queues a message if it fits, or nothing else waits.
    pub(crate) fn try_put(&self, message: Arc<StoredMessage>) -> Put {
        let mut waiting = self.lock();
        let bounds = if waiting.messages.is_empty() { Bounds { bytes_max: usize::MAX, ..self.bounds } } else { self.bounds };
        waiting.push(&message, bounds)
    }

    /// Whether it is at most half full; if not, `room` is notified once it is.
    pub(crate) fn has_room_or_notify(&self, room: &Arc<Notify>) -> bool {
        let mut waiting = self.lock();
        let has_room = waiting.is_half_empty(self.bounds);
        waiting.room = (!has_room).then(|| room.clone());
        has_room
    }

    /// Where messages are that the connection has not dealt with: the first that waits, the one in its hands, the first
    /// that did not get in.
    pub(crate) fn unread(&self) -> [Option<MessagePosition>; 3] {
        let waiting = self.lock();
        [waiting.given, waiting.messages.front().map(|message| message.position), waiting.missed]
    }

    /// Tells the connection to close. The first reason stands.
    pub(crate) fn close(&self, refusal: Refusal) {
        self.lock().close(refusal);
    }

    /// Why it has been closed, if it has.
    pub(crate) fn closed(&self) -> Option<Refusal> {
        self.lock().closed.clone()
    }

    /// Tells the connection to drop filters.
    pub(crate) fn withdraw(&self, filters: impl IntoIterator<Item = Box<str>>) {
        let mut waiting = self.lock();
        waiting.withdrawn.extend(filters);
        waiting.wake();
    }

    /// The next thing to do; messages only if `messages` are wanted now.
    pub(crate) fn poll_next(&self, messages: bool, cx: &mut Context<'_>) -> Poll<Mail> {
        let mut waiting = self.lock();
        waiting.given = None;
        if let Some(refusal) = &waiting.closed {
            return Poll::Ready(Mail::Close(refusal.clone()));
        }
        if !waiting.withdrawn.is_empty() {
            return Poll::Ready(Mail::Withdraw(std::mem::take(&mut waiting.withdrawn)));
        }
        if messages && let Some(message) = waiting.messages.pop_front() {
            waiting.bytes -= size(&message);
            waiting.given = Some(message.position);
            if waiting.room.is_some() && waiting.is_half_empty(self.bounds) {
                waiting.room.take().into_iter().for_each(|room| room.notify_one());
            }
            if waiting.messages.is_empty() {
                // An idle connection holds no buffer.
                waiting.messages = VecDeque::new();
            }
            return Poll::Ready(Mail::Message(message));
        }
        match &mut waiting.consumer {
            Some(known) => known.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing panics while it holds this lock")
    }
}

impl Waiting {
    fn push(&mut self, message: &Arc<StoredMessage>, bounds: Bounds) -> Put {
        if self.closed.is_some() {
            return Put::Closed;
        }
        let bytes = self.bytes + size(message);
        if self.messages.len() >= bounds.messages_max || bytes > bounds.bytes_max {
            return Put::Full;
        }
        self.bytes = bytes;
        self.messages.push_back(message.clone());
        self.wake();
        Put::Taken
    }

    fn is_half_empty(&self, bounds: Bounds) -> bool {
        self.messages.is_empty() || (self.messages.len() * 2 < bounds.messages_max && self.bytes * 2 < bounds.bytes_max)
    }

    fn close(&mut self, refusal: Refusal) {
        if self.closed.is_none() {
            self.closed = Some(refusal);
            self.missed = self.missed.or(self.messages.front().map(|message| message.position));
            (self.messages, self.bytes) = (VecDeque::new(), 0);
            self.wake();
        }
    }

    fn wake(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            consumer.wake();
        }
    }
}

/// The bytes that a message counts for: its fixed part is bounded by the number of messages.
pub(super) fn size(message: &StoredMessage) -> usize {
    message.message.payload.len() + message.message.topic.len()
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bytes::Bytes;
    use rollcall_domain::ids::{DeviceId, SpaceId};
    use rollcall_log::messages::{DeviceMessage, Lane, MessageProperties};

    use super::*;

    fn message(payload: &'static [u8]) -> Arc<StoredMessage> {
        let message = DeviceMessage {
            lane: Lane::Downlink,
            space: SpaceId::parse("s").unwrap(),
            device: DeviceId::parse("d").unwrap(),
            topic: "t".into(),
            payload: Bytes::from_static(payload),
            qos: 0,
            properties: MessageProperties::default(),
        };
        Arc::new(StoredMessage { position: MessagePosition::own(1), stored_at_ms: 0, message })
    }

    fn next(mailbox: &Mailbox) -> Poll<Mail> {
        mailbox.poll_next(true, &mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_waited_when_the_right_was_lost_is_not_delivered_after() {
        let mailbox = Mailbox::new(Bounds { messages_max: 10, bytes_max: 100 });
        assert!(mailbox.put(message(b"before")));
        mailbox.close(Refusal::DeviceFrozen);
        mailbox.close(Refusal::TakenOver);
        assert!(!mailbox.put(message(b"after")));
        assert_eq!(next(&mailbox), Poll::Ready(Mail::Close(Refusal::DeviceFrozen)));
    }

    #[test]
    fn one_message_or_byte_too_many_closes_it() {
        let few = Mailbox::new(Bounds { messages_max: 1, bytes_max: 100 });
        assert!(few.put(message(b"1")) && !few.put(message(b"2")));
        assert_eq!(next(&few), Poll::Ready(Mail::Close(Refusal::SlowConsumer)));
        let small = Mailbox::new(Bounds { messages_max: 10, bytes_max: 4 });
        assert!(!small.put(message(b"1234")));
        assert_eq!(next(&small), Poll::Ready(Mail::Close(Refusal::SlowConsumer)));
    }

    #[test]
    fn messages_wait_while_they_are_not_wanted_and_keep_their_order() {
        let mailbox = Mailbox::new(Bounds { messages_max: 10, bytes_max: 100 });
        assert!(mailbox.put(message(b"1")) && mailbox.put(message(b"2")));
        assert!(mailbox.poll_next(false, &mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(next(&mailbox), Poll::Ready(Mail::Message(message(b"1"))));
        assert_eq!(next(&mailbox), Poll::Ready(Mail::Message(message(b"2"))));
    }
}
