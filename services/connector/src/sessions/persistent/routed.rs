//! Up to where the message stream has been routed to live sessions, and which sessions have yet to catch up with that.
//!
//! Invariant: a session goes over to what is routed while nothing is being routed, with everything up to there given to it:
//! no message is missed, and none comes twice.

use std::sync::{Arc, Mutex, MutexGuard};

use rollcall_log::messages::{MessageCursor, MessagePosition};
use tokio::sync::Notify;

use super::state::Reading;
use crate::sessions::session::Session;

/// The bounds of kept sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PersistentLimits {
    /// How long a session outlives its connection at most, seconds; 0: none does.
    pub(crate) expiry_s_max: u32,
    /// Messages that a session is given because it was away, at most.
    pub(crate) backlog_max: u32,
}

/// Of one instance.
#[derive(Debug)]
pub(crate) struct Routed {
    pub(crate) limits: PersistentLimits,
    cursor: Mutex<Option<MessageCursor>>,
    behind: Mutex<Vec<Arc<Session>>>,
    more: Arc<Notify>,
}

impl Routed {
    pub(crate) fn new(limits: PersistentLimits) -> Self {
        Self { limits, cursor: Mutex::default(), behind: Mutex::default(), more: Arc::default() }
    }

    /// Routing goes on after this cursor.
    pub(crate) fn start(&self, after: MessageCursor) {
        *self.cursor() = Some(after);
    }

    /// Routes the message at a position.
    pub(crate) fn route(&self, position: MessagePosition, route: impl FnOnce()) {
        let mut cursor = self.cursor();
        route();
        cursor.get_or_insert_default().advance(position);
    }

    /// Up to where messages have been routed; `None` before the first time.
    pub(crate) fn up_to(&self) -> Option<MessageCursor> {
        *self.cursor()
    }

    /// A session that was away has to catch up.
    pub(super) fn add(&self, session: &Arc<Session>) {
        self.behind().push(session.clone());
        self.more.notify_one();
    }

    /// Sessions that have to catch up and can take messages.
    pub(super) fn ready(&self) -> Vec<Arc<Session>> {
        let mut behind = self.behind();
        behind.retain(|session| {
            session.mailbox.closed().is_none() && matches!(session.persistence.reading(), Reading::Behind(_))
        });
        behind.iter().filter(|session| session.mailbox.has_room_or_notify(&self.more)).cloned().collect()
    }

    /// A session that has ended has nothing to catch up with.
    pub(crate) fn remove(&self, session: &Session) {
        self.behind().retain(|known| known.number != session.number);
    }

    /// Returns when a session may have become ready.
    pub(super) async fn more(&self) {
        self.more.notified().await;
    }

    /// A session has been given everything up to `cursor`: it goes over to what is routed, unless that has come further.
    pub(super) fn hand_over(&self, session: &Session, cursor: MessageCursor) {
        let Some(state) = session.persistence.get() else { return };
        let routed = self.cursor();
        let caught_up = routed.is_some_and(|routed| cursor.covers(&routed));
        let reading = if caught_up { Reading::LiveAfter(cursor) } else { Reading::Behind(cursor) };
        state.set_reading(reading);
    }

    fn cursor(&self) -> MutexGuard<'_, Option<MessageCursor>> {
        self.cursor.lock().expect("nothing panics while it holds this lock")
    }

    fn behind(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.behind.lock().expect("nothing panics while it holds this lock")
    }
}
