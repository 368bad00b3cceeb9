//! What is to be done for ended sessions, and when. Plain state: the time is an argument, and nobody is asked anything.
//!
//! Invariant: of one document there is one thing to do at most.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rollcall_domain::{
    ids::{ConnectorId, DeviceId},
    time::Timestamp,
};
use rollcall_log::{
    documents::{DocumentKey, Revision},
    online::OnlineDevices,
    presence::{PresenceChange, Session as PresenceSession},
};
use tokio::{sync::Notify, time::Instant};

use super::will::{KeptWill, SessionWill};
use crate::sessions::session::Session;

/// What is to be done with a document of an ended session.
#[derive(Debug)]
pub(crate) enum Work {
    /// Publish the will, from the document or, where there is none, from here.
    Publish(Option<Box<KeptWill>>),
    /// Delete the will: the client has said goodbye.
    Discard(Revision),
    /// Write down how far a kept session has come, or that it is over.
    Keep(Arc<Session>),
    /// Look whether the session that is kept of a device that is away is over; of the one that is named, because a newer
    /// connection has done without it.
    Check(Option<PresenceSession>),
}

/// The session that is kept of a device, as far as this connector knows.
#[derive(Debug)]
struct Known {
    /// The connection that has it, or had it last.
    owner: PresenceSession,
    since: Timestamp,
    /// That connection is open, here.
    live: bool,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    key: DocumentKey,
    at: Instant,
    work: Work,
}

/// What connectors that are gone may have left, to be looked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Search {
    /// Connectors whose lease has run out.
    pub(super) lost: Vec<ConnectorId>,
    /// Presence has shown everything again since then: number of the watch.
    pub(super) everything: Option<u64>,
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
    numbers: u64,
    entries: HashMap<DeviceId, Vec<Entry>>,
    order: BTreeMap<(Instant, u64), DeviceId>,
    /// Sessions that are kept: those of this connector's connections, and those that connectors have left that are gone.
    kept: HashMap<DeviceId, Known>,
    /// Taken and not done.
    working: usize,
    /// Counts watches of presence.
    watch: u64,
    /// Who is online as this watch shows it; kept only until it has been looked for what gone connectors have left.
    online: Option<OnlineDevices>,
    search: Search,
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
        match will {
            SessionWill::Stored { revision, .. } if discarded => self.add(key, now, Work::Discard(revision)),
            SessionWill::Unstored(_) if discarded => {}
            SessionWill::Stored { delay, .. } => {
                let delay = if superseded { Duration::ZERO } else { delay };
                self.add(key, now + delay, Work::Publish(None));
            }
            SessionWill::Unstored(will) => {
                let delay = Duration::from_secs(will.delay_s.into());
                self.add(key, now + delay, Work::Publish(Some(will)));
            }
        }
    }

    /// The connection `owner` of a device, which is open here, has its session.
    pub(crate) fn keeps(&self, device: &DeviceId, owner: PresenceSession, since: Timestamp) {
        let mut state = self.lock();
        state.remove(device, |entry| matches!(entry.work, Work::Check(_)));
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

    /// A connector that is gone has left a session.
    pub(super) fn adopt(&self, device: &DeviceId, owner: PresenceSession, since: Timestamp, over_at: Instant) {
        let mut state = self.lock();
        if state.kept.get(device).is_some_and(|known| known.live) {
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

    /// To be done again at `at`, unless something else is to be done with the same document by now.
    pub(super) fn again(&self, key: DocumentKey, at: Instant, work: Work) {
        let newer = {
            let state = self.lock();
            device_of(&key)
                .and_then(|device| state.entries.get(device))
                .is_some_and(|entries| entries.iter().any(|entry| entry.key == key))
        };
        if !newer {
            self.add(key, at, work);
        }
    }

    /// To be done at `at`; replaces what was to be done with the same document.
    pub(super) fn add(&self, key: DocumentKey, at: Instant, work: Work) {
        let Some(device) = device_of(&key).cloned() else { return };
        self.lock().add(key, device, at, work);
        self.more.notify_one();
    }

    /// Forgets wills of a device that wait for their delay: its session goes on.
    pub(super) fn cancel_delayed(&self, device: &DeviceId, now: Instant) {
        let mut state = self.lock();
        state.remove(device, |entry| entry.at > now && matches!(entry.work, Work::Publish(_)));
    }

    /// Up to `max` of what is due at `now`; each is to be followed by [`Self::done`].
    pub(super) fn take(&self, max: usize, now: Instant) -> Vec<(DocumentKey, Work)> {
        let mut state = self.lock();
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some((&(at, number), device)) = state.order.first_key_value() else { break };
            if at > now {
                break;
            }
            let device = device.clone();
            taken.extend(state.remove(&device, |entry| entry.number == number).map(|entry| (entry.key, entry.work)));
        }
        state.working += taken.len();
        taken
    }

    pub(super) fn done(&self, count: usize) {
        let mut state = self.lock();
        state.working -= count;
        self.none_due.notify_waiters();
    }

    /// Returns when there is something that is due, or sooner.
    pub(super) async fn due(&self) {
        let more = self.more.notified();
        let next = self.lock().order.first_key_value().map(|((at, _), _)| *at);
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
                state.working > 0 || state.order.first_key_value().is_some_and(|((at, _), _)| *at <= Instant::now())
            };
            if !is_due {
                return;
            }
            none_due.await;
        }
    }

    /// Presence is about to be watched anew.
    pub(crate) fn watching(&self) {
        let mut state = self.lock();
        state.watch += 1;
        state.online = Some(OnlineDevices::default());
    }

    /// What a watch of presence shows; `own` is this connector.
    pub(crate) fn observe(&self, change: &PresenceChange, own: &ConnectorId, now: Instant) {
        let mut state = self.lock();
        if let Some(online) = &mut state.online {
            online.apply(change.clone());
        }
        match change {
            // A session that goes on has had the will deleted before it was announced; of any other the end is now.
            PresenceChange::Online { device, session, at } => {
                if let Some(known) = state.kept.get(device)
                    && !known.live
                    && known.owner != *session
                    && known.since <= *at
                {
                    // A newer connection that lets the session go on has written that down before it was announced.
                    let (owner, device) = (known.owner.clone(), device.clone());
                    state.add(DocumentKey::Session(device.clone()), device, now, Work::Check(Some(owner)));
                    self.more.notify_one();
                }
                let over = |entry: &Entry| match &entry.key {
                    DocumentKey::Will(_, ended) => ended != session && entry.at > now,
                    _ => false,
                };
                for Entry { key, work, .. } in state.remove(device, over) {
                    state.add(key, device.clone(), now, work);
                    self.more.notify_one();
                }
            }
            PresenceChange::Offline { .. } => {}
            PresenceChange::ConnectorLost { connector } if connector == own => {}
            PresenceChange::ConnectorLost { connector } => {
                state.search.lost.push(connector.clone());
                self.search.notify_one();
            }
            PresenceChange::CaughtUp => {
                state.search.everything = Some(state.watch);
                self.search.notify_one();
            }
        }
    }

    /// What to look for; waits until there is something.
    pub(super) async fn search(&self) -> Search {
        loop {
            let wanted = self.search.notified();
            let search = std::mem::take(&mut self.lock().search);
            if search != Search::default() {
                return search;
            }
            wanted.await;
        }
    }

    /// Which of these sessions are not online as a watch shows it; `None` if it is not that watch any more.
    pub(super) fn not_online(
        &self,
        watch: u64,
        sessions: Vec<(DeviceId, PresenceSession)>,
    ) -> Option<Vec<(DeviceId, PresenceSession)>> {
        let state = self.lock();
        let online = state.online.as_ref().filter(|_| state.watch == watch)?;
        let is_online = |(device, session): &(DeviceId, PresenceSession)| {
            online.get(device).is_some_and(|online| online.session == *session)
        };
        Some(sessions.into_iter().filter(|session| !is_online(session)).collect())
    }

    /// Who is online as a watch shows it need not be kept any more.
    pub(super) fn searched(&self, watch: u64) {
        let mut state = self.lock();
        if state.watch == watch {
            state.online = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl State {
    fn add(&mut self, key: DocumentKey, device: DeviceId, at: Instant, work: Work) {
        self.remove(&device, |entry| entry.key == key);
        self.numbers += 1;
        let number = self.numbers;
        self.order.insert((at, number), device.clone());
        self.entries.entry(device).or_default().push(Entry { number, key, at, work });
    }

    fn remove(&mut self, device: &DeviceId, which: impl Fn(&Entry) -> bool) -> std::vec::IntoIter<Entry> {
        let Some(entries) = self.entries.get_mut(device) else { return Vec::new().into_iter() };
        let removed: Vec<Entry> = entries.extract_if(.., |entry| which(entry)).collect();
        if entries.is_empty() {
            self.entries.remove(device);
        }
        for entry in &removed {
            self.order.remove(&(entry.at, entry.number));
        }
        removed.into_iter()
    }
}

fn device_of(key: &DocumentKey) -> Option<&DeviceId> {
    match key {
        DocumentKey::Will(device, _) | DocumentKey::Session(device) => Some(device),
        DocumentKey::Shadow(_) | DocumentKey::Messages(_) | DocumentKey::Message(..) | DocumentKey::Cursor(_) => None,
    }
}
