//! Announces which devices are online here, and closes sessions that are newer elsewhere.
//!
//! Which of two sessions is the newer is decided by the one order in which presence shows them to everybody. Invariant: a
//! session that has seen its own announcement is closed by any later foreign one; before that, a foreign one is older.
//! What waits to be announced is one change for each device: the latest, which is the one of the highest number.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, atomic::Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use rollcall_backbone::presence::{Beat, HEARTBEAT, PresenceChange, Session as Place};
use rollcall_domain::{
    ids::{ConnectorId, DeviceId},
    refusal::Refusal,
    time::Timestamp,
};
use tokio::{sync::Notify, time::MissedTickBehavior};

use crate::{
    instance::Instance,
    sessions::table::{Session, Sessions},
};

/// Announcements under way at a time.
const ANNOUNCING_MAX: usize = 64;
/// How long to wait after the backbone has refused.
const AGAIN: Duration = Duration::from_millis(500);

/// What waits to be announced.
#[derive(Default)]
pub(crate) struct Announcements {
    waiting: Mutex<HashMap<DeviceId, PresenceChange>>,
    more: Notify,
    none: Notify,
}

impl Announcements {
    /// A session is open. Says nothing of one that is no longer the device's: one that took over may have been announced,
    /// or be over, already.
    pub(crate) fn online(&self, connector: &ConnectorId, session: &Session, sessions: &Sessions) {
        let device = session.device.device.clone();
        let place = Place { connector: connector.clone(), number: session.number };
        let online = PresenceChange::Online { device, session: place, at: session.since };
        self.put_if(online, || sessions.of(&session.device.device).is_some_and(|held| held.number == session.number));
    }

    /// A session is over, and no other took its place here.
    pub(crate) fn offline(&self, connector: &ConnectorId, session: &Session, at: Timestamp) {
        let device = session.device.device.clone();
        let place = Place { connector: connector.clone(), number: session.number };
        self.put_if(PresenceChange::Offline { device, session: place, at }, || true);
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

    /// Asked under the lock, so that nobody who takes over can come in between with an earlier word.
    fn put_if(&self, change: PresenceChange, still_so: impl FnOnce() -> bool) {
        let Some((device, number)) = said_of(&change) else { return };
        let mut waiting = self.lock();
        let later = waiting.get(device).and_then(said_of).is_some_and(|(_, waiting)| waiting > number);
        if later || !still_so() {
            return;
        }
        waiting.insert(device.clone(), change);
        self.more.notify_one();
    }

    /// Some of what waits; they stay in until [`Self::settle`], so that `announced` is true when it says so.
    fn batch(&self) -> Vec<PresenceChange> {
        self.lock().values().take(ANNOUNCING_MAX).cloned().collect()
    }

    /// Removes what has been announced, unless there is something newer of the device.
    fn settle(&self, change: &PresenceChange) {
        let Some((device, _)) = said_of(change) else { return };
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

/// Of which device and session a change is.
fn said_of(change: &PresenceChange) -> Option<(&DeviceId, u64)> {
    match change {
        PresenceChange::Online { device, session, .. } | PresenceChange::Offline { device, session, .. } => {
            Some((device, session.number))
        }
        PresenceChange::ConnectorLost { .. } | PresenceChange::CaughtUp => None,
    }
}

/// Announces until the future is dropped.
pub(crate) async fn announce(instance: &Instance) {
    let announcements = &instance.announcements;
    loop {
        let batch = announcements.batch();
        if batch.is_empty() {
            announcements.more.notified().await;
            continue;
        }
        let announced = stream::iter(batch).map(|change| async move {
            let outcome = instance.backbone.presence.announce(&instance.id, change.clone()).await;
            outcome.map(|()| {
                acknowledge(instance, &change);
                announcements.settle(&change);
            })
        });
        let outcomes: Vec<_> = announced.buffer_unordered(ANNOUNCING_MAX).collect().await;
        if let Some(error) = outcomes.into_iter().find_map(Result::err) {
            tracing::warn!(instance = %instance.id, %error, "presence cannot be announced; trying again");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Presence has taken what was said of a session. Where that stands among what others say, only watching shows.
fn acknowledge(instance: &Instance, change: &PresenceChange) {
    if let PresenceChange::Online { device, session, .. } = change
        && let Some(held) = instance.sessions.of(device)
        && held.number == session.number
    {
        held.acknowledged.store(true, Ordering::SeqCst);
    }
}

/// Renews the lease, and says how this connector is, until the future is dropped.
pub(crate) async fn beat(instance: &Instance) {
    // Who watches says what is wrong with it.
    while instance.backbone.presence.open(&instance.id).await.is_err() {
        tokio::time::sleep(AGAIN).await;
    }
    let mut beat = tokio::time::interval(HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let age = instance.freshness.of_log(&instance.log).age;
        let age_ms = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let (position, digest) = {
            let status = instance.status.borrow();
            (status.position, Some(status.digest))
        };
        let said = Beat { position, sessions: instance.sessions.count() as u64, digest, age_ms };
        if let Err(error) = instance.backbone.presence.heartbeat(&instance.id, &instance.connector, said).await {
            tracing::warn!(instance = %instance.id, %error, "the presence lease cannot be renewed; trying again");
        }
    }
}

/// Watches until the future is dropped.
pub(crate) async fn watch(instance: &Instance) {
    loop {
        if let Err(error) = watch_once(instance).await {
            tracing::warn!(instance = %instance.id, %error, "presence cannot be watched; trying again");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn watch_once(instance: &Instance) -> Result<(), rollcall_backbone::BackboneError> {
    instance.backbone.presence.open(&instance.id).await?;
    // Whoever starts to watch is shown the latest of each device. What was acknowledged before is shown, or something newer
    // is: the announcement itself may have been missed while nobody watched here.
    for session in instance.sessions.all() {
        if session.acknowledged.load(Ordering::SeqCst) {
            session.announced.store(true, Ordering::SeqCst);
        }
    }
    let mut changes = instance.backbone.presence.watch(&instance.id).await?;
    let mut shown = Some(HashMap::new());
    while let Some(change) = changes.recv().await {
        match change {
            PresenceChange::Online { device, session, .. } => {
                if session.connector == instance.connector
                    && let Some(shown) = &mut shown
                {
                    shown.insert(session.number, device.clone());
                }
                online_somewhere(instance, &device, &session);
            }
            // Sessions end where they are; a lost connector's devices come back by themselves.
            PresenceChange::Offline { .. } => {}
            PresenceChange::ConnectorLost { connector } => {
                if connector == instance.connector {
                    announce_unless(instance, &HashMap::new());
                }
            }
            PresenceChange::CaughtUp => {
                let shown = shown.take().unwrap_or_default();
                end_unless_held(instance, &shown);
                announce_unless(instance, &shown);
            }
        }
    }
    Ok(())
}

fn online_somewhere(instance: &Instance, device: &DeviceId, place: &Place) {
    let Some(held) = instance.sessions.of(device) else { return };
    if place.connector == instance.connector {
        if place.number == held.number {
            held.announced.store(true, Ordering::SeqCst);
        }
    } else if held.announced.load(Ordering::SeqCst) {
        held.mailbox.close(Refusal::TakenOver);
    }
}

/// Announces the end of sessions that presence shows and nobody holds: their end was to be announced when the instance
/// failed.
fn end_unless_held(instance: &Instance, shown: &HashMap<u64, DeviceId>) {
    for (number, device) in shown {
        if instance.sessions.of(device).is_none_or(|held| held.number != *number) {
            let session = Place { connector: instance.connector.clone(), number: *number };
            let over = PresenceChange::Offline { device: device.clone(), session, at: instance.now() };
            instance.announcements.put_if(over, || true);
        }
    }
}

/// Announces the sessions that presence should show and does not: it was away, or took this connector for lost. Not those
/// that have been told to close, which their connections have yet to do: announced now, a session that lost against a
/// newer one elsewhere would seem the newest of all.
fn announce_unless(instance: &Instance, shown: &HashMap<u64, DeviceId>) {
    let missing = |session: &&Arc<Session>| !shown.contains_key(&session.number) && session.mailbox.closed().is_none();
    for session in instance.sessions.all().iter().filter(missing) {
        session.acknowledged.store(false, Ordering::SeqCst);
        session.announced.store(false, Ordering::SeqCst);
        instance.announcements.online(&instance.connector, session, &instance.sessions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u64) -> (DeviceId, Place, Timestamp) {
        let connector = ConnectorId::parse("c1").unwrap();
        (DeviceId::parse("d1").unwrap(), Place { connector, number }, Timestamp::from_unix_ms(0))
    }

    fn online(number: u64) -> PresenceChange {
        let (device, session, at) = place(number);
        PresenceChange::Online { device, session, at }
    }

    fn offline(number: u64) -> PresenceChange {
        let (device, session, at) = place(number);
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
