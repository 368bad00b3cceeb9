//! What a live session has of its document, and how far its client has come.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
};

use rollcall_log::{
    documents::Revision,
    messages::{MessageCursor, MessagePosition, StoredMessage},
    presence::Session as PresenceSession,
};

use super::form::{KeptFilter, KeptSession};
use crate::{
    metrics::metrics,
    mqtt::Subscription,
    sessions::mailbox::{Mailbox, Put, size},
};

/// Messages that are kept for a session of those that are routed before it has caught up.
pub(super) const PASSED_MESSAGES_MAX: usize = 256;
/// Payload and topic bytes of them.
const PASSED_BYTES_MAX: usize = 256 * 1024;

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

/// The document that there was when a connection began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    pub(super) revision: Revision,
    /// `None`: it could not be read.
    pub(super) owner: Option<PresenceSession>,
}

/// What a session that was away is given of a message that is read for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Give,
    /// It has been given it, or it is not for this session.
    Nothing,
    /// More came while it was away than it is given.
    TooMany {
        first: bool,
    },
    /// It has nothing to catch up with any more.
    NotBehind,
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
    passed: Passed,
    /// Where the stream ended when the session's connection began: what came up to here came while it was away.
    began: MessageCursor,
    /// The first message that the client has not acknowledged, in each part of the stream.
    unacknowledged: [Option<MessagePosition>; 2],
    filters: Vec<KeptFilter>,
    /// There is something to write.
    changed: bool,
    /// What the client said with DISCONNECT.
    expiry_s: Option<u32>,
    /// The client was told that its session ends with the connection, because it could not be written down.
    unkept: bool,
    /// What was there of the device when the connection began.
    earlier: Option<Earlier>,
    /// Messages that it was given because it was away.
    backlog: u32,
    /// There were more of them.
    exceeded: bool,
}

/// The latest messages for a session that were routed before it had caught up.
#[derive(Debug, Default)]
struct Passed {
    /// Every one that came after this is here.
    after: MessageCursor,
    messages: VecDeque<Arc<StoredMessage>>,
    /// Payload and topic bytes.
    bytes: usize,
}

impl Passed {
    fn push(&mut self, stored: Arc<StoredMessage>) {
        self.bytes += size(&stored);
        self.messages.push_back(stored);
        while self.messages.len() > PASSED_MESSAGES_MAX || self.bytes > PASSED_BYTES_MAX {
            let Some(first) = self.messages.pop_front() else { return };
            self.bytes -= size(&first);
            self.after.advance(first.position);
        }
    }
}

impl Persistence {
    /// From now on the session is kept, or goes on from an earlier one.
    pub(in crate::sessions) fn start(&self) -> &State {
        self.0.get_or_init(Box::default)
    }

    /// `None`: it begins and ends with its connection.
    pub(crate) fn get(&self) -> Option<&State> {
        self.0.get().map(|state| &**state)
    }

    /// Whether a message that is routed now is for this session to be given now. One that it is not given yet is kept for
    /// it.
    pub(crate) fn takes(&self, stored: &Arc<StoredMessage>) -> bool {
        let Some(state) = self.get() else { return true };
        let mut progress = state.lock();
        match progress.reading {
            Reading::Live => true,
            Reading::LiveAfter(after) => !after.covers(&stored.position.into()),
            Reading::Behind(_) => {
                progress.passed.push(stored.clone());
                false
            }
        }
    }

    /// The message stream is another, and is routed from its beginning.
    pub(crate) fn begin_anew(&self) {
        let Some(state) = self.get() else { return };
        let mut progress = state.lock();
        (progress.reading, progress.passed, progress.began) = (Reading::Live, Passed::default(), MessageCursor::START);
        progress.filters.iter_mut().for_each(|filter| filter.after = None);
        progress.changed = true;
    }

    pub(super) fn reading(&self) -> Reading {
        self.get().map(|state| state.lock().reading).unwrap_or_default()
    }
}

impl State {
    /// The session goes on from an earlier one that had come to `after`; `began`: where the stream ends now.
    pub(super) fn resume(&self, after: MessageCursor, began: MessageCursor, filters: Vec<KeptFilter>) {
        let mut progress = self.lock();
        (progress.reading, progress.began) = (Reading::Behind(after), began);
        (progress.filters, progress.changed) = (filters, true);
    }

    /// What comes after this and is for the session is handed to [`Persistence::takes`].
    pub(super) fn keep_passed_after(&self, after: MessageCursor) {
        self.lock().passed = Passed { after, ..Passed::default() };
    }

    /// What to do with a message that was read for it.
    pub(super) fn due(&self, stored: &StoredMessage, backlog_max: u32) -> Due {
        let mut progress = self.lock();
        let Reading::Behind(after) = progress.reading else { return Due::NotBehind };
        let (position, message) = (stored.position, &stored.message);
        // A filter that is in the table may be newer than the message.
        if after.covers(&position.into()) || !progress.filters.iter().any(|filter| filter.takes(&message.topic, position)) {
            return Due::Nothing;
        }
        let was_away = progress.began.covers(&position.into());
        match was_away {
            false => Due::Give,
            true if message.qos == 0 => Due::Nothing,
            true if progress.backlog < backlog_max => Due::Give,
            true => Due::TooMany { first: !std::mem::replace(&mut progress.exceeded, true) },
        }
    }

    /// It has been given the message at this position, or is not `given` it.
    pub(super) fn has_read(&self, position: MessagePosition, given: bool) {
        let mut progress = self.lock();
        if given && progress.began.covers(&position.into()) {
            progress.backlog = progress.backlog.saturating_add(1);
        }
        if let Reading::Behind(after) = &mut progress.reading {
            after.advance(position);
        }
    }

    /// It has been given everything up to `cursor`. Gives it what was routed past it and goes over to what is routed, if
    /// nothing is missing in between; what came up to `unrouted` was not routed. To be called while nothing is routed.
    pub(super) fn go_over(&self, mailbox: &Mailbox, cursor: MessageCursor, unrouted: MessageCursor) -> bool {
        let mut progress = self.lock();
        let Progress { reading, passed, .. } = &mut *progress;
        let Reading::Behind(after) = reading else { return true };
        *after = after.later(cursor);
        if !after.covers(&passed.after.later(unrouted)) {
            return false;
        }
        while let Some(stored) = passed.messages.front() {
            let position = stored.position;
            if !after.covers(&position.into()) {
                match mailbox.try_put(stored.clone()) {
                    Put::Taken => metrics().delivered(),
                    Put::Full | Put::Closed => return false,
                }
                after.advance(position);
            }
            passed.messages.pop_front();
        }
        let after = *after;
        (*reading, *passed) = (Reading::LiveAfter(after), Passed::default());
        true
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

    /// The subscriptions have changed. `routed`: up to where messages had been routed, read after a new one was added: a
    /// client is given nothing by it that had been routed by then.
    pub(crate) fn note_subscriptions(&self, subscriptions: &[Subscription], routed: Option<MessageCursor>) {
        let mut progress = self.lock();
        let since = routed.unwrap_or(progress.began);
        let known = |filter: &str| progress.filters.iter().find(|known| known.filter == filter);
        let after = |filter: &str| known(filter).map_or(Some(since), |known| known.after);
        let filters = subscriptions.iter().map(|kept| KeptFilter::new(kept, after(&kept.filter))).collect();
        (progress.filters, progress.changed) = (filters, true);
    }

    /// The client has said how long its session outlives this connection.
    pub(crate) fn note_expiry(&self, expiry_s: u32) {
        self.lock().expiry_s = Some(expiry_s);
    }

    /// The connection has found this, and was to write in its place, or to delete it.
    pub(super) fn note_earlier(&self, earlier: Option<Earlier>) {
        self.lock().earlier = earlier;
    }

    pub(super) fn earlier(&self) -> Option<Earlier> {
        self.lock().earlier.clone()
    }

    /// What may be written down of the session, or of an earlier one, is no promise: it is to be deleted.
    pub(super) fn set_unkept(&self) {
        self.lock().unkept = true;
    }

    pub(super) fn is_unkept(&self) -> bool {
        self.lock().unkept
    }

    /// What the client has said, if it has.
    pub(in crate::sessions) fn expiry_s(&self) -> Option<u32> {
        self.lock().expiry_s
    }

    pub(super) fn filters(&self) -> Vec<KeptFilter> {
        self.lock().filters.clone()
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
