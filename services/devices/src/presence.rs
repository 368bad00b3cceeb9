//! Who is online: presence of one instance in memory. `watch` keeps it, `on_connect` acts on it.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rollcall_domain::{
    ids::{ConnectorId, DeviceId},
    time::Timestamp,
};
use rollcall_log::online::OnlineDevices;
pub use rollcall_log::online::OnlineSession;
use rollcall_projection::directory::Online;
use tokio::sync::broadcast;

use crate::reach::Silent;

/// Devices that came online and that a slow receiver may be behind before it is told that it lags.
const CONNECTS_WAITING_MAX: usize = 4096;

/// Changes that a slow receiver may be behind before it is told that it lags.
const CHANGES_WAITING_MAX: usize = 4096;

/// A device has come online or gone offline, as far as this process has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionChange {
    pub device: DeviceId,
    pub online: bool,
    pub at: Timestamp,
    /// Where it is connected; `None` when it went offline.
    pub connector: Option<ConnectorId>,
}

/// See the file.
pub struct Presence {
    devices: RwLock<OnlineDevices>,
    connects: broadcast::Sender<DeviceId>,
    changes: broadcast::Sender<ConnectionChange>,
    silent: Silent,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            devices: RwLock::default(),
            connects: broadcast::Sender::new(CONNECTS_WAITING_MAX),
            changes: broadcast::Sender::new(CHANGES_WAITING_MAX),
            silent: Silent::default(),
        }
    }
}

impl Online for Presence {
    fn is_online(&self, device: &DeviceId) -> bool {
        self.read().get(device).is_some()
    }

    fn at_most(&self, max: usize) -> Option<Vec<DeviceId>> {
        let devices = self.read();
        (devices.len() <= max).then(|| devices.iter().map(|(device, _)| device.clone()).collect())
    }
}

impl Presence {
    /// Whether a device is online.
    pub fn is_online(&self, device: &DeviceId) -> bool {
        self.read().get(device).is_some()
    }

    /// The session of a device that is online.
    pub fn of(&self, device: &DeviceId) -> Option<OnlineSession> {
        self.read().get(device).cloned()
    }

    /// Every device that is online.
    pub(crate) fn all(&self) -> Vec<DeviceId> {
        self.read().iter().map(|(device, _)| device.clone()).collect()
    }

    /// How many are online.
    pub fn count(&self) -> usize {
        self.read().len()
    }

    /// Every device that comes online from now on. A receiver that lags is told so, and looks at [`Presence::all`].
    pub(crate) fn connects(&self) -> broadcast::Receiver<DeviceId> {
        self.connects.subscribe()
    }

    /// Every device that comes online, also with another session, or goes offline from now on. A receiver that lags is told so.
    pub fn changes(&self) -> broadcast::Receiver<ConnectionChange> {
        self.changes.subscribe()
    }

    /// Connectors that have fallen silent.
    pub const fn silent(&self) -> &Silent {
        &self.silent
    }

    fn read(&self) -> RwLockReadGuard<'_, OnlineDevices> {
        // A map is whole between any two statements.
        self.devices.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, OnlineDevices> {
        self.devices.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn announce(&self, device: DeviceId, online: bool, at: Timestamp) {
        let connector = self.of(&device).filter(|_| online).map(|online| online.session.connector);
        // Errors say that nothing subscribes.
        if online {
            let _ = self.connects.send(device.clone());
        }
        let _ = self.changes.send(ConnectionChange { device, online, at, connector });
    }
}
