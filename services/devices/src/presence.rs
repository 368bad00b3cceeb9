//! Who is online: presence of one instance in memory, watched again whenever watching ends.
//!
//! What is done when a device comes online is `on_connect`'s. Invariant: after a watch
//! began anew, what is shown is what that watch has shown; until it has caught up, what was known before.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use rollcall_backbone::{
    BackboneError,
    presence::{PresenceChange, Session},
    repeats::Repeats,
};
use rollcall_domain::{
    ids::{ConnectorId, DeviceId},
    time::Timestamp,
};
use tokio::sync::broadcast;

use crate::{
    instance::{Devices, RETRY_DELAY},
    reach::Silent,
};

/// Devices that came online and that a slow receiver may be behind before it is told that it lags.
const CONNECTS_WAITING_MAX: usize = 4096;

/// One device that is online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineSession {
    pub session: Session,
    pub since: Timestamp,
}

/// See the file.
pub struct Presence {
    devices: RwLock<HashMap<DeviceId, OnlineSession>>,
    connects: broadcast::Sender<DeviceId>,
    silent: Silent,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            devices: RwLock::default(),
            connects: broadcast::Sender::new(CONNECTS_WAITING_MAX),
            silent: Silent::default(),
        }
    }
}

impl Presence {
    /// Whether a device is online.
    pub fn is_online(&self, device: &DeviceId) -> bool {
        self.read().contains_key(device)
    }

    /// The session of a device that is online.
    pub fn of(&self, device: &DeviceId) -> Option<OnlineSession> {
        self.read().get(device).cloned()
    }

    /// Everybody who is online.
    pub(crate) fn all(&self) -> Vec<DeviceId> {
        self.read().keys().cloned().collect()
    }

    /// How many are online.
    pub fn count(&self) -> usize {
        self.read().len()
    }

    /// Every device that comes online from now on. A receiver that lags is told so, and looks at [`Presence::all`].
    pub(crate) fn connects(&self) -> broadcast::Receiver<DeviceId> {
        self.connects.subscribe()
    }

    /// Connectors that have fallen silent.
    pub const fn silent(&self) -> &Silent {
        &self.silent
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<DeviceId, OnlineSession>> {
        // A map is whole between any two statements.
        self.devices.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<DeviceId, OnlineSession>> {
        self.devices.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, device: &DeviceId) {
        // An error says that nothing subscribes.
        let _ = self.connects.send(device.clone());
    }
}

/// Watches presence until the future is dropped.
pub(crate) async fn run(devices: Arc<Devices>) {
    let told = Repeats::default();
    loop {
        if let Err(error) = watch(&devices, &told).await
            && let Some(left_out) = told.failed(&error)
        {
            tracing::warn!(instance = %devices.instance, %error, left_out, "presence cannot be watched; trying again");
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

async fn watch(devices: &Devices, told: &Repeats) -> Result<(), BackboneError> {
    let mut changes = devices.backbone.presence.watch(&devices.instance).await?;
    if told.recovered() {
        tracing::info!(instance = %devices.instance, "presence is watched again");
    }
    // Collected apart until it is whole: half a picture would show devices offline that are not.
    let mut shown: Option<HashMap<DeviceId, OnlineSession>> = Some(HashMap::new());
    while let Some(change) = changes.recv().await {
        match (change, &mut shown) {
            (PresenceChange::CaughtUp, shown) => {
                if let Some(whole) = shown.take() {
                    begin(devices, whole);
                }
            }
            (PresenceChange::Online { device, session, at }, Some(shown)) => {
                shown.insert(device, OnlineSession { session, since: at });
            }
            (PresenceChange::Offline { device, session, .. }, Some(shown)) => {
                if shown.get(&device).is_some_and(|known| session.ends(&known.session)) {
                    shown.remove(&device);
                }
            }
            (PresenceChange::ConnectorLost { connector }, Some(shown)) => {
                shown.retain(|_, known| known.session.connector != connector);
            }
            (PresenceChange::Online { device, session, at }, None) => {
                devices.presence().write().insert(device.clone(), OnlineSession { session, since: at });
                devices.view.note_seen(&device, true, at);
                devices.presence().announce(&device);
            }
            (PresenceChange::Offline { device, session, at }, None) => {
                let mut online = devices.presence().write();
                if online.get(&device).is_some_and(|known| session.ends(&known.session)) {
                    online.remove(&device);
                    drop(online);
                    devices.view.note_seen(&device, false, at);
                }
            }
            (PresenceChange::ConnectorLost { connector }, None) => lose(devices, &connector),
        }
    }
    Ok(())
}

/// Shows what a new watch has shown; who was online before and is not now has gone unseen.
fn begin(devices: &Devices, whole: HashMap<DeviceId, OnlineSession>) {
    let before = std::mem::replace(&mut *devices.presence().write(), whole.clone());
    let now = Timestamp::from_unix_ms(devices.now_ms());
    for device in before.keys().filter(|device| !whole.contains_key(device)) {
        devices.view.note_seen(device, false, now);
    }
    for (device, presence) in &whole {
        if before.get(device).is_none_or(|known| known.session != presence.session) {
            devices.view.note_seen(device, true, presence.since);
            devices.presence().announce(device);
        }
    }
}

fn lose(devices: &Devices, connector: &ConnectorId) {
    let mut lost = Vec::new();
    devices.presence().write().retain(|device, known| {
        let kept = known.session.connector != *connector;
        if !kept {
            lost.push(device.clone());
        }
        kept
    });
    let now = Timestamp::from_unix_ms(devices.now_ms());
    devices.presence().silent.note([connector.clone()], now);
    for device in lost {
        devices.view.note_seen(&device, false, now);
    }
}
