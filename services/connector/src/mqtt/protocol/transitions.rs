//! The state transitions: reading packets unless paused, and closing.

use super::{Protocol, State};
use crate::mqtt::{
    connect::{self, Failure},
    established::{Established, Sink},
    frame::Frame,
    inbound,
    interface::{Closing, Effect, Ignored},
    limits::{OUTPUT_BYTES_MAX, PROGRESS_BYTES},
    outbound, reason_codes,
    violation::Violation,
};

/// First byte of a CONNECT, without its flags.
const CONNECT: u8 = 0x10;

impl Protocol {
    /// Acts on an answer of the owner, then reads on. If everything waited for it, the client's time starts anew.
    pub(super) fn answered(&mut self, act: impl FnOnce(&mut Established, &mut Sink<'_>) -> Result<(), Closing>) {
        if self.is_paused() {
            self.active_ms = None;
            self.disturb_goodbye();
        }
        self.with_session(act);
        self.read(&[]);
    }

    pub(super) fn disturb_goodbye(&mut self) {
        if let Some(goodbye) = &mut self.goodbye {
            goodbye.disturb();
        }
    }

    pub(super) fn observe_time(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.active_ms.get_or_insert(self.now_ms);
        if let Some(goodbye) = &mut self.goodbye {
            goodbye.observe_time(self.now_ms);
        }
    }

    /// Whether packets stay unread for now.
    pub(super) fn is_paused(&self) -> bool {
        match &self.state {
            State::AwaitingConnect => false,
            State::Authorizing(_) | State::Closed => true,
            State::Established(session) => {
                self.has_stopped_reading() || self.output.len() > OUTPUT_BYTES_MAX || session.waits_for_owner(&self.limits)
            }
        }
    }

    /// Reads packets until there is no whole one left, or the owner or the client has to act first.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !self.is_paused() {
            match self.next_frame(&mut bytes) {
                Ok(Some(frame)) => {
                    self.active_ms = Some(self.now_ms);
                    self.progress_bytes = 0;
                    self.packet(frame);
                }
                Ok(None) => {
                    self.note_progress();
                    return self.close_when_answered();
                }
                Err(violation) => return self.end(Closing::Violated(violation)),
            }
        }
        if matches!(self.state, State::Closed) {
            return;
        }
        if !self.has_stopped_reading() {
            self.frames.buffer(bytes);
        }
        self.close_when_answered();
    }

    fn next_frame(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, Violation> {
        if matches!(self.state, State::AwaitingConnect)
            && self.frames.first_byte(bytes).is_some_and(|byte| byte & 0xf0 != CONNECT)
        {
            return Err(Violation::FirstPacketNotConnect);
        }
        self.frames.next(bytes, &self.limits)
    }

    fn note_progress(&mut self) {
        if matches!(self.state, State::Established(_))
            && self.frames.buffered_bytes() >= self.progress_bytes + PROGRESS_BYTES
        {
            self.progress_bytes = self.frames.buffered_bytes();
            self.active_ms = Some(self.now_ms);
        }
    }

    fn packet(&mut self, frame: Frame) {
        match &self.state {
            State::AwaitingConnect => self.connect(frame),
            State::Established(session) => match inbound::read(session.peer.version, frame) {
                Ok(packet) => self.with_session(|session, sink| session.packet(packet, sink)),
                Err(violation) => self.end(Closing::Violated(violation)),
            },
            State::Authorizing(_) | State::Closed => {}
        }
    }

    fn connect(&mut self, frame: Frame) {
        match connect::read(frame, &self.limits) {
            Ok((connect, peer)) => {
                self.state = State::Authorizing(Box::new(peer));
                let will = connect.will.as_ref().filter(|_| peer.retain_ignored);
                let ignored = will.map(|will| Ignored::Retain { topic: will.topic.clone() });
                self.effects.push_back(Effect::Connect(Box::new(connect)));
                self.effects.extend(ignored.map(Effect::Ignored));
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

    pub(super) fn with_session(&mut self, act: impl FnOnce(&mut Established, &mut Sink<'_>) -> Result<(), Closing>) {
        let State::Established(session) = &mut self.state else { return };
        let mut sink =
            Sink { output: &mut self.output, effects: &mut self.effects, limits: &self.limits, now_ms: self.now_ms };
        if let Err(closing) = act(session, &mut sink) {
            self.end(closing);
        }
    }

    /// Closes, once the messages that were taken are answered: with a DISCONNECT if the session is open and the version has
    /// one for servers.
    pub(super) fn end(&mut self, closing: Closing) {
        if self.owes_answers() {
            self.wait_for_answers(closing);
        } else if self.has_stopped_reading() {
            self.give_up_answers();
        } else {
            self.close_now(closing);
        }
    }

    pub(super) fn close_now(&mut self, closing: Closing) {
        if let State::Established(session) = &self.state {
            match &closing {
                Closing::Client | Closing::Gone => {}
                Closing::Refused(refusal) => {
                    let reason = reason_codes::reason_string(refusal.code(), refusal);
                    outbound::disconnect(&mut self.output, &session.peer, reason_codes::codes(refusal).disconnect_5, reason);
                }
                Closing::Violated(violation) => {
                    let reason = reason_codes::reason_string(violation.refusal().code(), violation);
                    outbound::disconnect(&mut self.output, &session.peer, violation.reason(), reason);
                }
            }
        }
        self.finish(closing);
    }

    pub(super) fn finish(&mut self, closing: Closing) {
        if !matches!(self.state, State::Closed) {
            if let State::Established(session) = &mut self.state {
                self.unacknowledged_at_end = session.unacknowledged().collect();
                self.subscriptions_at_end = std::mem::take(&mut session.subscriptions);
                self.effects.extend(session.disconnected.map(Effect::Disconnected));
            }
            self.state = State::Closed;
            self.goodbye = None;
            self.frames.clear();
            self.effects.push_back(Effect::Close(closing));
        }
    }
}
