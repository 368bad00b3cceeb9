//! Messages of one device on their way to the message stream: several at a time, answered when they are on disk.
//!
//! A QoS 1 message that could not be stored is tried again until it is stored or the connection ends: meanwhile the
//! device's window of unacknowledged messages slows it down. Invariant: no message is started while an earlier one
//! waits for a retry, so the stored order is the device's as far as failures allow.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use rollcall_log::{BackboneError, messages::DeviceMessage};
use tokio::time::Instant;

use crate::{
    instance::Instance,
    mqtt::{PublishOutcome, PublishRef},
};

/// How long after a failure the first retry comes; doubled up to [`RETRY_DELAY_MAX`].
const RETRY_DELAY_MIN: Duration = Duration::from_millis(250);
/// The longest wait between retries.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(4);

/// One message on its way.
struct Uplink {
    number: u64,
    publish: PublishRef,
    message: DeviceMessage,
}

/// One attempt that has ended; `uplink` is there if it may be tried again.
struct Attempt {
    publish: PublishRef,
    bytes: usize,
    uplink: Option<Uplink>,
    stored: Result<(), BackboneError>,
}

/// The messages of one connection. How many there may be is the state machine's to limit.
#[derive(Default)]
pub(crate) struct Uplinks {
    number: u64,
    bytes: usize,
    waiting: VecDeque<Uplink>,
    under_way: FuturesUnordered<BoxFuture<'static, Attempt>>,
    failed: Vec<Uplink>,
    retry: Option<(Instant, Duration)>,
}

impl Uplinks {
    /// Queues a message; [`Self::poll_answer`] starts it.
    pub(crate) fn push(&mut self, publish: PublishRef, message: DeviceMessage) {
        self.number += 1;
        self.bytes += size(&message);
        self.waiting.push_back(Uplink { number: self.number, publish, message });
    }

    /// Bytes of payload and topic that are on their way.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty() && self.failed.is_empty()
    }

    /// When the next retry is due, if something failed.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry.filter(|_| !self.failed.is_empty() && self.under_way.is_empty()).map(|(at, _)| at)
    }

    /// The next answer. Also starts what waits.
    pub(crate) fn poll_answer(
        &mut self,
        instance: &Arc<Instance>,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<(PublishRef, PublishOutcome)> {
        loop {
            self.retry_failed(now);
            if self.failed.is_empty() {
                self.under_way.extend(self.waiting.drain(..).map(|uplink| attempt(instance.clone(), uplink)));
            }
            match self.under_way.poll_next_unpin(cx) {
                Poll::Ready(Some(attempt)) => {
                    if let Some(answer) = self.settle(instance, attempt) {
                        return Poll::Ready(answer);
                    }
                }
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The answer to an attempt, unless it is tried again.
    fn settle(&mut self, instance: &Instance, attempt: Attempt) -> Option<(PublishRef, PublishOutcome)> {
        match (attempt.stored, attempt.uplink) {
            (Ok(()), _) => {
                if self.failed.is_empty() {
                    self.retry = None;
                }
                self.bytes -= attempt.bytes;
                Some((attempt.publish, PublishOutcome::Stored))
            }
            (Err(error), Some(uplink)) if passes(&error) => {
                if self.failed.is_empty() {
                    tracing::debug!(instance = %instance.id, %error, "a message could not be stored; trying again");
                    let wait = self.retry.map_or(RETRY_DELAY_MIN, |(_, before)| (before * 2).min(RETRY_DELAY_MAX));
                    self.retry = Some((Instant::now() + wait, wait));
                }
                self.failed.push(uplink);
                None
            }
            (Err(error), _) => {
                if let Some(left_out) = instance.uplink_repeats.failed(&error) {
                    tracing::warn!(instance = %instance.id, %error, left_out, "a message could not be stored");
                }
                self.bytes -= attempt.bytes;
                Some((attempt.publish, PublishOutcome::Failed))
            }
        }
    }

    fn retry_failed(&mut self, now: Instant) {
        if self.retry_at().is_some_and(|at| at <= now) {
            self.failed.sort_unstable_by_key(|uplink| uplink.number);
            for uplink in self.failed.drain(..).rev() {
                self.waiting.push_front(uplink);
            }
        }
    }
}

/// Whether trying again may help.
fn passes(error: &BackboneError) -> bool {
    match error {
        BackboneError::Unavailable { .. }
        | BackboneError::Unwritable { .. }
        | BackboneError::StreamDiffers { .. }
        | BackboneError::Full { .. }
        | BackboneError::Damaged { .. } => true,
        BackboneError::LimitReached { .. } | BackboneError::Closed => false,
    }
}

fn size(message: &DeviceMessage) -> usize {
    message.payload.len() + message.topic.len()
}

fn attempt(instance: Arc<Instance>, uplink: Uplink) -> BoxFuture<'static, Attempt> {
    Box::pin(async move {
        let Uplink { number, publish, message } = uplink;
        let bytes = size(&message);
        // A QoS 0 message has no acknowledgement: it is lost with the first failure.
        let kept = (message.qos > 0).then(|| Uplink { number, publish, message: message.clone() });
        let stored = instance.backbone.messages.publish(&instance.id, message).await.map(drop);
        Attempt { publish, bytes, uplink: kept, stored }
    })
}
