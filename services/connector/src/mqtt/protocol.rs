//! The state machine of one connection: its whole interface, and the order of its life.

use rollcall_domain::refusal::Refusal;

use super::{
    exchange::{Delivered, Delivery, Effect, FilterOutcome, Grant, PublishOutcome, PublishRef},
    limits::Limits,
};

/// One connection, server side.
///
/// The owner's loop: read bytes while [`wants_input`](Self::wants_input), [`receive`](Self::receive) them, take every
/// [`next_effect`](Self::next_effect), write [`output`](Self::output) and say how much was [`written`](Self::written),
/// and [`tick`](Self::tick) at [`deadline_ms`](Self::deadline_ms). `now_ms` is any clock that only goes forward.
#[derive(Debug)]
pub struct Protocol {
    limits: Limits,
}

impl Protocol {
    /// Waits for CONNECT.
    pub fn new(limits: Limits, now_ms: u64) -> Self {
        let _ = now_ms;
        Self { limits }
    }

    /// Takes bytes from the client. Any cut will do.
    pub fn receive(&mut self, bytes: &[u8], now_ms: u64) {
        let _ = (bytes, now_ms, self.limits);
        todo!()
    }

    /// Whether to read on. While this is false (the owner owes answers, or the client does not take its output), leave
    /// the bytes in the socket: that is what slows the client down.
    pub fn wants_input(&self) -> bool {
        todo!()
    }

    /// The next thing for the owner to do. Take all of them after every call that may change something.
    pub fn next_effect(&mut self) -> Option<Effect> {
        todo!()
    }

    /// Bytes to write to the client now.
    pub fn output(&self) -> &[u8] {
        todo!()
    }

    /// Says that the first `bytes` of the output have been written.
    pub fn written(&mut self, bytes: usize) {
        let _ = bytes;
        todo!()
    }

    /// When to call `tick` at the latest, on the owner's clock; `None` while no time limit runs.
    pub fn deadline_ms(&self) -> Option<u64> {
        todo!()
    }

    /// Tells the time; closes what is overdue. Early calls do no harm.
    pub fn tick(&mut self, now_ms: u64) {
        let _ = now_ms;
        todo!()
    }

    /// Lets the client in: CONNACK 0. Answers [`Effect::Connect`]; without effect in any other state.
    pub fn accept(&mut self, grant: &Grant, now_ms: u64) {
        let _ = (grant, now_ms);
        todo!()
    }

    /// Does not let the client in: CONNACK with the refusal's code, then close. Answers [`Effect::Connect`], and may
    /// come before it (too many connections): then nothing is said, there being no CONNECT to answer.
    /// `retry_after_s` becomes the user property of that name for MQTT 5.
    pub fn refuse(&mut self, refusal: Refusal, retry_after_s: Option<u32>) {
        let _ = (refusal, retry_after_s);
        todo!()
    }

    /// Answers [`Effect::Publish`]; in any order, acknowledgements keep the order of the messages.
    pub fn published(&mut self, publish: PublishRef, outcome: PublishOutcome) {
        let _ = (publish, outcome);
        todo!()
    }

    /// Answers [`Effect::Subscribe`], an outcome for each of its filters; missing ones count as denied.
    pub fn subscribed(&mut self, outcomes: &[FilterOutcome]) {
        let _ = outcomes;
        todo!()
    }

    /// Sends a message to the client, if it has subscribed to it.
    pub fn deliver(&mut self, delivery: &Delivery<'_>) -> Delivered {
        let _ = delivery;
        todo!()
    }

    /// Ends the session: DISCONNECT with the reason for MQTT 5, then close. Before CONNACK the same as `refuse`.
    pub fn close(&mut self, refusal: Refusal) {
        let _ = refusal;
        todo!()
    }
}
