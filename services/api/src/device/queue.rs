//! The messages of one device, oldest first, and what has become of each. No I/O and no clock.
//!
//! Not for what a message says, which is a document of its own. Invariants: a message that waits is never dropped for
//! another one; one that has ended stays as it ended; whoever holds the claim is the only one who delivers, oldest first.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{claim::Claim, documents::Life};

/// How many messages of a device are kept.
pub(crate) const MESSAGES_MAX: usize = 20;

/// The document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Queue {
    /// The record that created the device.
    born: u64,
    /// Oldest first.
    pub(crate) entries: VecDeque<Entry>,
    /// Who is delivering.
    claim: Option<Claim>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its id, unique for the device.
    pub(crate) id: String,
    /// The number of the document that says what it says.
    pub(crate) number: u64,
    /// The revision of that document.
    pub(crate) body: u64,
    /// Tells what was asked for from any other message, in hex.
    pub(crate) digest: String,
    /// When it was created, milliseconds since the Unix epoch.
    pub(crate) created_ms: i64,
    /// When it is given up, milliseconds since the Unix epoch.
    pub(crate) expires_ms: i64,
    /// What has become of it.
    pub(crate) state: State,
}

/// What has become of a message. Times are milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It waits for the device.
    Pending,
    /// It was handed over while the device was online.
    Delivered {
        /// When.
        at_ms: i64,
    },
    /// The device did not come online in time.
    TimedOut {
        /// When.
        at_ms: i64,
    },
    /// It cannot be delivered.
    Failed {
        /// When.
        at_ms: i64,
        /// Why.
        reason: String,
    },
}

/// What adding a message comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is there now.
    New {
        /// Messages that made room.
        dropped: Vec<Entry>,
    },
    /// It was there already.
    Already,
    /// Another message has its id.
    IdTaken,
    /// As many as are kept are waiting.
    Full,
}

/// What a deliverer does after a few messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Goes on, if any more are waiting.
    GoOn,
    /// Leaves the rest to whoever comes next: the device has gone.
    Leave,
    /// Does not know what became of the next one: it may be tried again when the claim has ended.
    Wait,
}

impl Life for Queue {
    fn beginning(born: u64) -> Self {
        Self { born, ..Self::default() }
    }

    fn born(&self) -> u64 {
        self.born
    }
}

impl Entry {
    /// What has become of it by now.
    pub(crate) fn state_at(&self, now_ms: i64) -> State {
        match self.state {
            State::Pending if self.expires_ms <= now_ms => State::TimedOut { at_ms: self.expires_ms },
            State::Pending | State::Delivered { .. } | State::TimedOut { .. } | State::Failed { .. } => self.state.clone(),
        }
    }
}

impl Queue {
    /// The message of an id.
    pub(crate) fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// Adds a message, if there is room for it.
    pub(crate) fn add(&mut self, entry: Entry, now_ms: i64) -> Added {
        self.settle(now_ms);
        if let Some(there) = self.get(&entry.id) {
            return if there.digest == entry.digest { Added::Already } else { Added::IdTaken };
        }
        let mut dropped = Vec::new();
        while self.entries.len() >= MESSAGES_MAX {
            let ended = self.entries.iter().position(|entry| entry.state != State::Pending);
            match ended.and_then(|index| self.entries.remove(index)) {
                Some(entry) => dropped.push(entry),
                None => return Added::Full,
            }
        }
        self.entries.push_back(entry);
        Added::New { dropped }
    }

    /// Takes a message away.
    pub(crate) fn remove(&mut self, id: &str) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.id == id)?;
        self.entries.remove(index)
    }

    /// The documents of messages that wait, oldest first.
    pub(crate) fn waiting(&self, now_ms: i64) -> Vec<u64> {
        let waiting = self.entries.iter().filter(|entry| entry.state_at(now_ms) == State::Pending);
        waiting.map(|entry| entry.number).collect()
    }

    /// Whether somebody is delivering.
    pub(crate) fn is_claimed(&self, now_ms: i64) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.holds(now_ms))
    }

    /// Claims what waits, unless nothing does or somebody else has.
    pub(crate) fn claim(&mut self, by: &str, now_ms: i64) -> bool {
        self.settle(now_ms);
        if self.is_claimed(now_ms) || self.waiting(now_ms).is_empty() {
            return false;
        }
        self.claim = Some(Claim::new(by, now_ms));
        true
    }

    /// Notes what became of messages that `by` has delivered. Says whether to deliver what else waits.
    pub(crate) fn note(&mut self, by: &str, ended: &[(u64, State)], next: Next, now_ms: i64) -> bool {
        for (number, state) in ended {
            // It was handed over even if its time is up, or somebody else has the claim by now.
            let entry = self.entries.iter_mut().find(|entry| entry.number == *number && entry.state == State::Pending);
            if let Some(entry) = entry {
                entry.state = state.clone();
            }
        }
        self.settle(now_ms);
        if self.claim.as_ref().is_none_or(|claim| claim.by != by) {
            return false;
        }
        let more = !self.waiting(now_ms).is_empty();
        match next {
            Next::GoOn if more => {
                self.claim = Some(Claim::new(by, now_ms));
                true
            }
            Next::GoOn | Next::Leave => {
                self.claim = None;
                false
            }
            Next::Wait => false,
        }
    }

    /// Ends what has waited too long.
    fn settle(&mut self, now_ms: i64) {
        // What is being delivered is not given up meanwhile.
        if self.is_claimed(now_ms) {
            return;
        }
        for entry in &mut self.entries {
            entry.state = entry.state_at(now_ms);
        }
    }
}

#[cfg(test)]
mod tests;
