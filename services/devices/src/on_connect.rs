//! What is done when a device comes online: it gets the messages that wait for it, and is told what is desired of it.
//!
//! Invariant: no device that comes online is missed: a receiver that lags checks every device that is online, and what
//! could not be finished is checked again.

use std::sync::Arc;

use rollcall_domain::ids::DeviceId;
use tokio::sync::{Semaphore, broadcast};

use crate::{desired, error::DevicesError, instance::Devices, messages};

/// Devices checked at a time.
const AT_ONCE_MAX: usize = 64;

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
            let (tasks, devices) = (devices.tasks.clone(), Arc::clone(&devices));
            tasks.spawn(async move {
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
