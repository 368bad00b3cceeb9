//! What a live session has of its document, and how far its client has come.

use std::sync::{Mutex, MutexGuard, OnceLock};

use rollcall_log::{
    documents::Revision,
    messages::{MessageCursor, MessagePosition},
};

use super::form::KeptSession;
use crate::{mqtt::Subscription, sessions::mailbox::Mailbox};

/// What a session is given messages by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Those that are routed, as they come.
    #[default]
    Live,
    /// Those that are routed, but for what came up to here: it was given those.
    LiveAfter(MessageCursor),
    /// It was away, and is given what came after this before anything that is routed.
    Behind(MessageCursor),
}

/// The document, and what a write of it expects.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) form: KeptSession,
    pub(crate) revision: Revision,
}

/// Whether and how far a session is kept. Most are not, and have nothing of this.
#[derive(Debug, Default)]
pub(crate) struct Persistence(OnceLock<Box<State>>);

/// See the file.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Held while it is written, so that one write follows the other. `None`: another connection of the device has it.
    pub(super) document: tokio::sync::Mutex<Option<Written>>,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    reading: Reading,
    /// The first message that the client has not acknowledged, in each part of the stream.
    unacknowledged: [Option<MessagePosition>; 2],
    subscriptions: Vec<Subscription>,
    /// There is something to write.
    changed: bool,
    /// What the client said with DISCONNECT.
    expiry_s: Option<u32>,
    /// Messages that it was given because it was away.
    backlog: u32,
}

impl Persistence {
    /// From now on the session is kept, or goes on from an earlier one.
    pub(super) fn start(&self) -> &State {
        self.0.get_or_init(Box::default)
    }

    /// `None`: it begins and ends with its connection.
    pub(crate) fn get(&self) -> Option<&State> {
        self.0.get().map(|state| &**state)
    }

    /// Whether a message that is routed now is for this session to be given now.
    pub(crate) fn takes(&self, position: MessagePosition) -> bool {
        match self.reading() {
            Reading::Live => true,
            Reading::LiveAfter(after) => !after.covers(&position.into()),
            Reading::Behind(_) => false,
        }
    }

    pub(super) fn reading(&self) -> Reading {
        self.get().map(State::reading).unwrap_or_default()
    }
}

impl State {
    fn reading(&self) -> Reading {
        self.lock().reading
    }

    pub(super) fn set_reading(&self, reading: Reading) {
        self.lock().reading = reading;
    }

    /// It was given one more because it was away; how many that makes.
    pub(super) fn count_backlog(&self) -> u32 {
        let mut progress = self.lock();
        progress.backlog += 1;
        progress.backlog
    }

    /// What of the messages that the connection has taken from the mailbox its client has not acknowledged.
    pub(crate) fn note_unacknowledged(&self, positions: impl Iterator<Item = MessagePosition>) {
        let mut unacknowledged = [None; 2];
        for position in positions {
            let of_shard = &mut unacknowledged[usize::from(position.shard().is_some())];
            *of_shard = Some(of_shard.map_or(position, |first: MessagePosition| first.min(position)));
        }
        let mut progress = self.lock();
        if progress.unacknowledged != unacknowledged {
            (progress.unacknowledged, progress.changed) = (unacknowledged, true);
        }
    }

    pub(crate) fn note_subscriptions(&self, subscriptions: &[Subscription]) {
        let mut progress = self.lock();
        (progress.subscriptions, progress.changed) = (subscriptions.to_vec(), true);
    }

    /// The client has said how long its session outlives this connection.
    pub(crate) fn note_expiry(&self, expiry_s: u32) {
        self.lock().expiry_s = Some(expiry_s);
    }

    pub(super) fn expiry_s(&self) -> Option<u32> {
        self.lock().expiry_s
    }

    pub(super) fn subscriptions(&self) -> Vec<Subscription> {
        self.lock().subscriptions.clone()
    }

    /// Whether there is something to write; not any more after that.
    pub(super) fn take_changed(&self) -> bool {
        std::mem::take(&mut self.lock().changed)
    }

    pub(super) fn set_changed(&self) {
        self.lock().changed = true;
    }

    /// How far the client has come. `routed`: up to where messages had been routed, read before this is called: what was
    /// routed is in the mailbox, or with the connection, or acknowledged.
    pub(super) fn acknowledged(&self, routed: Option<MessageCursor>, mailbox: &Mailbox) -> Option<MessageCursor> {
        let reading = self.lock().reading;
        let mut cursor = match (reading, routed) {
            (Reading::Behind(after), _) | (Reading::LiveAfter(after), None) => after,
            (Reading::LiveAfter(after), Some(routed)) => {
                if routed.covers(&after) {
                    routed
                } else {
                    after
                }
            }
            (Reading::Live, routed) => routed?,
        };
        // In this order: a message goes from the mailbox to the connection, which notes it before it asks for the next.
        mailbox.unread().into_iter().flatten().for_each(|position| cursor.step_back(position));
        self.lock().unacknowledged.into_iter().flatten().for_each(|position| cursor.step_back(position));
        Some(cursor)
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().expect("nothing panics while it holds this lock")
    }
}
