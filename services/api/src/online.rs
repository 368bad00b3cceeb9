//! Who is online: presence of one instance in memory, watched again whenever watching ends.
//!
//! Not for what is done when a device comes online; [`Online::arrivals`] tells whoever does it. Invariant: after a watch
//! began anew, what is shown is what that watch has shown; until it has caught up, what was known before.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, Weak},
    time::Duration,
};

use rollcall_backbone::{
    BackboneError,
    presence::{PresenceChange, Session},
    repeats::Repeats,
};
use rollcall_chassis::clock::Clock;
use rollcall_domain::{
    ids::{ConnectorId, DeviceId},
    time::Timestamp,
};
use tokio::sync::broadcast;

use crate::{reach::Silent, realm::Realm};

/// How long to wait before presence is watched again.
const AGAIN: Duration = Duration::from_millis(500);
/// Arrivals that a slow listener may be behind before it is told that it lags.
const ARRIVALS_WAITING_MAX: usize = 4096;

/// One device that is online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presence {
    /// Its session.
    pub(crate) session: Session,
    /// Since when.
    pub(crate) since: Timestamp,
}

/// A device has come online.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// Which.
    pub(crate) device: DeviceId,
}

/// See the file.
pub(crate) struct Online {
    devices: RwLock<HashMap<DeviceId, Presence>>,
    arrivals: broadcast::Sender<Arrival>,
    silent: Silent,
}

impl Default for Online {
    fn default() -> Self {
        Self {
            devices: RwLock::default(),
            arrivals: broadcast::Sender::new(ARRIVALS_WAITING_MAX),
            silent: Silent::default(),
        }
    }
}

impl Online {
    /// Whether a device is online.
    pub(crate) fn is_online(&self, device: &DeviceId) -> bool {
        self.read().contains_key(device)
    }

    /// The session of a device that is online.
    pub(crate) fn of(&self, device: &DeviceId) -> Option<Presence> {
        self.read().get(device).cloned()
    }

    /// Everybody who is online.
    pub(crate) fn all(&self) -> Vec<DeviceId> {
        self.read().keys().cloned().collect()
    }

    /// How many are online.
    pub(crate) fn count(&self) -> usize {
        self.read().len()
    }

    /// Every arrival from now on. A listener that lags is told so, and looks at [`Online::all`].
    pub(crate) fn arrivals(&self) -> broadcast::Receiver<Arrival> {
        self.arrivals.subscribe()
    }

    /// Connectors that have fallen silent.
    pub(crate) const fn silent(&self) -> &Silent {
        &self.silent
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<DeviceId, Presence>> {
        // A map is whole between any two statements.
        self.devices.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<DeviceId, Presence>> {
        self.devices.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrived(&self, device: &DeviceId) {
        // Nobody listening is fine.
        let _ = self.arrivals.send(Arrival { device: device.clone() });
    }
}

/// Watches until the realm is gone.
pub(crate) async fn watch(realm: Weak<Realm>, clock: Arc<dyn Clock>) {
    let told = Repeats::default();
    loop {
        let Some(realm) = realm.upgrade() else { return };
        if let Err(error) = watch_once(&realm, &*clock, &told).await
            && let Some(left_out) = told.failed(&error)
        {
            tracing::warn!(instance = %realm.id, %error, left_out, "presence cannot be watched; trying again");
        }
        drop(realm);
        tokio::time::sleep(AGAIN).await;
    }
}

async fn watch_once(realm: &Realm, clock: &dyn Clock, told: &Repeats) -> Result<(), BackboneError> {
    let mut changes = realm.backbone.presence.watch(&realm.id).await?;
    if told.recovered() {
        tracing::info!(instance = %realm.id, "presence is watched again");
    }
    // Collected apart until it is whole: half a picture would show devices offline that are not.
    let mut shown: Option<HashMap<DeviceId, Presence>> = Some(HashMap::new());
    while let Some(change) = changes.recv().await {
        match (change, &mut shown) {
            (PresenceChange::CaughtUp, shown) => {
                if let Some(whole) = shown.take() {
                    begin(realm, whole, clock);
                }
            }
            (PresenceChange::Online { device, session, at }, Some(shown)) => {
                shown.insert(device, Presence { session, since: at });
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
                realm.online.write().insert(device.clone(), Presence { session, since: at });
                realm.view.note_seen(&device, true, at);
                realm.online.arrived(&device);
            }
            (PresenceChange::Offline { device, session, at }, None) => {
                let mut devices = realm.online.write();
                if devices.get(&device).is_some_and(|known| session.ends(&known.session)) {
                    devices.remove(&device);
                    drop(devices);
                    realm.view.note_seen(&device, false, at);
                }
            }
            (PresenceChange::ConnectorLost { connector }, None) => lose(realm, &connector, clock),
        }
    }
    Ok(())
}

/// Shows what a new watch has shown; who was online before and is not now has gone unseen.
fn begin(realm: &Realm, whole: HashMap<DeviceId, Presence>, clock: &dyn Clock) {
    let before = std::mem::replace(&mut *realm.online.write(), whole.clone());
    let now = Timestamp::from_unix_ms(clock.unix_ms());
    for device in before.keys().filter(|device| !whole.contains_key(device)) {
        realm.view.note_seen(device, false, now);
    }
    for (device, presence) in &whole {
        if before.get(device).is_none_or(|known| known.session != presence.session) {
            realm.view.note_seen(device, true, presence.since);
            realm.online.arrived(device);
        }
    }
}

fn lose(realm: &Realm, connector: &ConnectorId, clock: &dyn Clock) {
    let mut lost = Vec::new();
    realm.online.write().retain(|device, known| {
        let kept = known.session.connector != *connector;
        if !kept {
            lost.push(device.clone());
        }
        kept
    });
    let now = Timestamp::from_unix_ms(clock.unix_ms());
    realm.online.silent.note([connector.clone()], now);
    for device in lost {
        realm.view.note_seen(&device, false, now);
    }
}
