//! Devices that are to be checked again after a while: another process is delivering to them, delivering failed, or they have
//! reported something else than is desired.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rollcall_domain::ids::DeviceId;
use tokio::{sync::Notify, time::Instant};

/// After which time a device is checked again.
const RECHECK_DELAY: Duration = Duration::from_secs(1);
/// Devices that wait to be checked again.
const RECHECKS_MAX: usize = 4096;

/// Devices that are to be checked again, and when.
#[derive(Default)]
pub(crate) struct Recheck {
    due: Mutex<HashMap<DeviceId, Instant>>,
    more: Notify,
}

impl Recheck {
    pub(crate) fn put(&self, device: &DeviceId) {
        let mut due = self.lock();
        if due.len() >= RECHECKS_MAX {
            tracing::warn!(%device, "too many devices wait to be checked again; this one is when it comes online next");
            return;
        }
        due.entry(device.clone()).or_insert_with(|| Instant::now() + RECHECK_DELAY);
        self.more.notify_one();
    }

    /// Waits until some are due.
    pub(crate) async fn next(&self) -> Vec<DeviceId> {
        loop {
            let earliest = self.lock().values().min().copied();
            match earliest {
                Some(at) if at <= Instant::now() => break,
                Some(at) => tokio::time::sleep_until(at).await,
                None => self.more.notified().await,
            }
        }
        let now = Instant::now();
        self.lock().extract_if(|_, at| *at <= now).map(|(device, _)| device).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Instant>> {
        // A map is whole between any two statements.
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
