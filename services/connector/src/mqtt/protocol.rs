//! The state machine of one connection, as its owner uses it.

mod goodbye;
mod transitions;

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};
use rollcall_domain::refusal::Refusal;
use rollcall_log::messages::MessagePosition;

use self::goodbye::Goodbye;
use super::{
    connect::Peer,
    established::Established,
    frame::Frames,
    interface::{Closing, Delivered, Delivery, Effect, FilterOutcome, Grant, PublishOutcome, PublishRef, Undelivered},
    limits::{BUFFERED_BYTES_MAX, IDLE_BUFFER_BYTES_MAX, IDLE_QUEUE_LEN_MAX, Limits, OUTPUT_BYTES_MAX},
    outbound,
    subscriptions::{Subscription, Subscriptions},
    violation::Violation,
};

/// One connection, server side.
///
/// The owner's loop: read bytes while [`wants_input`](Self::wants_input), [`receive`](Self::receive) them, take every
/// [`next_effect`](Self::next_effect), write [`output`](Self::output) and say how much was [`written`](Self::written),
/// and [`tick`](Self::tick) at [`deadline_ms`](Self::deadline_ms). `now_ms` is any clock that only goes forward.
#[derive(Debug)]
pub(crate) struct Protocol {
    limits: Limits,
    state: State,
    frames: Frames,
    output: BytesMut,
    effects: VecDeque<Effect>,
    /// The latest time that was observed.
    now_ms: u64,
    /// The client's last activity; `None`: the next time that is observed, so that the client is not charged for our
    /// waiting.
    active_ms: Option<u64>,
    /// Whether the owner leaves bytes in the socket although they are wanted.
    reading_suspended: bool,
    /// The end of the session that is under way.
    goodbye: Option<Box<Goodbye>>,
    /// How much of the packet that is being received has counted as activity.
    progress_bytes: usize,
    /// What the client had not acknowledged when the session ended.
    unacknowledged_at_end: Vec<MessagePosition>,
    /// What the client was subscribed to when the session ended.
    subscriptions_at_end: Subscriptions,
}

#[derive(Debug)]
enum State {
    /// No whole packet has come yet.
    AwaitingConnect,
    /// The owner has the CONNECT to answer.
    Authorizing(Box<Peer>),
    /// CONNACK 0 was sent.
    Established(Box<Established>),
    /// `Effect::Close` was given.
    Closed,
}

impl Protocol {
    /// Waits for CONNECT.
    pub(crate) fn new(limits: Limits, now_ms: u64) -> Self {
        Self {
            limits,
            state: State::AwaitingConnect,
            frames: Frames::default(),
            output: BytesMut::new(),
            effects: VecDeque::new(),
            now_ms,
            active_ms: Some(now_ms),
            reading_suspended: false,
            goodbye: None,
            progress_bytes: 0,
            unacknowledged_at_end: Vec::new(),
            subscriptions_at_end: Subscriptions::default(),
        }
    }

    /// Takes bytes from the client, split anywhere.
    pub(crate) fn receive(&mut self, bytes: &[u8], now_ms: u64) {
        self.disturb_goodbye();
        self.observe_time(now_ms);
        self.read(bytes);
    }

    /// Whether to read on. While this is false (the owner owes answers, or the client does not take its output), leave
    /// the bytes in the socket: that is what slows the client down. It stays true for the first bytes that come while
    /// the owner authorizes, so that the owner also learns when the client goes away.
    pub(crate) fn wants_input(&self) -> bool {
        match self.state {
            State::Closed => false,
            State::Established(_) if self.has_stopped_receiving() => false,
            State::AwaitingConnect | State::Authorizing(_) | State::Established(_) => {
                !self.is_paused()
                    || (self.output.len() <= OUTPUT_BYTES_MAX && self.frames.buffered_bytes() < BUFFERED_BYTES_MAX)
            }
        }
    }

    /// Says whether the owner leaves the client's bytes in the socket although they are wanted: too much is on its way
    /// already. Meanwhile an open session's keep-alive does not run, because a PINGREQ may lie there unread; it starts
    /// anew when that is over.
    pub(crate) fn suspend_reading(&mut self, reading_suspended: bool) {
        if self.reading_suspended && !reading_suspended {
            self.active_ms = None;
            self.disturb_goodbye();
        }
        self.reading_suspended = reading_suspended;
    }

    /// The next thing for the owner to do. Take all of them after every call that may change something.
    pub(crate) fn next_effect(&mut self) -> Option<Effect> {
        let effect = self.effects.pop_front();
        if self.effects.is_empty() {
            self.effects.shrink_to(IDLE_QUEUE_LEN_MAX);
        }
        effect
    }

    /// Bytes to write to the client now.
    pub(crate) fn output(&self) -> &[u8] {
        &self.output
    }

    /// Tells the machine that the first `bytes` of the output have been written.
    pub(crate) fn written(&mut self, bytes: usize) {
        let was_full = self.output.len() > OUTPUT_BYTES_MAX;
        self.output.advance(bytes.min(self.output.len()));
        if self.output.is_empty() {
            if self.output.capacity() > IDLE_BUFFER_BYTES_MAX {
                self.output = BytesMut::new();
            } else {
                self.output.clear();
            }
        }
        if was_full {
            // Taking output is activity too.
            self.active_ms = None;
            self.with_session(|session, sink| {
                session.send_queued(sink);
                Ok(())
            });
            self.read(&[]);
        }
    }

    /// When to call `tick` at the latest, on the owner's clock; `None` while no time limit runs.
    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        if let Some(deadline_ms) = self.goodbye_deadline_ms() {
            return Some(deadline_ms);
        }
        let timeout_ms = match &self.state {
            State::AwaitingConnect => u64::from(self.limits.connect_ms_max),
            // One and a half keep-alives (MQTT 5 §3.1.2.10).
            State::Established(session) if !self.reading_suspended && !session.waits_for_owner(&self.limits) => {
                u64::from(session.peer.keep_alive_s) * 1500
            }
            State::Established(_) | State::Authorizing(_) | State::Closed => return None,
        };
        // An owner that has just answered is asked for the time at once.
        Some(self.active_ms.map_or(self.now_ms, |active_ms| active_ms + timeout_ms))
    }

    /// Tells the time; closes what is overdue. Early calls do no harm.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        self.observe_time(now_ms);
        if self.deadline_ms().is_none_or(|deadline_ms| self.now_ms < deadline_ms) {
            return;
        }
        match &self.state {
            State::Established(_) if self.goodbye.is_some() => self.goodbye_is_due(),
            State::AwaitingConnect => self.end(Closing::Violated(Violation::ConnectTooSlow)),
            State::Established(_) if self.output.len() > OUTPUT_BYTES_MAX => {
                self.end(Closing::Refused(Refusal::SlowConsumer))
            }
            State::Established(_) => self.end(Closing::Refused(Refusal::KeepAliveTimedOut)),
            State::Authorizing(_) | State::Closed => {}
        }
    }

    /// Accepts the client: CONNACK 0. Answers [`Effect::Connect`]; without effect in any other state.
    pub(crate) fn accept(&mut self, grant: &Grant, now_ms: u64) {
        self.observe_time(now_ms);
        let State::Authorizing(peer) = &self.state else { return };
        let peer = **peer;
        if !outbound::accepted(&mut self.output, &peer, grant, &self.limits) {
            return self.end(Closing::Refused(Refusal::PacketTooLarge));
        }
        let subscriptions = grant.session.subscriptions.clone();
        self.state = State::Established(Box::new(Established::new(peer, subscriptions)));
        self.active_ms = Some(self.now_ms);
        self.read(&[]);
    }

    /// Refuses the client: CONNACK with the refusal's code, then close. Answers [`Effect::Connect`], and may
    /// come before it (too many connections): then nothing is sent, there being no CONNECT to answer.
    /// `retry_after_s` becomes the user property of that name for MQTT 5.
    pub(crate) fn refuse(&mut self, refusal: Refusal, retry_after_s: Option<u32>) {
        match &self.state {
            State::Authorizing(peer) => {
                outbound::refused(&mut self.output, peer, &refusal, retry_after_s);
                self.finish(Closing::Refused(refusal));
            }
            State::AwaitingConnect => self.finish(Closing::Refused(refusal)),
            State::Established(_) => self.end(Closing::Refused(refusal)),
            State::Closed => {}
        }
    }

    /// Answers [`Effect::Publish`]; in any order, acknowledgements keep the order of the messages.
    pub(crate) fn published(&mut self, publish: PublishRef, outcome: PublishOutcome) {
        self.answered(|session, sink| session.published(publish, outcome, sink));
    }

    /// Answers [`Effect::Subscribe`], an outcome for each of its filters; missing ones count as denied.
    pub(crate) fn subscribed(&mut self, outcomes: &[FilterOutcome]) {
        self.answered(|session, sink| {
            session.subscribed(outcomes, sink);
            Ok(())
        });
    }

    /// Sends a message to the client, if it has subscribed to it.
    pub(crate) fn deliver(&mut self, delivery: &Delivery<'_>) -> Delivered {
        let mut delivered = Delivered::Not(Undelivered::NotOpen);
        self.with_session(|session, sink| {
            session.deliver(delivery, sink).map(|outcome| delivered = outcome).inspect_err(|_| {
                delivered = Delivered::Not(Undelivered::Full);
            })
        });
        delivered
    }

    /// Takes subscriptions away that the device may no longer have; what waits because of them is not sent. The client is
    /// not told: MQTT has no packet for it.
    pub(crate) fn withdraw(&mut self, filters: &[Box<str>]) {
        self.with_session(|session, _| {
            session.withdraw(filters);
            Ok(())
        });
    }

    /// The subscriptions of the open session, or of the one that has ended: a client may unsubscribe and leave in one write,
    /// and the owner hears of the former when the latter has been read.
    pub(crate) fn subscriptions(&self) -> &[Subscription] {
        match &self.state {
            State::Established(session) => session.subscriptions.all(),
            State::AwaitingConnect | State::Authorizing(_) | State::Closed => self.subscriptions_at_end.all(),
        }
    }

    /// Where in the message stream those QoS 1 messages are that the client has not acknowledged, also when the session has
    /// ended.
    pub(crate) fn unacknowledged(&self) -> impl Iterator<Item = MessagePosition> {
        let open = match &self.state {
            State::Established(session) => Some(session.unacknowledged()),
            State::AwaitingConnect | State::Authorizing(_) | State::Closed => None,
        };
        open.into_iter().flatten().chain(self.unacknowledged_at_end.iter().copied())
    }

    /// Ends the session: no packet is read any more; when the messages that were taken are answered, DISCONNECT with the
    /// reason for MQTT 5, then close. Before CONNACK the same as `refuse`.
    pub(crate) fn close(&mut self, refusal: Refusal) {
        self.refuse(refusal, None);
    }
}
