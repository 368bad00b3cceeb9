//! What a connection waits for, all at once: room to write, mail, stored messages, bytes, the clock.
//!
//! Polled by hand, because one stream is both read and written and one state machine gets every event. Invariant:
//! each part that returns pending has registered its waker where its next change happens; the end of the client's bytes
//! and a broken socket are input to the state machine, which first has stored what was taken.

use std::{
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rollcall_domain::refusal::Refusal;
use tokio::{io::ReadBuf, time::Instant};

use super::{Connection, Stage};
use crate::{
    mqtt::Delivered,
    sessions::{mailbox::Mail, topic_authorization::authorize_delivery},
    transport::client_stream::ClientStream,
};

/// Bytes read at a time.
const READ_BYTES: usize = 4096;
/// Output above which no more messages are taken from the mailbox: there they count against the client's bounds.
const OUTPUT_HIGH_BYTES: usize = 32 * 1024;

impl<S: ClientStream> Connection<S> {
    /// Polls every part; ready when the state machine may have an effect.
    pub(super) fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // One instant for all, so that the timer does not take for past what another part still waits for.
        let now = Instant::now();
        let progress = [
            self.poll_write(cx),
            self.poll_mail(cx),
            self.poll_uplinks(now, cx),
            self.poll_read(now, cx),
            self.poll_timer(now, cx),
        ];
        if progress.iter().any(Poll::is_ready) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Writes output as far as the client takes it. That it takes no more does not end the connection: a client that sent
    /// its messages and closed its socket at once has reset it, and what it sent is still to be read.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut progress = Poll::Pending;
        while !self.protocol.output().is_empty() {
            if self.unwritable {
                self.protocol.written(self.protocol.output().len());
                return Poll::Ready(());
            }
            match Pin::new(&mut self.stream).poll_write(cx, self.protocol.output()) {
                Poll::Ready(Ok(bytes)) if bytes > 0 => {
                    self.protocol.written(bytes);
                    (self.unflushed, progress) = (true, Poll::Ready(()));
                }
                Poll::Ready(_) => self.unwritable = true,
                Poll::Pending => return progress,
            }
        }
        if self.unflushed && !self.unwritable {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => self.unwritable = true,
                Poll::Pending => {}
            }
        }
        progress
    }

    fn poll_mail(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Stage::Connected(guard) = &self.stage else { return self.poll_stopping(cx) };
        if self.dismissed {
            return Poll::Pending;
        }
        let wanted = !self.backlogged && !self.unwritable && self.protocol.output().len() < OUTPUT_HIGH_BYTES;
        match ready!(guard.session.mailbox.poll_next(wanted, cx)) {
            Mail::Close(refusal) => {
                self.dismissed = true;
                match refusal {
                    // The device has the rights that it had: what it has sent by now is taken.
                    Refusal::TakenOver | Refusal::ShuttingDown => self.protocol.leave(refusal),
                    _ => self.protocol.close(refusal),
                }
            }
            Mail::Withdraw(filters) => {
                self.protocol.withdraw(&filters);
                if let Some(kept) = guard.session.persistence.get() {
                    kept.note_subscriptions(self.protocol.subscriptions(), self.instance.routed.up_to());
                }
            }
            Mail::Message(stored) => {
                let mut stored = Arc::unwrap_or_clone(stored);
                if let Some(authorize_delivery) = authorize_delivery(&self.instance, &guard.session, &mut stored) {
                    self.backlogged = self.protocol.deliver(&authorize_delivery) == Delivered::Queued;
                }
                // Before the mailbox is asked for the next one.
                self.note_unacknowledged();
            }
        }
        Poll::Ready(())
    }

    fn poll_stopping(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Stage::Connecting(connecting) = &mut self.stage else { return Poll::Pending };
        ready!(connecting.stopping.as_mut().poll(cx));
        self.protocol.refuse(Refusal::ShuttingDown, None);
        Poll::Ready(())
    }

    /// Takes all answers that are there, so that their acknowledgements leave in one write: one by one, each would cost a TLS
    /// record and a system call. There are no more of them than the state machine lets wait.
    fn poll_uplinks(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let mut progress = Poll::Pending;
        while let Some(uplinks) = &mut self.uplinks
            && let Poll::Ready((publish, outcome)) = uplinks.poll_answer(&self.instance, now, cx)
        {
            if uplinks.len() == 0 {
                self.uplinks = None;
            }
            self.protocol.published(publish, outcome);
            progress = Poll::Ready(());
        }
        progress
    }

    fn poll_read(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let too_fast = self.is_too_fast(now);
        self.protocol.suspend_reading(too_fast);
        if too_fast || !self.protocol.wants_input() {
            return Poll::Pending;
        }
        let mut scratch = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut read = ReadBuf::uninit(&mut scratch);
        let received = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read));
        if received.is_err() || read.filled().is_empty() {
            self.protocol.receive_ended();
            return Poll::Ready(());
        }
        self.backlogged = false;
        self.buckets[1].spend(read.filled().len(), now);
        self.protocol.receive(read.filled(), self.context.now_ms());
        Poll::Ready(())
    }

    /// Whether the device exceeds a rate or has too much in flight: then it is not read from, which slows it down.
    fn is_too_fast(&self, now: Instant) -> bool {
        let in_flight = self.uplinks.as_ref().map_or(0, |uplinks| uplinks.bytes());
        in_flight >= self.context.config.limits.uplink_bytes_in_flight_max as usize
            || self.buckets.iter().any(|bucket| bucket.resumes_at(now).is_some())
    }

    /// The timer is moved only when it would ring too late: each packet puts the keep-alive off, and a ring that is
    /// early does no harm.
    fn poll_timer(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let deadline_ms = self.protocol.deadline_ms();
        if deadline_ms.is_some_and(|at_ms| self.context.instant(at_ms) <= now) {
            self.protocol.tick(self.context.now_ms());
            return Poll::Ready(());
        }
        let deadline = deadline_ms.map(|at_ms| self.context.instant(at_ms));
        let retry = self.uplinks.as_ref().and_then(|uplinks| uplinks.retry_at());
        let [messages, bytes] = &self.buckets;
        let all = [deadline, messages.resumes_at(now), bytes.resumes_at(now), retry];
        let Some(due) = all.into_iter().flatten().min() else { return Poll::Pending };
        if due < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(due);
        }
        self.timer.as_mut().poll(cx)
    }
}
