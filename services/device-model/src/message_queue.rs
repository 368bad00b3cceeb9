//! The messages of one device, oldest first, and what has become of each. No I/O and no clock.
//!
//! Does not hold what a message says, which is a document of its own ([`crate::message`]). Invariants: a message that waits
//! is dropped for another one only if all that are kept wait, and then it is the oldest; one that has ended stays as it ended; only the holder of the claim delivers, oldest first.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{claim::Claim, document::DeviceDocument};

/// How many messages of a device are kept.
pub const MESSAGES_MAX: usize = 20;

/// The document with what has become of each message of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageQueue {
    /// See [`DeviceDocument::created_at`].
    #[serde(rename = "born")]
    created_at: u64,
    /// The messages that are kept, oldest first.
    pub entries: VecDeque<QueuedMessage>,
    /// Who is delivering.
    claim: Option<Claim>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// Its id, unique for the device.
    pub id: String,
    /// The number of the document that says what it says.
    pub number: u64,
    /// The revision of that document.
    pub body: u64,
    /// Tells what was asked for from any other message, in hex.
    pub digest: String,
    /// When it was created, milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// When it is given up, milliseconds since the Unix epoch.
    pub expires_ms: i64,
    /// What has become of it.
    pub state: MessageState,
}

/// What has become of a message. Times are milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// It waits for the device.
    Pending,
    /// It was handed over while the device was online.
    Delivered { at_ms: i64 },
    /// The device did not come online in time.
    TimedOut { at_ms: i64 },
    /// It cannot be delivered.
    Failed { at_ms: i64, reason: String },
}

/// What adding a message comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there now.
    New {
        /// Messages that made room.
        dropped: Vec<QueuedMessage>,
    },
    /// It was there already.
    Existing,
    /// Another message has its id.
    IdTaken,
}

/// What a deliverer does after a few messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterDelivery {
    /// Goes on, if any more are waiting.
    Continue,
    /// Leaves the rest to whichever process comes next: the device has gone, or this process stops.
    Release,
    /// Does not know what became of the next one: it may be tried again when the claim has ended.
    Hold,
}

impl DeviceDocument for MessageQueue {
    fn new(created_at: u64) -> Self {
        Self { created_at, ..Self::default() }
    }

    fn created_at(&self) -> u64 {
        self.created_at
    }
}

impl QueuedMessage {
    /// What has become of it by now.
    pub fn state_at(&self, now_ms: i64) -> MessageState {
        match self.state {
            MessageState::Pending if self.expires_ms <= now_ms => MessageState::TimedOut { at_ms: self.expires_ms },
            MessageState::Pending
            | MessageState::Delivered { .. }
            | MessageState::TimedOut { .. }
            | MessageState::Failed { .. } => self.state.clone(),
        }
    }
}

impl MessageQueue {
    /// The message of an id.
    pub fn get(&self, id: &str) -> Option<&QueuedMessage> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// Adds a message. What has ended makes room for it, else the oldest that waits, as at the service: what is said last to a
    /// device that is away for long is what it is to hear.
    pub fn add(&mut self, entry: QueuedMessage, now_ms: i64) -> Added {
        self.expire(now_ms);
        if let Some(there) = self.get(&entry.id) {
            return if there.digest == entry.digest { Added::Existing } else { Added::IdTaken };
        }
        let mut dropped = Vec::new();
        while self.entries.len() >= MESSAGES_MAX {
            let ended = self.entries.iter().position(|entry| entry.state != MessageState::Pending);
            dropped.extend(self.entries.remove(ended.unwrap_or(0)));
        }
        self.entries.push_back(entry);
        Added::New { dropped }
    }

    /// Takes a message away.
    pub fn remove(&mut self, id: &str) -> Option<QueuedMessage> {
        let index = self.entries.iter().position(|entry| entry.id == id)?;
        self.entries.remove(index)
    }

    /// The documents of messages that wait, oldest first.
    pub fn waiting(&self, now_ms: i64) -> Vec<u64> {
        let waiting = self.entries.iter().filter(|entry| entry.state_at(now_ms) == MessageState::Pending);
        waiting.map(|entry| entry.number).collect()
    }

    /// Whether somebody is delivering.
    pub fn is_claimed(&self, now_ms: i64) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.holds(now_ms))
    }

    /// Claims what waits, unless nothing does or somebody else has.
    pub fn claim(&mut self, by: &str, now_ms: i64) -> bool {
        self.expire(now_ms);
        if self.is_claimed(now_ms) || self.waiting(now_ms).is_empty() {
            return false;
        }
        self.claim = Some(Claim::new(by, now_ms));
        true
    }

    /// Notes what became of messages that `by` has delivered. Says whether to deliver what else waits.
    pub fn record(&mut self, by: &str, ended: &[(u64, MessageState)], next: AfterDelivery, now_ms: i64) -> bool {
        for (number, state) in ended {
            // It was handed over even if its time is up, or somebody else has the claim by now.
            let entry =
                self.entries.iter_mut().find(|entry| entry.number == *number && entry.state == MessageState::Pending);
            if let Some(entry) = entry {
                entry.state = state.clone();
            }
        }
        self.expire(now_ms);
        if self.claim.as_ref().is_none_or(|claim| claim.by != by) {
            return false;
        }
        let more = !self.waiting(now_ms).is_empty();
        match next {
            AfterDelivery::Continue if more => {
                self.claim = Some(Claim::new(by, now_ms));
                true
            }
            AfterDelivery::Continue | AfterDelivery::Release => {
                self.claim = None;
                false
            }
            AfterDelivery::Hold => false,
        }
    }

    /// Ends what has waited too long.
    fn expire(&mut self, now_ms: i64) {
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
