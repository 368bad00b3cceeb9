//! The state machine of one connection: its whole interface, and the order of its life.

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};
use rollcall_domain::refusal::Refusal;

use super::{
    answer,
    connect::{self, Failure, Peer},
    exchange::{Closing, Delivered, Delivery, Effect, FilterOutcome, Grant, PublishOutcome, PublishRef, Undelivered},
    frame::{Frame, Frames},
    inbound,
    limits::{HELD_BYTES_MAX, IDLE_BUFFER_BYTES_MAX, IDLE_QUEUE_LEN_MAX, Limits, OUTPUT_BYTES_MAX, PROGRESS_BYTES},
    outbound,
    session::{Session, Sink},
    subscriptions::Subscriptions,
    violation::Violation,
};

/// First byte of a CONNECT.
const CONNECT: u8 = 0x10;

/// One connection, server side.
///
/// The owner's loop: read bytes while [`wants_input`](Self::wants_input), [`receive`](Self::receive) them, take every
/// [`next_effect`](Self::next_effect), write [`output`](Self::output) and say how much was [`written`](Self::written),
/// and [`tick`](Self::tick) at [`deadline_ms`](Self::deadline_ms). `now_ms` is any clock that only goes forward.
#[derive(Debug)]
pub struct Protocol {
    limits: Limits,
    state: State,
    frames: Frames,
    output: BytesMut,
    effects: VecDeque<Effect>,
    /// The latest time that was told.
    now_ms: u64,
    /// The client's last sign of life; `None`: the next time that is told. So nobody is blamed for our waiting.
    alive_ms: Option<u64>,
    /// How much of the packet that is being received has counted as a sign of life.
    progress_bytes: usize,
}

#[derive(Debug)]
enum State {
    /// Nothing whole has come yet.
    Fresh,
    /// The owner judges the CONNECT.
    Judged(Box<Peer>),
    /// CONNACK 0 was sent.
    Open(Box<Session>),
    /// `Effect::Close` was given.
    Closed,
}

impl Protocol {
    /// Waits for CONNECT.
    pub fn new(limits: Limits, now_ms: u64) -> Self {
        Self {
            limits,
            state: State::Fresh,
            frames: Frames::default(),
            output: BytesMut::new(),
            effects: VecDeque::new(),
            now_ms,
            alive_ms: Some(now_ms),
            progress_bytes: 0,
        }
    }

    /// Takes bytes from the client. Any cut will do.
    pub fn receive(&mut self, bytes: &[u8], now_ms: u64) {
        self.tell(now_ms);
        self.read(bytes);
    }

    /// Whether to read on. While this is false (the owner owes answers, or the client does not take its output), leave
    /// the bytes in the socket: that is what slows the client down. It stays true for the first bytes that come while
    /// the owner judges, so that the owner also learns when the client goes away.
    pub fn wants_input(&self) -> bool {
        match self.state {
            State::Closed => false,
            State::Fresh | State::Judged(_) | State::Open(_) => {
                !self.is_paused() || (self.output.len() <= OUTPUT_BYTES_MAX && self.frames.held_bytes() < HELD_BYTES_MAX)
            }
        }
    }

    /// The next thing for the owner to do. Take all of them after every call that may change something.
    pub fn next_effect(&mut self) -> Option<Effect> {
        let effect = self.effects.pop_front();
        if self.effects.is_empty() {
            self.effects.shrink_to(IDLE_QUEUE_LEN_MAX);
        }
        effect
    }

    /// Bytes to write to the client now.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// Says that the first `bytes` of the output have been written.
    pub fn written(&mut self, bytes: usize) {
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
            // It has taken something: that is a sign of life too.
            self.alive_ms = None;
            self.with_session(|session, sink| {
                session.send_queued(sink);
                Ok(())
            });
            self.read(&[]);
        }
    }

    /// When to call `tick` at the latest, on the owner's clock; `None` while no time limit runs.
    pub fn deadline_ms(&self) -> Option<u64> {
        let patience_ms = match &self.state {
            State::Fresh => u64::from(self.limits.connect_ms_max),
            // One and a half keep-alives (MQTT 5 §3.1.2.10).
            State::Open(session) if !session.waits_for_owner(&self.limits) => u64::from(session.peer.keep_alive_s) * 1500,
            State::Open(_) | State::Judged(_) | State::Closed => return None,
        };
        // An owner that has just answered is asked for the time at once.
        Some(self.alive_ms.map_or(self.now_ms, |alive_ms| alive_ms + patience_ms))
    }

    /// Tells the time; closes what is overdue. Early calls do no harm.
    pub fn tick(&mut self, now_ms: u64) {
        self.tell(now_ms);
        if self.deadline_ms().is_none_or(|deadline_ms| self.now_ms < deadline_ms) {
            return;
        }
        match &self.state {
            State::Fresh => self.end(Closing::Violated(Violation::ConnectTooSlow)),
            State::Open(_) if self.output.len() > OUTPUT_BYTES_MAX => self.end(Closing::Refused(Refusal::SlowConsumer)),
            State::Open(_) => self.end(Closing::Refused(Refusal::KeepAliveTimedOut)),
            State::Judged(_) | State::Closed => {}
        }
    }

    /// Lets the client in: CONNACK 0. Answers [`Effect::Connect`]; without effect in any other state.
    pub fn accept(&mut self, grant: &Grant, now_ms: u64) {
        self.tell(now_ms);
        let State::Judged(peer) = &self.state else { return };
        let peer = **peer;
        if !outbound::accepted(&mut self.output, &peer, grant, &self.limits) {
            return self.end(Closing::Refused(Refusal::PacketTooLarge));
        }
        self.state = State::Open(Box::new(Session::new(peer)));
        self.alive_ms = Some(self.now_ms);
        self.read(&[]);
    }

    /// Does not let the client in: CONNACK with the refusal's code, then close. Answers [`Effect::Connect`], and may
    /// come before it (too many connections): then nothing is said, there being no CONNECT to answer.
    /// `retry_after_s` becomes the user property of that name for MQTT 5.
    pub fn refuse(&mut self, refusal: Refusal, retry_after_s: Option<u32>) {
        match &self.state {
            State::Judged(peer) => {
                outbound::refused(&mut self.output, peer, &refusal, retry_after_s);
                self.finish(Closing::Refused(refusal));
            }
            State::Fresh => self.finish(Closing::Refused(refusal)),
            State::Open(_) => self.end(Closing::Refused(refusal)),
            State::Closed => {}
        }
    }

    /// Answers [`Effect::Publish`]; in any order, acknowledgements keep the order of the messages.
    pub fn published(&mut self, publish: PublishRef, outcome: PublishOutcome) {
        self.answered(|session, sink| session.published(publish, outcome, sink));
    }

    /// Answers [`Effect::Subscribe`], an outcome for each of its filters; missing ones count as denied.
    pub fn subscribed(&mut self, outcomes: &[FilterOutcome]) {
        self.answered(|session, sink| {
            session.subscribed(outcomes, sink);
            Ok(())
        });
    }

    /// Sends a message to the client, if it has subscribed to it.
    pub fn deliver(&mut self, delivery: &Delivery<'_>) -> Delivered {
        let mut delivered = Delivered::Not(Undelivered::NotOpen);
        self.with_session(|session, sink| {
            session.deliver(delivery, sink).map(|outcome| delivered = outcome).inspect_err(|_| {
                delivered = Delivered::Not(Undelivered::Full);
            })
        });
        delivered
    }

    /// Takes subscriptions away that the device may no longer have; what waits because of them is not sent. The client is
    /// not told: MQTT has no word for it.
    pub fn withdraw(&mut self, filters: &[Box<str>]) {
        self.with_session(|session, _| {
            session.withdraw(filters);
            Ok(())
        });
    }

    /// Ends the session: DISCONNECT with the reason for MQTT 5, then close. Before CONNACK the same as `refuse`.
    pub fn close(&mut self, refusal: Refusal) {
        self.refuse(refusal, None);
    }

    /// The subscriptions of an open session.
    pub fn subscriptions(&self) -> Option<&Subscriptions> {
        match &self.state {
            State::Open(session) => Some(&session.subscriptions),
            State::Fresh | State::Judged(_) | State::Closed => None,
        }
    }

    /// Acts on an answer of the owner, then reads on. If everything waited for it, the client's time starts anew.
    fn answered(&mut self, act: impl FnOnce(&mut Session, &mut Sink<'_>) -> Result<(), Closing>) {
        if self.is_paused() {
            self.alive_ms = None;
        }
        self.with_session(act);
        self.read(&[]);
    }

    fn tell(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.alive_ms.get_or_insert(self.now_ms);
    }

    /// Whether packets stay unread for now.
    fn is_paused(&self) -> bool {
        match &self.state {
            State::Fresh => false,
            State::Judged(_) | State::Closed => true,
            State::Open(session) => self.output.len() > OUTPUT_BYTES_MAX || session.waits_for_owner(&self.limits),
        }
    }

    /// Reads packets until there is no whole one left, or it is somebody else's turn.
    fn read(&mut self, mut bytes: &[u8]) {
        while !self.is_paused() {
            match self.next_frame(&mut bytes) {
                Ok(Some(frame)) => {
                    self.alive_ms = Some(self.now_ms);
                    self.progress_bytes = 0;
                    self.packet(frame);
                }
                Ok(None) => return self.note_progress(),
                Err(violation) => return self.end(Closing::Violated(violation)),
            }
        }
        if matches!(self.state, State::Closed) {
            return;
        }
        self.frames.hold(bytes);
    }

    fn next_frame(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, Violation> {
        if matches!(self.state, State::Fresh) && self.frames.first_byte(bytes).is_some_and(|byte| byte != CONNECT) {
            return Err(Violation::FirstPacketNotConnect);
        }
        self.frames.next(bytes, &self.limits)
    }

    fn note_progress(&mut self) {
        if matches!(self.state, State::Open(_)) && self.frames.held_bytes() >= self.progress_bytes + PROGRESS_BYTES {
            self.progress_bytes = self.frames.held_bytes();
            self.alive_ms = Some(self.now_ms);
        }
    }

    fn packet(&mut self, frame: Frame) {
        match &self.state {
            State::Fresh => self.connect(frame),
            State::Open(session) => match inbound::read(session.peer.version, frame) {
                Ok(packet) => self.with_session(|session, sink| session.packet(packet, sink)),
                Err(violation) => self.end(Closing::Violated(violation)),
            },
            State::Judged(_) | State::Closed => {}
        }
    }

    fn connect(&mut self, frame: Frame) {
        match connect::read(frame) {
            Ok((connect, peer)) => {
                self.state = State::Judged(Box::new(peer));
                self.effects.push_back(Effect::Connect(Box::new(connect)));
            }
            Err(Failure::Refused(refusal, peer)) => {
                outbound::refused(&mut self.output, &peer, &refusal, None);
                self.finish(Closing::Refused(refusal));
            }
            Err(Failure::Violated(violation, peer)) => {
                if let Some(peer) = peer {
                    outbound::violated(&mut self.output, &peer, violation);
                }
                self.finish(Closing::Violated(violation));
            }
        }
    }

    fn with_session(&mut self, act: impl FnOnce(&mut Session, &mut Sink<'_>) -> Result<(), Closing>) {
        let State::Open(session) = &mut self.state else { return };
        let mut sink =
            Sink { output: &mut self.output, effects: &mut self.effects, limits: &self.limits, now_ms: self.now_ms };
        if let Err(closing) = act(session, &mut sink) {
            self.end(closing);
        }
    }

    /// Ends with a last word, if the session is open and the version has one.
    fn end(&mut self, closing: Closing) {
        if let State::Open(session) = &self.state {
            match &closing {
                Closing::Client => {}
                Closing::Refused(refusal) => {
                    let reason = answer::reason_string(refusal.code(), refusal);
                    outbound::disconnect(&mut self.output, &session.peer, answer::codes(refusal).disconnect_5, reason);
                }
                Closing::Violated(violation) => {
                    let reason = answer::reason_string(violation.refusal().code(), violation);
                    outbound::disconnect(&mut self.output, &session.peer, violation.reason(), reason);
                }
            }
        }
        self.finish(closing);
    }

    fn finish(&mut self, closing: Closing) {
        if !matches!(self.state, State::Closed) {
            self.state = State::Closed;
            self.frames.clear();
            self.effects.push_back(Effect::Close(closing));
        }
    }
}
