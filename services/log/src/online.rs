//! Who is online, reduced from the changes of presence: the one place that says what a change does to that.
//!
//! Pure: changes in, state and differences out; no time and no channel. The implementations keep by it what a new watcher
//! is told, and those who watch keep by it what they show.
//!
//! Invariant: a device has at most one session here, the one that was announced last; an end that comes late, of a session
//! that another has followed, changes nothing.

use std::collections::BTreeMap;

use rollcall_domain::{
    ids::{ConnectorId, DeviceId},
    session::Session,
    time::Timestamp,
};

use crate::presence::PresenceChange;

/// The session of a device that is online; `kept` is what an implementation remembers beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineSession<T = ()> {
    pub session: Session,
    pub since: Timestamp,
    pub kept: T,
}

/// The devices that are online, each with its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineDevices<T = ()>(BTreeMap<DeviceId, OnlineSession<T>>);

/// What a change has made different for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The device is online with a session that was announced now, also if it was online before.
    CameOnline { device: DeviceId, since: Timestamp },
    /// The device is offline; `at` is `None` where no change has said since when.
    WentOffline { device: DeviceId, at: Option<Timestamp> },
}

impl<T> Default for OnlineDevices<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> OnlineDevices<T> {
    pub fn get(&self, device: &DeviceId) -> Option<&OnlineSession<T>> {
        self.0.get(device)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By device id.
    pub fn iter(&self) -> impl Iterator<Item = (&DeviceId, &OnlineSession<T>)> {
        self.0.iter()
    }

    /// The device is online with this session; any other of it is over.
    pub fn online(&mut self, device: DeviceId, session: OnlineSession<T>) {
        self.0.insert(device, session);
    }

    /// This session of the device is over, and those that it [ends](Session::ends). Returns the one that was online, if it
    /// was among them.
    pub fn offline(&mut self, device: &DeviceId, session: &Session) -> Option<OnlineSession<T>> {
        let over = self.0.get(device).is_some_and(|online| session.ends(&online.session));
        if over { self.0.remove(device) } else { None }
    }

    /// The connector is gone, and every session that it held. Returns those, by device id.
    pub fn connector_lost(&mut self, connector: &ConnectorId) -> Vec<(DeviceId, OnlineSession<T>)> {
        self.0.extract_if(.., |_, online| online.session.connector == *connector).collect()
    }
}

impl OnlineDevices {
    /// Takes a change as a watcher gets it; [`PresenceChange::CaughtUp`] changes nothing.
    pub fn apply(&mut self, change: PresenceChange) -> Vec<Difference> {
        match change {
            PresenceChange::Online { device, session, at } => {
                self.online(device.clone(), OnlineSession { session, since: at, kept: () });
                vec![Difference::CameOnline { device, since: at }]
            }
            PresenceChange::Offline { device, session, at } => {
                let ended = self.offline(&device, &session);
                ended.map(|_| Difference::WentOffline { device, at: Some(at) }).into_iter().collect()
            }
            PresenceChange::ConnectorLost { connector } => {
                let lost = self.connector_lost(&connector).into_iter();
                lost.map(|(device, _)| Difference::WentOffline { device, at: None }).collect()
            }
            PresenceChange::CaughtUp => Vec::new(),
        }
    }

    /// Puts what a new watch has shown in the place of what was known; who is not in it has gone offline unseen.
    pub fn replace(&mut self, whole: Self) -> Vec<Difference> {
        let before = std::mem::replace(self, whole);
        let gone = before.0.keys().filter(|device| !self.0.contains_key(*device));
        let mut differences: Vec<_> =
            gone.map(|device| Difference::WentOffline { device: device.clone(), at: None }).collect();
        let come = self.0.iter().filter(|(device, now)| before.0.get(*device).is_none_or(|was| was.session != now.session));
        differences.extend(come.map(|(device, now)| Difference::CameOnline { device: device.clone(), since: now.since }));
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str) -> DeviceId {
        DeviceId::parse(name).unwrap()
    }

    fn session(connector: &str, number: u64) -> Session {
        Session { connector: ConnectorId::parse(connector).unwrap(), number }
    }

    fn online(name: &str, session: Session, at: i64) -> PresenceChange {
        PresenceChange::Online { device: device(name), session, at: Timestamp::from_unix_ms(at) }
    }

    fn offline(name: &str, session: Session, at: i64) -> PresenceChange {
        PresenceChange::Offline { device: device(name), session, at: Timestamp::from_unix_ms(at) }
    }

    fn came(name: &str, at: i64) -> Difference {
        Difference::CameOnline { device: device(name), since: Timestamp::from_unix_ms(at) }
    }

    fn went(name: &str, at: Option<i64>) -> Difference {
        Difference::WentOffline { device: device(name), at: at.map(Timestamp::from_unix_ms) }
    }

    #[test]
    fn an_end_that_comes_late_changes_nothing_and_a_later_one_ends_earlier_sessions() {
        let mut devices = OnlineDevices::default();
        assert_eq!(devices.apply(online("a", session("c1", 1), 1)), [came("a", 1)]);
        assert_eq!(devices.apply(online("a", session("c2", 1), 2)), [came("a", 2)]);
        assert_eq!(devices.apply(offline("a", session("c1", 1), 3)), [], "another connector has it by now");
        assert_eq!(devices.apply(offline("a", session("c2", 2), 4)), [went("a", Some(4))], "of its connector, and later");
        assert_eq!(devices.apply(offline("a", session("c2", 2), 5)), [], "once");
    }

    #[test]
    fn a_lost_connector_takes_its_own_devices_and_no_others() {
        let mut devices = OnlineDevices::default();
        for (name, connector) in [("a", "c1"), ("b", "c2"), ("d", "c1")] {
            devices.apply(online(name, session(connector, 1), 1));
        }
        let lost = PresenceChange::ConnectorLost { connector: ConnectorId::parse("c1").unwrap() };
        assert_eq!(devices.apply(lost), [went("a", None), went("d", None)]);
        assert_eq!(devices.iter().map(|(device, _)| device.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(devices.apply(PresenceChange::CaughtUp), []);
    }

    #[test]
    fn a_new_watch_tells_who_went_unseen_and_who_has_another_session() {
        let (mut known, mut whole) = (OnlineDevices::default(), OnlineDevices::default());
        for name in ["gone", "kept", "moved"] {
            known.apply(online(name, session("c1", 1), 1));
        }
        for (name, connector) in [("kept", "c1"), ("moved", "c2"), ("new", "c1")] {
            whole.apply(online(name, session(connector, 1), 2));
        }
        assert_eq!(known.replace(whole.clone()), [went("gone", None), came("moved", 2), came("new", 2)]);
        assert_eq!(known, whole);
    }
}
