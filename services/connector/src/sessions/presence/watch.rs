//! Watches what presence shows of every connector's sessions.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use rollcall_domain::{ids::DeviceId, refusal::Refusal};
use rollcall_log::{
    BackboneError,
    presence::{PresenceChange, Session as PresenceSession},
    resume::Resume,
};
use tokio::time::Instant;

use crate::{instance::Instance, sessions::session::Session};

/// Watches until the future is dropped.
pub(crate) async fn watch(instance: &Instance) {
    let mut resume = instance.resume("presence");
    loop {
        let ended = watch_once(instance, &mut resume).await;
        instance.schedule.watch_ended();
        resume.pause(ended).await;
    }
}

async fn watch_once(instance: &Instance, resume: &mut Resume) -> Result<(), BackboneError> {
    instance.backbone.presence.open(&instance.id).await?;
    // A watch begins with the latest change of each device. An announcement that was acknowledged before, or a newer
    // one, is among them, although its own change may have passed while this connector did not watch.
    for session in instance.sessions.all() {
        if session.acknowledged.load(Ordering::SeqCst) {
            session.announced.store(true, Ordering::SeqCst);
        }
    }
    instance.schedule.watching();
    let mut changes = instance.backbone.presence.watch(&instance.id).await?;
    resume.follows();
    let mut shown = Some(HashMap::new());
    while let Some(change) = changes.recv().await {
        instance.schedule.observe(&change, &instance.connector, Instant::now());
        match change {
            PresenceChange::Online { device, session, .. } => {
                if session.connector == instance.connector
                    && let Some(shown) = &mut shown
                {
                    shown.insert(session.number, device.clone());
                }
                online_somewhere(instance, &device, &session);
            }
            // A session ends at its own connector; the devices of a lost connector reconnect.
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
    let Some(own) = instance.sessions.of(device) else { return };
    if shown.connector == instance.connector {
        if shown.number == own.number {
            own.announced.store(true, Ordering::SeqCst);
            if own.has_unkept_will() {
                instance.schedule.keep_again(&own, &instance.connector, Instant::now());
            }
        }
    } else if own.announced.load(Ordering::SeqCst) {
        own.mailbox.close(Refusal::TakenOver);
        instance.takeovers.note(device, true, Instant::now());
    }
}

/// Announces the end of sessions that presence shows and this connector no longer has: the instance failed before it
/// announced them.
fn announce_ended(instance: &Instance, shown: &HashMap<u64, DeviceId>) {
    for (number, device) in shown {
        if instance.sessions.of(device).is_none_or(|own| own.number != *number) {
            let session = PresenceSession { connector: instance.connector.clone(), number: *number };
            let over = PresenceChange::Offline { device: device.clone(), session, at: instance.now() };
            instance.announcements.put_if(over, || true);
        }
    }
}

/// Announces the sessions that presence does not show although they are open: it was away, or took this connector for
/// lost. Skips sessions that have been told to close and have yet to: announced now, a session that lost against a
/// newer one elsewhere would become the newest of all. Their wills may have been published meanwhile, and are put again once
/// presence shows the sessions.
fn announce_missing(instance: &Instance, shown: &HashMap<u64, DeviceId>) {
    let missing = |session: &&Arc<Session>| !shown.contains_key(&session.number) && session.mailbox.closed().is_none();
    for session in instance.sessions.all().iter().filter(missing) {
        session.acknowledged.store(false, Ordering::SeqCst);
        session.announced.store(false, Ordering::SeqCst);
        session.doubt_will();
        instance.announcements.online(&instance.connector, session, &instance.sessions);
    }
}
