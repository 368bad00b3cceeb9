//! The changes of presence that wait to be announced: for each device the latest, which has the highest session number.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use rollcall_domain::{
    ids::{ConnectorId, DeviceId},
    time::Timestamp,
};
use rollcall_log::presence::{PresenceChange, Session as PresenceSession};
use tokio::sync::Notify;

use crate::sessions::{session::Session, table::SessionTable};

/// Announcements under way at a time.
pub(super) const ANNOUNCING_MAX: usize = 64;

/// The queue of one instance.
#[derive(Default)]
pub(crate) struct Announcements {
    waiting: Mutex<HashMap<DeviceId, PresenceChange>>,
    more: Notify,
    none: Notify,
}

impl Announcements {
    /// Queues that a session is open, unless it is no longer the device's: the session that took over may have been
    /// announced, or be over, already.
    pub(crate) fn online(&self, connector: &ConnectorId, session: &Session, sessions: &SessionTable) {
        let device = session.device.device.clone();
        let announced = PresenceSession { connector: connector.clone(), number: session.number };
        let online = PresenceChange::Online { device, session: announced, at: session.since };
        self.put_if(online, || sessions.of(&session.device.device).is_some_and(|current| current.number == session.number));
    }

    /// Queues that a session is over; to be called only if no other took its place here.
    pub(crate) fn offline(&self, connector: &ConnectorId, session: &Session, at: Timestamp) {
        let device = session.device.device.clone();
        let ended = PresenceSession { connector: connector.clone(), number: session.number };
        self.put_if(PresenceChange::Offline { device, session: ended, at }, || true);
    }

    /// Returns once something waits.
    pub(super) async fn waiting(&self) {
        self.more.notified().await;
    }

    /// Returns once everything has been announced.
    pub(crate) async fn announced(&self) {
        loop {
            let none = self.none.notified();
            if self.lock().is_empty() {
                return;
            }
            none.await;
        }
    }

    /// `still_so` is called under the lock, so that a session that takes over cannot queue its change in between.
    pub(super) fn put_if(&self, change: PresenceChange, still_so: impl FnOnce() -> bool) {
        let Some((device, number)) = subject_of(&change) else { return };
        let mut waiting = self.lock();
        let later = waiting.get(device).and_then(subject_of).is_some_and(|(_, waiting)| waiting > number);
        if later || !still_so() {
            return;
        }
        waiting.insert(device.clone(), change);
        self.more.notify_one();
    }

    /// Some of what waits; they stay in until [`Self::settle`], so that `announced` is true when it says so.
    pub(super) fn batch(&self) -> Vec<PresenceChange> {
        self.lock().values().take(ANNOUNCING_MAX).cloned().collect()
    }

    /// Removes what has been announced, unless there is something newer of the device.
    pub(super) fn settle(&self, change: &PresenceChange) {
        let Some((device, _)) = subject_of(change) else { return };
        let mut waiting = self.lock();
        if waiting.get(device) == Some(change) {
            waiting.remove(device);
        }
        if waiting.is_empty() {
            self.none.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, PresenceChange>> {
        self.waiting.lock().expect("nothing panics while it holds this lock")
    }
}

/// The device and session number that a change is about.
fn subject_of(change: &PresenceChange) -> Option<(&DeviceId, u64)> {
    match change {
        PresenceChange::Online { device, session, .. } | PresenceChange::Offline { device, session, .. } => {
            Some((device, session.number))
        }
        PresenceChange::ConnectorLost { .. } | PresenceChange::CaughtUp => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(number: u64) -> (DeviceId, PresenceSession, Timestamp) {
        let connector = ConnectorId::parse("c1").unwrap();
        (DeviceId::parse("d1").unwrap(), PresenceSession { connector, number }, Timestamp::from_unix_ms(0))
    }

    fn online(number: u64) -> PresenceChange {
        let (device, session, at) = parts(number);
        PresenceChange::Online { device, session, at }
    }

    fn offline(number: u64) -> PresenceChange {
        let (device, session, at) = parts(number);
        PresenceChange::Offline { device, session, at }
    }

    #[test]
    fn what_waits_is_never_replaced_by_something_earlier() {
        let cases = [
            ([online(2), offline(2)], offline(2)),
            ([online(3), online(2)], online(3)),
            ([online(3), offline(2)], online(3)),
            ([offline(3), online(2)], offline(3)),
            ([offline(2), online(3)], online(3)),
        ];
        for (said, waits) in cases {
            let announcements = Announcements::default();
            said.iter().for_each(|change| announcements.put_if(change.clone(), || true));
            assert_eq!(announcements.batch(), [waits], "{said:?}");
        }
    }

    #[test]
    fn a_session_that_is_no_longer_the_devices_is_not_announced_after_the_one_that_took_over() {
        let announcements = Announcements::default();
        announcements.put_if(online(2), || true);
        announcements.settle(&online(2));
        announcements.put_if(online(1), || false);
        assert_eq!(announcements.batch(), []);
    }
}
