//! Announces which devices are online here, and closes sessions that are newer elsewhere.
//!
//! Which of two sessions is the newer is decided by the one order in which presence shows them to everybody. Invariant: a
//! session that has seen its own announcement is closed by any later foreign one; before that, a foreign one is older.
//! What waits to be announced is one change for each device: the latest.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, atomic::Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use rollcall_backbone::presence::{HEARTBEAT, PresenceChange, Session as Place};
use rollcall_domain::{
    ids::{ConnectorId, DeviceId},
    refusal::Refusal,
    time::Timestamp,
};
use tokio::{sync::Notify, time::MissedTickBehavior};

use crate::{instance::Instance, sessions::Session};

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
    /// A session is open.
    pub(crate) fn online(&self, connector: &ConnectorId, session: &Session) {
        let device = session.device.device.clone();
        let place = Place { connector: connector.clone(), number: session.number };
        self.put(device.clone(), PresenceChange::Online { device, session: place, at: session.since });
    }

    /// A session is over, and no other took its place here.
    pub(crate) fn offline(&self, connector: &ConnectorId, session: &Session, at: Timestamp) {
        let device = session.device.device.clone();
        let place = Place { connector: connector.clone(), number: session.number };
        self.put(device.clone(), PresenceChange::Offline { device, session: place, at });
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

    fn put(&self, device: DeviceId, change: PresenceChange) {
        self.lock().insert(device, change);
        self.more.notify_one();
    }

    /// Some of what waits; they stay in until [`Self::settle`], so that `announced` is true when it says so.
    fn batch(&self) -> Vec<PresenceChange> {
        self.lock().values().take(ANNOUNCING_MAX).cloned().collect()
    }

    /// Removes what has been announced, unless there is something newer of the device.
    fn settle(&self, change: &PresenceChange) {
        let (PresenceChange::Online { device, .. } | PresenceChange::Offline { device, .. }) = change else { return };
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
            outcome.map(|()| announcements.settle(&change))
        });
        let outcomes: Vec<_> = announced.buffer_unordered(ANNOUNCING_MAX).collect().await;
        if let Some(error) = outcomes.into_iter().find_map(Result::err) {
            tracing::warn!(instance = %instance.id, %error, "presence cannot be announced; trying again");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Renews the lease until the future is dropped.
pub(crate) async fn beat(instance: &Instance) {
    // Who watches says what is wrong with it.
    while instance.backbone.presence.open(&instance.id).await.is_err() {
        tokio::time::sleep(AGAIN).await;
    }
    let mut beat = tokio::time::interval(HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        if let Err(error) = instance.backbone.presence.heartbeat(&instance.id, &instance.connector).await {
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
    let mut changes = instance.backbone.presence.watch(&instance.id).await?;
    let mut shown = Some(HashSet::new());
    while let Some(change) = changes.recv().await {
        match change {
            PresenceChange::Online { device, session, .. } => {
                if session.connector == instance.connector
                    && let Some(shown) = &mut shown
                {
                    shown.insert(session.number);
                }
                online_somewhere(instance, &device, &session);
            }
            // Sessions end where they are; a lost connector's devices come back by themselves.
            PresenceChange::Offline { .. } => {}
            PresenceChange::ConnectorLost { connector } => {
                if connector == instance.connector {
                    announce_unless(instance, &HashSet::new());
                }
            }
            PresenceChange::CaughtUp => announce_unless(instance, &shown.take().unwrap_or_default()),
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

/// Announces the sessions that presence should show and does not: it was away, or took this connector for lost.
fn announce_unless(instance: &Instance, shown: &HashSet<u64>) {
    let missing = |session: &Arc<Session>| !shown.contains(&session.number);
    for session in instance.sessions.all().iter().filter(|session| missing(session)) {
        session.announced.store(false, Ordering::SeqCst);
        instance.announcements.online(&instance.connector, session);
    }
}
