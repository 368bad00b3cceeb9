//! The end of a session: whatever it is, the messages that were taken before it are answered first, within
//! [`GOODBYE_MS_MAX`].
//!
//! A client that publishes and leaves does so in one write: its DISCONNECT, or the end of its bytes, is read together with
//! messages that are not stored yet. Invariant: no packet is read after one that ends the session, or after the device has
//! lost its rights.

use rollcall_domain::refusal::Refusal;

use super::{Protocol, State};
use crate::mqtt::{
    interface::Closing,
    limits::{GOODBYE_MS_MAX, GOODBYE_QUIET_MS},
};

/// An end that waits for answers.
#[derive(Debug)]
pub(super) struct Goodbye {
    closing: Closing,
    reading: Reading,
    /// When it began; `None`: the next time that is observed.
    since_ms: Option<u64>,
    /// When bytes came last; `None`: the same.
    quiet_since_ms: Option<u64>,
}

impl Goodbye {
    fn new(closing: Closing, reading: Reading) -> Box<Self> {
        Box::new(Self { closing, reading, since_ms: None, quiet_since_ms: None })
    }

    pub(super) fn observe_time(&mut self, now_ms: u64) {
        self.since_ms.get_or_insert(now_ms);
        self.quiet_since_ms.get_or_insert(now_ms);
    }

    /// Something may come, or has come: the quiet begins anew.
    pub(super) fn disturb(&mut self) {
        self.quiet_since_ms = None;
    }
}

/// What is still read of what the client has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reading {
    /// What comes until it is quiet for [`GOODBYE_QUIET_MS`], and what is buffered.
    Socket,
    /// Whole packets that are buffered.
    Buffered,
    Nothing,
}

impl Protocol {
    /// Ends a session that keeps its rights (another took its place, the server stops): what the client has sent by now is
    /// taken before. Go on as if nothing had happened. Before CONNACK the same as `refuse`.
    pub(crate) fn leave(&mut self, refusal: Refusal) {
        if matches!(self.state, State::Established(_)) && self.goodbye.is_none() {
            self.goodbye = Some(Goodbye::new(Closing::Refused(refusal), Reading::Socket));
        } else {
            self.close(refusal);
        }
    }

    /// No more bytes come from the client.
    pub(crate) fn receive_ended(&mut self) {
        match &self.state {
            State::Established(_) => {
                let goodbye = self.goodbye.get_or_insert_with(|| Goodbye::new(Closing::Gone, Reading::Buffered));
                goodbye.reading = goodbye.reading.max(Reading::Buffered);
                self.read(&[]);
            }
            State::AwaitingConnect | State::Authorizing(_) => self.finish(Closing::Gone),
            State::Closed => {}
        }
    }

    pub(super) fn owes_answers(&self) -> bool {
        matches!(&self.state, State::Established(session) if session.owes_answers())
    }

    /// Whether bytes from the client are of no use any more.
    pub(super) fn has_stopped_receiving(&self) -> bool {
        self.goodbye.as_ref().is_some_and(|goodbye| goodbye.reading > Reading::Socket)
    }

    /// Whether packets that are buffered are of no use any more.
    pub(super) fn has_stopped_reading(&self) -> bool {
        self.goodbye.as_ref().is_some_and(|goodbye| goodbye.reading == Reading::Nothing)
    }

    /// Reads no more packets and closes when everything is answered. What a packet says counts more than that the client's
    /// bytes ended behind it.
    pub(super) fn wait_for_answers(&mut self, closing: Closing) {
        let goodbye = self.goodbye.get_or_insert_with(|| Goodbye::new(Closing::Gone, Reading::Socket));
        if goodbye.reading != Reading::Nothing {
            (goodbye.closing, goodbye.reading) = (closing, Reading::Nothing);
            self.frames.clear();
        }
    }

    /// Closes if an end is under way and everything that was to be read is read and answered.
    pub(super) fn close_when_answered(&mut self) {
        let is_read = match self.goodbye.as_ref().map(|goodbye| goodbye.reading) {
            None | Some(Reading::Socket) => false,
            Some(Reading::Buffered) => !self.is_paused(),
            Some(Reading::Nothing) => true,
        };
        if is_read && !self.owes_answers() {
            self.give_up_answers();
        }
    }

    /// Closes, answered or not.
    pub(super) fn give_up_answers(&mut self) {
        if let Some(goodbye) = self.goodbye.take() {
            self.close_now(goodbye.closing);
        }
    }

    /// When something becomes of the end that is under way.
    pub(super) fn goodbye_deadline_ms(&self) -> Option<u64> {
        let goodbye = self.goodbye.as_ref()?;
        let end_ms = goodbye.since_ms.map_or(self.now_ms, |since_ms| since_ms + GOODBYE_MS_MAX);
        let is_listening = goodbye.reading == Reading::Socket && !self.reading_suspended && !self.is_paused();
        let quiet_ms = goodbye.quiet_since_ms.map_or(self.now_ms, |since_ms| since_ms + GOODBYE_QUIET_MS);
        Some(if is_listening { end_ms.min(quiet_ms) } else { end_ms })
    }

    /// The deadline has come.
    pub(super) fn goodbye_is_due(&mut self) {
        let began_ms = self.goodbye.as_ref().and_then(|goodbye| goodbye.since_ms);
        if began_ms.is_some_and(|since_ms| since_ms + GOODBYE_MS_MAX <= self.now_ms) {
            self.give_up_answers();
        } else {
            self.receive_ended();
        }
    }
}
