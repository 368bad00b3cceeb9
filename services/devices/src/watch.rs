//! Watches presence of one instance, again whenever watching ends, and keeps [`Presence`](crate::presence::Presence) by it.
//!
//! Invariant: after a watch began anew, what is shown is what that watch has shown; until it has caught up, what was known
//! before.

use std::sync::Arc;

use rollcall_domain::time::Timestamp;
use rollcall_log::{
    BackboneError,
    online::{Difference, OnlineDevices},
    presence::PresenceChange,
    resume::Resume,
};

use crate::instance::Devices;

/// Watches presence until the future is dropped.
pub(crate) async fn run(devices: Arc<Devices>) {
    let mut resume = devices.resume("presence");
    loop {
        let ended = watch(&devices, &mut resume).await;
        resume.pause(ended).await;
    }
}

async fn watch(devices: &Devices, resume: &mut Resume) -> Result<(), BackboneError> {
    let mut changes = devices.backbone.presence.watch(&devices.instance).await?;
    resume.follows();
    // Collected apart until it is whole: half a picture would show devices offline that are not.
    let mut collected = Some(OnlineDevices::default());
    while let Some(change) = changes.recv().await {
        match &mut collected {
            Some(_) if change == PresenceChange::CaughtUp => {
                let whole = collected.take().unwrap_or_default();
                // What this process counted before it was started again is in the picture too.
                let counted = devices.view.connects_counted_until();
                let differences = devices.presence().write().replace(whole);
                note(devices, differences, counted);
            }
            Some(collected) => drop(collected.apply(change)),
            None => {
                if let PresenceChange::ConnectorLost { connector } = &change {
                    devices.presence().silent().note([connector.clone()], now(devices));
                }
                let differences = devices.presence().write().apply(change);
                note(devices, differences, None);
            }
        }
    }
    Ok(())
}

/// Notes what is different now, and announces it. Connections up to `counted` are counted already.
fn note(devices: &Devices, differences: Vec<Difference>, counted: Option<Timestamp>) {
    for difference in differences {
        match difference {
            Difference::CameOnline { device, since } => {
                devices.view.note_seen(&device, true, since);
                if counted.is_none_or(|counted| since > counted) {
                    devices.view.note_connect(since);
                }
                devices.presence().announce(device, true, since);
            }
            Difference::WentOffline { device, at } => {
                let at = at.unwrap_or_else(|| now(devices));
                devices.view.note_seen(&device, false, at);
                devices.presence().announce(device, false, at);
            }
        }
    }
}

fn now(devices: &Devices) -> Timestamp {
    Timestamp::from_unix_ms(devices.now_ms())
}
