//! Messages of one connection on their way to the message stream, answered when they are on disk.
//!
//! They leave in sequences, one at a time: what is taken while one is stored makes the next. A call for each message, several
//! under way, would share more syncs and have no order: the runtime polls futures beyond its cooperative budget in whatever
//! order it wakes them. Invariant: no message is handed in before every earlier one is stored, given up at QoS 0, or has
//! ended the connection.
//!
//! QoS 1 messages that could not be stored are handed in again until they are stored or the connection ends: meanwhile
//! the device's window of unacknowledged messages slows it down.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::future::BoxFuture;
use rollcall_chassis::retry::{Backoff, Retry};
use rollcall_log::{
    BackboneError,
    messages::{DeviceMessage, PUBLISHED_TOGETHER_MAX, Unstored},
};
use tokio::time::Instant;

use crate::{
    instance::Instance,
    mqtt::{PublishOutcome, PublishRef},
};

/// How long a sequence that could not be stored waits before it is handed in again.
const RETRY: Backoff = Backoff { min: Duration::from_millis(250), max: Duration::from_secs(4) };

/// The sequence under way, and what became of it.
type Storing = BoxFuture<'static, (Vec<DeviceMessage>, Result<(), Unstored>)>;

/// The messages of one connection. How many there may be is the state machine's to limit.
#[derive(Default)]
pub(crate) struct Uplinks {
    bytes: usize,
    waiting: VecDeque<(PublishRef, DeviceMessage)>,
    storing: Option<(Vec<PublishRef>, Storing)>,
    answers: VecDeque<(PublishRef, PublishOutcome)>,
    /// When the next sequence may leave after a failure, and how many there were in a row.
    retry: Option<(Instant, Retry)>,
}

impl Uplinks {
    /// Queues a message; [`Self::poll_answer`] hands it in.
    pub(crate) fn push(&mut self, publish: PublishRef, message: DeviceMessage) {
        self.bytes += size(&message);
        self.waiting.push_back((publish, message));
    }

    /// Bytes of payload and topic that are on their way.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many messages have not been answered.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.storing.as_ref().map_or(0, |(publishes, _)| publishes.len()) + self.answers.len()
    }

    /// When the next retry is due, if something failed.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry.as_ref().filter(|_| self.storing.is_none()).map(|(at, _)| *at)
    }

    /// The next answer. Also hands in what waits.
    pub(crate) fn poll_answer(
        &mut self,
        instance: &Arc<Instance>,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<(PublishRef, PublishOutcome)> {
        loop {
            if let Some(answer) = self.answers.pop_front() {
                return Poll::Ready(answer);
            }
            if self.storing.is_none() {
                self.storing = self.next_sequence(instance, now);
            }
            let Some((_, storing)) = &mut self.storing else { return Poll::Pending };
            let (messages, stored) = ready!(storing.as_mut().poll(cx));
            if let Some((publishes, _)) = self.storing.take() {
                self.settle(instance, publishes.into_iter().zip(messages), stored);
            }
        }
    }

    fn next_sequence(&mut self, instance: &Arc<Instance>, now: Instant) -> Option<(Vec<PublishRef>, Storing)> {
        if self.waiting.is_empty() || self.retry.as_ref().is_some_and(|(at, _)| now < *at) {
            return None;
        }
        let next = self.waiting.drain(..self.waiting.len().min(PUBLISHED_TOGETHER_MAX));
        let (publishes, messages): (Vec<_>, Vec<_>) = next.unzip();
        let instance = instance.clone();
        let storing = async move {
            let stored = instance.backbone.messages.publish_in_order(&instance.id, &messages).await;
            (messages, stored.map(drop))
        };
        Some((publishes, Box::pin(storing)))
    }

    /// Answers what is decided, and puts the rest back in front of what waits.
    fn settle(
        &mut self,
        instance: &Instance,
        mut sequence: impl Iterator<Item = (PublishRef, DeviceMessage)>,
        stored: Result<(), Unstored>,
    ) {
        let count = stored.as_ref().map_or_else(|unstored| unstored.stored, |()| usize::MAX);
        for (publish, message) in sequence.by_ref().take(count) {
            self.answer(publish, &message, PublishOutcome::Stored);
        }
        let before = self.retry.take().filter(|_| count == 0);
        let Err(Unstored { error, .. }) = stored else { return };
        let after = After::of(&error);
        let (mut kept, mut lost) = (Vec::new(), false);
        for (number, (publish, message)) in sequence.enumerate() {
            let keep = match after {
                // A QoS 0 message has no acknowledgement: it is lost with the first failure, for it may have been stored.
                After::Retry => message.qos > 0,
                After::PassOver => number > 0,
                After::GiveUp => false,
            };
            if keep {
                kept.push((publish, message));
            } else {
                lost = true;
                self.answer(publish, &message, PublishOutcome::Failed);
            }
        }
        if after == After::Retry && !kept.is_empty() {
            tracing::debug!(instance = %instance.id, %error, messages = kept.len(), "messages could not be stored; trying again");
            let mut retry = before.map_or_else(|| instance.retry_by(RETRY), |(_, retry)| retry);
            self.retry = Some((Instant::now() + retry.failed(), retry));
        }
        for uplink in kept.into_iter().rev() {
            self.waiting.push_front(uplink);
        }
        if lost && let Some(left_out) = instance.uplink_repeats.failed(&error) {
            tracing::warn!(instance = %instance.id, %error, left_out, "a message could not be stored");
        }
    }

    fn answer(&mut self, publish: PublishRef, message: &DeviceMessage, outcome: PublishOutcome) {
        self.bytes -= size(message);
        self.answers.push_back((publish, outcome));
    }
}

/// What becomes of the rest of a sequence after an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// Trying again may help.
    Retry,
    /// The next message is over a limit by itself; those behind it were not tried.
    PassOver,
    /// Nothing is stored any more.
    GiveUp,
}

impl After {
    fn of(error: &BackboneError) -> Self {
        match error {
            BackboneError::Unavailable { .. }
            | BackboneError::Unwritable { .. }
            | BackboneError::StreamDiffers { .. }
            | BackboneError::Full { .. }
            | BackboneError::Damaged { .. } => Self::Retry,
            BackboneError::LimitReached { .. } => Self::PassOver,
            BackboneError::Closed => Self::GiveUp,
        }
    }
}

fn size(message: &DeviceMessage) -> usize {
    message.payload.len() + message.topic.len()
}
