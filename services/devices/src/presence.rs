//! Who is online: presence of one instance in memory. `watch` keeps it, `on_connect` acts on it.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use rollcall_domain::{ids::DeviceId, session::Session, time::Timestamp};
use tokio::sync::broadcast;

use crate::reach::Silent;

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

    pub(crate) fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<DeviceId, OnlineSession>> {
        self.devices.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn announce(&self, device: &DeviceId) {
        // An error says that nothing subscribes.
        let _ = self.connects.send(device.clone());
    }
}
