//! What is done when a device comes online: it gets the messages that wait for it, and is told what is desired of it.
//!
//! Not for how. Invariant: no arrival is missed: a listener that lags looks at everybody who is online, and what could not
//! be finished is looked at again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use rollcall_domain::ids::DeviceId;
use rollcall_projection::directory::Listed;
use tokio::{
    sync::{Notify, Semaphore, broadcast},
    time::Instant,
};

use super::{claim, messages, wishes};
use crate::{error::ApiError, online::Arrival, realm::Realm};

/// Devices looked at at a time.
const AT_ONCE_MAX: usize = 64;
/// Most devices that wait to be looked at again.
const AGAIN_MAX: usize = 4096;

/// Devices that are to be looked at again, and when.
#[derive(Default)]
pub(crate) struct Again {
    due: Mutex<HashMap<DeviceId, Instant>>,
    more: Notify,
}

impl Again {
    pub(crate) fn put(&self, device: &DeviceId) {
        let mut due = self.lock();
        if due.len() >= AGAIN_MAX {
            tracing::warn!(%device, "too many devices wait to be looked at again; this one is when it comes online next");
            return;
        }
        due.entry(device.clone()).or_insert_with(|| Instant::now() + claim::AGAIN);
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

/// Looks after devices that come online until the realm is gone.
pub(crate) async fn run(realm: Weak<Realm>, mut arrivals: broadcast::Receiver<Arrival>) {
    let permits = Arc::new(Semaphore::new(AT_ONCE_MAX));
    while let Some(realm) = realm.upgrade() {
        let devices = tokio::select! {
            arrival = arrivals.recv() => match arrival {
                Ok(arrival) => vec![arrival.device],
                Err(broadcast::error::RecvError::Lagged(_)) => realm.online.all(),
                Err(broadcast::error::RecvError::Closed) => return,
            },
            due = realm.devices.again.next() => due,
        };
        for device in devices {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            let realm = Arc::clone(&realm);
            tokio::spawn(async move {
                if let Err(error) = look_after(&realm, &device).await {
                    if let Some(left_out) = realm.devices.told.failed(&error.message) {
                        tracing::warn!(instance = %realm.id, %device, error = error.message, left_out, "a device could not be served");
                    }
                    realm.devices.look_again(&device);
                }
                drop(permit);
            });
        }
    }
}

async fn look_after(realm: &Arc<Realm>, device: &DeviceId) -> Result<(), ApiError> {
    if !realm.online.is_online(device) {
        return Ok(());
    }
    // Two reads for a device that nothing waits for, and nothing else.
    let (messages, wishes) = (messages::is_awaited(realm, device).await?, wishes::is_owed(realm, device).await?);
    if !messages && !wishes {
        return Ok(());
    }
    let Some(listed) = existing(realm, device).await? else { return Ok(()) };
    if wishes {
        wishes::tell(realm, &listed).await?;
    }
    if messages {
        messages::deliver_waiting(realm, &listed).await?;
    }
    Ok(())
}

/// The device as the view has it; a device that is online is there, or is just being deleted.
async fn existing(realm: &Arc<Realm>, device: &DeviceId) -> Result<Option<Listed>, ApiError> {
    let device = device.clone();
    realm.look(move |realm| realm.view.show(&device)).await
}
