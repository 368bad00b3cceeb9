//! Watches what presence shows of every connector's sessions.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rollcall_backbone::presence::{PresenceChange, Session as PresenceSession};
use rollcall_domain::{ids::DeviceId, refusal::Refusal};

use crate::{instance::Instance, sessions::session::Session};

/// How long to wait after the backbone has refused.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Watches until the future is dropped.
pub(crate) async fn watch(instance: &Instance) {
    loop {
        if let Err(error) = watch_once(instance).await {
            tracing::warn!(instance = %instance.id, %error, "presence cannot be watched; trying again");
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

async fn watch_once(instance: &Instance) -> Result<(), rollcall_backbone::BackboneError> {
    instance.backbone.presence.open(&instance.id).await?;
    // Whoever starts to watch is shown the latest of each device. What was acknowledged before is shown, or something newer
    // is: the announcement itself may have been missed while nobody watched here.
    for session in instance.sessions.all() {
        if session.acknowledged.load(Ordering::SeqCst) {
            session.announced.store(true, Ordering::SeqCst);
        }
    }
    let mut changes = instance.backbone.presence.watch(&instance.id).await?;
    let mut shown = Some(HashMap::new());
    while let Some(change) = changes.recv().await {
        match change {
            PresenceChange::Online { device, session, .. } => {
                if session.connector == instance.connector
                    && let Some(shown) = &mut shown
                {
                    shown.insert(session.number, device.clone());
                }
                online_somewhere(instance, &device, &session);
            }
            // Sessions end where they are; a lost connector's devices come back by themselves.
            PresenceChange::Offline { .. } => {}
            PresenceChange::ConnectorLost { connector } => {
                if connector == instance.connector {
                    announce_missing(instance, &HashMap::new());
                }
            }
            PresenceChange::CaughtUp => {
                let shown = shown.take().unwrap_or_default();
                announce_ended(instance, &shown);
                announce_missing(instance, &shown);
            }
        }
    }
    Ok(())
}

fn online_somewhere(instance: &Instance, device: &DeviceId, shown: &PresenceSession) {
    let Some(held) = instance.sessions.of(device) else { return };
    if shown.connector == instance.connector {
        if shown.number == held.number {
            held.announced.store(true, Ordering::SeqCst);
        }
    } else if held.announced.load(Ordering::SeqCst) {
        held.mailbox.close(Refusal::TakenOver);
    }
}

/// Announces the end of sessions that presence shows and nobody holds: their end was to be announced when the instance
/// failed.
fn announce_ended(instance: &Instance, shown: &HashMap<u64, DeviceId>) {
    for (number, device) in shown {
        if instance.sessions.of(device).is_none_or(|held| held.number != *number) {
            let session = PresenceSession { connector: instance.connector.clone(), number: *number };
            let over = PresenceChange::Offline { device: device.clone(), session, at: instance.now() };
            instance.announcements.put_if(over, || true);
        }
    }
}

/// Announces the sessions that presence should show and does not: it was away, or took this connector for lost. Not those
/// that have been told to close, which their connections have yet to do: announced now, a session that lost against a
/// newer one elsewhere would seem the newest of all.
fn announce_missing(instance: &Instance, shown: &HashMap<u64, DeviceId>) {
    let missing = |session: &&Arc<Session>| !shown.contains_key(&session.number) && session.mailbox.closed().is_none();
    for session in instance.sessions.all().iter().filter(missing) {
        session.acknowledged.store(false, Ordering::SeqCst);
        session.announced.store(false, Ordering::SeqCst);
        instance.announcements.online(&instance.connector, session, &instance.sessions);
    }
}
