//! What is done when a device comes online: it gets the messages that wait for it, and is told what is desired of it.
//!
//! Invariant: no device that comes online is missed: a receiver that lags checks every device that is online, and what
//! could not be finished is checked again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rollcall_domain::ids::DeviceId;
use tokio::{
    sync::{Notify, Semaphore, broadcast},
    time::Instant,
};

use crate::{desired, error::DevicesError, instance::Devices, messages};

/// Devices checked at a time.
const AT_ONCE_MAX: usize = 64;
/// After which time a device is checked again: another process is delivering to it, or delivering failed.
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
    async fn next(&self) -> Vec<DeviceId> {
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

/// Checks devices that come online until the future is dropped.
pub(crate) async fn run(devices: Arc<Devices>, mut connects: broadcast::Receiver<DeviceId>) {
    let permits = Arc::new(Semaphore::new(AT_ONCE_MAX));
    loop {
        let due = tokio::select! {
            connected = connects.recv() => match connected {
                Ok(device) => vec![device],
                Err(broadcast::error::RecvError::Lagged(_)) => devices.presence().all(),
                Err(broadcast::error::RecvError::Closed) => return,
            },
            due = devices.recheck.next() => due,
        };
        for device in due {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            let devices = Arc::clone(&devices);
            tokio::spawn(async move {
                if let Err(error) = check(&devices, &device).await {
                    if let Some(left_out) = devices.told.failed(&error) {
                        tracing::warn!(instance = %devices.instance, %device, %error, left_out, "a device could not be served");
                    }
                    devices.recheck.put(&device);
                }
                drop(permit);
            });
        }
    }
}

async fn check(devices: &Arc<Devices>, device: &DeviceId) -> Result<(), DevicesError> {
    if !devices.presence().is_online(device) {
        return Ok(());
    }
    // Two reads for a device that nothing waits for, and nothing else.
    let (messages, desired) = (messages::is_awaited(devices, device).await?, desired::is_pending(devices, device).await?);
    if !messages && !desired {
        return Ok(());
    }
    let Some(listed) = devices.existing(device).await? else { return Ok(()) };
    if desired {
        desired::send(devices, &listed).await?;
    }
    if messages {
        messages::deliver_waiting(devices, &listed).await?;
    }
    Ok(())
}
