//! Watches presence of one instance, again whenever watching ends, and keeps [`Presence`](crate::presence::Presence) by it.
//!
//! Invariant: after a watch began anew, what is shown is what that watch has shown; until it has caught up, what was known
//! before.

use std::{collections::HashMap, sync::Arc};

use rollcall_backbone::{BackboneError, presence::PresenceChange, repeats::Repeats};
use rollcall_domain::{
    ids::{ConnectorId, DeviceId},
    time::Timestamp,
};

use crate::{
    instance::{Devices, RETRY_DELAY},
    presence::OnlineSession,
};

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
    devices.presence().silent().note([connector.clone()], now);
    for device in lost {
        devices.view.note_seen(&device, false, now);
    }
}
