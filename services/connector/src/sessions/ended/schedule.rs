//! What is to be done for ended sessions, and when. Plain state: the time is an argument, and nobody is asked anything.
//!
//! Invariant: of one document there is one thing to do at most.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rollcall_domain::{
    ids::{ConnectorId, DeviceId},
    refusal::Refusal,
    time::Timestamp,
};
use rollcall_log::{
    documents::{DocumentKey, Revision},
    presence::{PresenceChange, Session as PresenceSession},
};
use tokio::{sync::Notify, time::Instant};

use super::{
    entries::{Entries, Entry},
    shown::{Search, Shown},
    work::{LOOKS, Source, Work},
};
use crate::sessions::session::Session;

/// The session that is kept of a device, as far as this connector knows.
#[derive(Debug)]
struct Known {
    /// The connection that has it, or had it last.
    owner: PresenceSession,
    since: Timestamp,
    /// That connection is open, here.
    live: bool,
}

/// The schedule of one instance.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    state: Mutex<State>,
    more: Notify,
    none_due: Notify,
    search: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: Entries,
    /// Sessions that are kept: those of this connector's connections, and those that connectors have left that are gone.
    kept: HashMap<DeviceId, Known>,
    /// Taken and not done.
    working: usize,
    shown: Shown,
}

impl Schedule {
    /// A session has ended here at `now`. `superseded`: by a newer connection that presence has shown already; if its session
    /// goes on with that one, the will has been deleted.
    pub(crate) fn ended(&self, session: &Arc<Session>, connector: &ConnectorId, superseded: bool, now: Instant) {
        if session.persistence.get().is_some() {
            let key = DocumentKey::Session(session.device.device.clone());
            self.add(key, now, Work::Keep(session.clone()));
        }
        let (will, discarded) = session.take_will();
        let Some(will) = will else { return };
        let ended = PresenceSession { connector: connector.clone(), number: session.number };
        let key = DocumentKey::Will(session.device.device.clone(), ended);
        // A session ends at once, or sooner, if the client has said so with DISCONNECT, and a will is due then.
        let said = session.persistence.get().and_then(|kept| kept.expiry_s());
        let session_lasts = said.map_or(Duration::MAX, |expiry_s| Duration::from_secs(expiry_s.into()));
        let delay = will.will.delay().min(session_lasts);
        let mut state = self.lock();
        let withdrawn = |entry: &Entry| entry.key == key && matches!(entry.work, Work::Withdraw);
        let withdrawn = state.entries.remove(&session.device.device, withdrawn).len() > 0;
        let (delay, work) = match will.stored {
            revision if discarded || (withdrawn && delay > Duration::ZERO) => (Duration::ZERO, Work::discard(revision)),
            Some(_) if superseded => (Duration::ZERO, Work::publish_document()),
            Some(_) => (delay, Work::publish_document()),
            // Nobody can have deleted what is here, so whether its session has gone on is not known.
            None if delay > Duration::ZERO && session.mailbox.closed() == Some(Refusal::TakenOver) => {
                (Duration::ZERO, Work::discard(None))
            }
            None => (delay, Work::Publish(Source::Here(will.will))),
        };
        state.entries.add(key, now + delay, delay > Duration::ZERO, work);
        self.more.notify_one();
    }

    /// The session of a connection that is open here could not be written down: what is there of the device is deleted.
    pub(crate) fn discard_session(&self, session: &Arc<Session>, now: Instant) {
        self.add(DocumentKey::Session(session.device.device.clone()), now, Work::Keep(session.clone()));
    }

    /// The connection `owner` of a device, which is open here, has its session.
    pub(crate) fn keeps(&self, device: &DeviceId, owner: PresenceSession, since: Timestamp) {
        let mut state = self.lock();
        state.entries.remove(device, |entry| matches!(entry.work, Work::Check(_)));
        state.kept.insert(device.clone(), Known { owner, since, live: true });
    }

    /// That connection is over; its session is until `over_at`, or is no more.
    pub(crate) fn ends(&self, device: &DeviceId, number: u64, over_at: Option<Instant>) {
        let mut state = self.lock();
        let Some(known) = state.kept.get_mut(device).filter(|known| known.owner.number == number) else { return };
        known.live = false;
        match over_at {
            Some(at) => {
                drop(state);
                self.add(DocumentKey::Session(device.clone()), at, Work::Check(None));
            }
            None => _ = state.kept.remove(device),
        }
    }

    /// A connector has left a session, unless presence shows that its connection is not gone.
    pub(super) fn adopt(&self, watch: u64, device: &DeviceId, owner: PresenceSession, since: Timestamp, over_at: Instant) {
        let mut state = self.lock();
        if !state.shown.is_gone(watch, device, &owner) || state.kept.get(device).is_some_and(|known| known.live) {
            return;
        }
        state.kept.insert(device.clone(), Known { owner, since, live: false });
        drop(state);
        self.add(DocumentKey::Session(device.clone()), over_at, Work::Check(None));
    }

    /// Whether a session is kept of a device, as far as this connector knows.
    pub(crate) fn knows(&self, device: &DeviceId) -> bool {
        self.lock().kept.contains_key(device)
    }

    /// Whether the session that is kept of a device is still the one that this connection, which is over, has left.
    pub(crate) fn is_left(&self, device: &DeviceId, owner: &PresenceSession) -> bool {
        self.lock().kept.get(device).is_some_and(|known| !known.live && known.owner == *owner)
    }

    /// No session is kept of a device any more.
    pub(crate) fn forget(&self, device: &DeviceId) {
        self.lock().kept.remove(device);
    }

    /// The same, unless a connection here has one since.
    pub(crate) fn forget_ended(&self, device: &DeviceId) {
        let mut state = self.lock();
        if state.kept.get(device).is_some_and(|known| !known.live) {
            state.kept.remove(device);
        }
    }

    /// A record may have taken a right: looks at the sessions that are kept of these devices, or of all, that are away.
    pub(crate) fn recheck<'a>(&self, devices: Option<impl Iterator<Item = &'a DeviceId>>, now: Instant) {
        let away: Vec<DeviceId> = {
            let state = self.lock();
            let is_away = |device: &&DeviceId| state.kept.get(*device).is_some_and(|known| !known.live);
            match devices {
                Some(devices) => devices.filter(is_away).cloned().collect(),
                None => state.kept.keys().filter(is_away).cloned().collect(),
            }
        };
        for device in away {
            self.add(DocumentKey::Session(device), now, Work::Check(None));
        }
    }

    /// A connector has left a will, unless presence shows that its connection is not gone.
    pub(super) fn adopt_will(
        &self,
        watch: u64,
        device: &DeviceId,
        of: PresenceSession,
        listed: Revision,
        (now, delay): (Instant, Duration),
    ) {
        let mut state = self.lock();
        let (gone, key) = (state.shown.is_gone(watch, device, &of), DocumentKey::Will(device.clone(), of));
        if gone && !state.entries.has(&key) {
            let work = Work::Publish(Source::Left { listed, looks: LOOKS });
            state.entries.add(key, now + delay, delay > Duration::ZERO, work);
            self.more.notify_one();
        }
    }

    /// The will of a session that is open here is to be put again.
    pub(crate) fn keep_again(&self, session: &Arc<Session>, connector: &ConnectorId, now: Instant) {
        let of = PresenceSession { connector: connector.clone(), number: session.number };
        // The session may be over by now: then there is something else to do.
        self.again(DocumentKey::Will(session.device.device.clone(), of), now, Work::KeepAgain(session.clone()));
    }

    /// To be done again at `at`, unless something else is to be done with the same document by now.
    pub(super) fn again(&self, key: DocumentKey, at: Instant, work: Work) {
        let mut state = self.lock();
        if !state.entries.has(&key) {
            state.entries.add(key, at, false, work);
            self.more.notify_one();
        }
    }

    /// To be done at `at`; replaces what was to be done with the same document.
    pub(super) fn add(&self, key: DocumentKey, at: Instant, work: Work) {
        self.lock().entries.add(key, at, false, work);
        self.more.notify_one();
    }

    /// Forgets wills of a device that wait for their delay: its session goes on.
    pub(super) fn cancel_delayed(&self, device: &DeviceId, now: Instant) {
        let mut state = self.lock();
        for Entry { key, work, .. } in state.entries.remove(device, |entry| entry.delayed) {
            // Its document may be there, and may not be found yet.
            if matches!(work, Work::Publish(Source::Here(_))) {
                state.entries.add(key, now, false, Work::discard(None));
                self.more.notify_one();
            }
        }
    }

    /// Up to `max` of what is due at `now`; each is to be followed by [`Self::done`].
    pub(super) fn take(&self, max: usize, now: Instant) -> Vec<(DocumentKey, Work)> {
        let mut state = self.lock();
        let taken: Vec<_> =
            std::iter::from_fn(|| state.entries.take(now)).take(max).map(|entry| (entry.key, entry.work)).collect();
        state.working += taken.len();
        taken
    }

    /// How many wills have been given up since this was last asked.
    pub(super) fn take_given_up(&self) -> u64 {
        self.lock().entries.take_given_up()
    }

    pub(super) fn done(&self, count: usize) {
        let mut state = self.lock();
        state.working -= count;
        self.none_due.notify_waiters();
    }

    /// Returns when there is something that is due, or sooner.
    pub(super) async fn due(&self) {
        let more = self.more.notified();
        let next = self.lock().entries.next();
        match next {
            Some(at) => tokio::select! {
                () = more => {}
                () = tokio::time::sleep_until(at) => {}
            },
            None => more.await,
        }
    }

    /// Returns once all that is due has been done.
    pub(crate) async fn settled(&self) {
        loop {
            let none_due = self.none_due.notified();
            let is_due = {
                let state = self.lock();
                state.working > 0 || state.entries.next().is_some_and(|at| at <= Instant::now())
            };
            if !is_due {
                return;
            }
            none_due.await;
        }
    }

    /// Presence is about to be watched anew.
    pub(crate) fn watching(&self) {
        self.lock().shown.begin();
    }

    /// Presence is not watched any more.
    pub(crate) fn watch_ended(&self) {
        self.lock().shown.end();
    }

    /// What a watch of presence shows; `own` is this connector.
    pub(crate) fn observe(&self, change: &PresenceChange, own: &ConnectorId, now: Instant) {
        let mut state = self.lock();
        if let PresenceChange::Online { device, session, at } = change {
            state.online(device, session, *at, own, now);
            self.more.notify_one();
        }
        if state.shown.observe(change, own) {
            self.search.notify_one();
        }
    }

    /// What to look for; waits until there is something.
    pub(super) async fn search(&self) -> Search {
        loop {
            let wanted = self.search.notified();
            if let Some(search) = self.lock().shown.take_search() {
                return search;
            }
            wanted.await;
        }
    }

    /// Those of these sessions that are gone as a watch shows it; none once that watch is over.
    pub(super) fn gone(
        &self,
        watch: u64,
        mut sessions: Vec<(DeviceId, PresenceSession)>,
    ) -> Vec<(DeviceId, PresenceSession)> {
        let state = self.lock();
        sessions.retain(|(device, session)| state.shown.is_gone(watch, device, session));
        sessions
    }

    /// It has been looked.
    pub(super) fn searched(&self, search: &Search) {
        self.lock().shown.searched(search);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl State {
    /// A device is online with a session: one that goes on has had the will deleted before it was announced; of any other the
    /// end is now.
    fn online(&mut self, device: &DeviceId, session: &PresenceSession, since: Timestamp, own: &ConnectorId, now: Instant) {
        if let Some(known) = self.kept.get(device)
            && !known.live
            && known.owner != *session
            && known.since <= since
        {
            // A newer connection that lets the session go on has written that down before it was announced.
            let check = Work::Check(Some(known.owner.clone()));
            self.entries.add(DocumentKey::Session(device.clone()), now, false, check);
        }
        let is_will_of =
            |entry: &Entry, this: bool| matches!(&entry.key, DocumentKey::Will(_, of) if (of == session) == this);
        if session.connector != *own {
            // Its connector was taken for lost and is back: what becomes of the will is for that one again.
            drop(self.entries.remove(device, |entry| is_will_of(entry, true)));
            // And so is its session.
            if self.kept.get(device).is_some_and(|known| !known.live && known.owner == *session) {
                self.kept.remove(device);
                drop(self.entries.remove(device, |entry| matches!(entry.work, Work::Check(_))));
            }
        }
        for Entry { key, work, .. } in self.entries.remove(device, |entry| entry.delayed && is_will_of(entry, false)) {
            // Nobody can have deleted what is here, so whether its session goes on is not known.
            let work = if matches!(work, Work::Publish(Source::Here(_))) { Work::discard(None) } else { work };
            self.entries.add(key, now, false, work);
        }
    }
}

#[cfg(test)]
mod tests;
