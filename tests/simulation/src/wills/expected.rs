//! How often the will of a connection is to be published: once if its session ended without a goodbye and its device could publish
//! it then, never after a goodbye, never if it was delayed and the session went on in time.
//!
//! Said without the connector's own words for it. Where acknowledgements are lost it is at least once. Where faults hinder a
//! session from going on, or its will from being stored, a delayed one may be published or not.

use std::time::Duration;

use tokio::time::Instant;

use super::now;
use crate::memory_log::Faults;

/// What devices may do now.
pub(super) struct Rights {
    pub(super) denied: bool,
    pub(super) frozen: Vec<bool>,
}

impl Rights {
    pub(super) fn new(devices: usize) -> Self {
        Self { denied: false, frozen: vec![false; devices] }
    }

    fn may_publish(&self, device: usize) -> bool {
        !self.denied && !self.frozen[device]
    }
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Goodbye,
    WithoutGoodbye,
    TakenOver { goes_on: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Until then its will waits for its delay.
    Delayed(Instant),
    Over,
}

pub(super) struct Connection {
    pub(super) number: usize,
    pub(super) device: usize,
    pub(super) connector: usize,
    delay: Duration,
    state: State,
    /// It began and ended under one step's faults: its will may not be stored.
    doubtful: bool,
    /// A step has ended since it began.
    settled: bool,
    at_least: u64,
    at_most: u64,
}

impl Connection {
    pub(super) const fn new(number: usize, device: usize, connector: usize, delay: Duration) -> Self {
        let state = State::Open;
        Self { number, device, connector, delay, state, doubtful: false, settled: false, at_least: 0, at_most: 0 }
    }

    pub(super) fn ended(&mut self, ended: Ended, rights: &Rights, faults: Faults) {
        self.doubtful = !self.settled && faults != Faults::default();
        match ended {
            Ended::Goodbye => self.state = State::Over,
            Ended::WithoutGoodbye if self.delay > Duration::ZERO => self.state = State::Delayed(now() + self.delay),
            Ended::TakenOver { goes_on } if self.delay > Duration::ZERO => {
                self.state = State::Delayed(now() + self.delay);
                self.connected_anew(goes_on, rights, faults);
            }
            Ended::WithoutGoodbye | Ended::TakenOver { .. } => self.is_due(rights, faults),
        }
    }

    /// The device has another connection; `goes_on`: with the session that this one had last.
    pub(super) fn connected_anew(&mut self, goes_on: bool, rights: &Rights, faults: Faults) {
        if !matches!(self.state, State::Delayed(_)) {
            return;
        }
        let hindered = self.doubtful || (goes_on && faults != Faults::default());
        match (hindered, goes_on) {
            (true, _) => {
                let at_least = self.at_least;
                self.is_due(rights, faults);
                self.at_least = at_least;
            }
            (false, true) => self.state = State::Over,
            (false, false) => self.is_due(rights, faults),
        }
    }

    /// Its connector was taken for lost, and is back: to everybody the session was over.
    pub(super) fn taken_for_lost(&mut self, rights: &Rights) {
        if self.delay == Duration::ZERO && rights.may_publish(self.device) {
            self.at_least += 1;
            self.at_most += 1;
        }
    }

    pub(super) fn is_due_within(&self, time: Duration) -> bool {
        matches!(self.state, State::Delayed(until) if until <= now() + time)
    }

    /// A delay that has ended.
    pub(super) fn note_due(&mut self, rights: &Rights) {
        if self.is_due_within(Duration::ZERO) {
            self.is_due(rights, Faults::default());
        }
    }

    fn is_due(&mut self, rights: &Rights, faults: Faults) {
        self.state = State::Over;
        if rights.may_publish(self.device) {
            self.at_least += 1;
            self.at_most += if faults.lost_ack > 0 { 100 } else { 1 };
        }
    }

    /// Whether its will may still have to be published.
    pub(super) fn is_pending(&self) -> bool {
        self.state != State::Over
    }

    /// Holds what was published against what was to be. Nothing is under way: from now on that is how often it was.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) fn check(&mut self, published: u64) -> Result<(), String> {
        if !(self.at_least..=self.at_most).contains(&published) {
            let Self { number, device, at_least, at_most, state, .. } = self;
            return Err(format!(
                "the will of connection {number}, of device {device}, which is {state:?}, was published {published} times, and \
                 {at_least} to {at_most} times were right"
            ));
        }
        (self.at_least, self.at_most, self.settled) = (published, published, true);
        Ok(())
    }
}
