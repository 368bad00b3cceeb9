//! Writes down how far kept sessions have come.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use rollcall_domain::{ids::DeviceId, refusal::Refusal};
use rollcall_log::{
    BackboneError,
    documents::{DocumentKey, PutError},
    presence::Session as PresenceSession,
    repeats::Repeats,
};
use tokio::time::{Instant, MissedTickBehavior};

use super::{
    form::{KeptFilter, KeptSession, WRITTEN_MS_MAX},
    state::{State, Written},
};
use crate::{admission::view_ready::view_ready, instance::Instance, sessions::session::Session};

/// Between two writes of what a client has acknowledged: what came in between comes again if the connector is killed.
const WRITE_INTERVAL: Duration = Duration::from_secs(10);
/// How often a write is tried again that conflicts with what is stored, when that is no newer connection's.
const TRIES_MAX: usize = 5;
/// Written at a time.
const AT_ONCE: usize = 32;

/// Writes until the future is dropped.
pub(crate) async fn run(instance: &Instance) {
    let mut interval = tokio::time::interval(WRITE_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let repeats = Repeats::default();
    loop {
        interval.tick().await;
        let kept = instance.sessions.all().into_iter().filter(|session| session.persistence.get().is_some());
        let written = stream::iter(kept).map(|session| async move { write_if_due(instance, &session).await });
        let failed: Vec<_> = written.buffer_unordered(AT_ONCE).filter_map(async |written| written.err()).collect().await;
        if let Some(error) = failed.into_iter().next()
            && let Some(left_out) = repeats.failed(&error)
        {
            tracing::warn!(instance = %instance.id, %error, left_out, "kept sessions cannot be written; trying again");
        }
    }
}

async fn write_if_due(instance: &Instance, session: &Session) -> Result<(), BackboneError> {
    let Some(state) = session.persistence.get() else { return Ok(()) };
    let old = {
        let Ok(document) = state.document.try_lock() else { return Ok(()) };
        document
            .as_ref()
            .is_some_and(|written| instance.clock.unix_ms().saturating_sub(written.form.written_ms) >= WRITTEN_MS_MAX / 2)
    };
    if state.take_changed() || old { write(instance, session).await } else { Ok(()) }
}

/// Writes the session as it is now, if it is kept.
///
/// # Errors
/// [`BackboneError`]: it could not be written, and will be later.
pub(crate) async fn write(instance: &Instance, session: &Session) -> Result<(), BackboneError> {
    let Some(state) = session.persistence.get() else { return Ok(()) };
    let mut document = state.document.lock().await;
    let Some(written) = document.as_mut() else { return Ok(()) };
    let form = current(instance, session, state, &written.form);
    match put(instance, session, written, form).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            *document = None;
            Ok(())
        }
        Err(error) => {
            state.set_changed();
            Err(error)
        }
    }
}

fn current(instance: &Instance, session: &Session, state: &State, before: &KeptSession) -> KeptSession {
    let routed = instance.routed.up_to();
    // Before how far it has come: a filter that is subscribed to in between is not written with a position behind it.
    let filters = state.filters();
    let after = state.acknowledged(routed, &session.mailbox).unwrap_or(before.after);
    let still_behind =
        |filter: KeptFilter| KeptFilter { after: filter.after.filter(|since| !after.covers(since)), ..filter };
    KeptSession {
        filters: filters.into_iter().map(still_behind).collect(),
        after,
        written_ms: instance.clock.unix_ms(),
        ..before.clone()
    }
}

/// `false`: another connection of the device has written it since; it is that one's now.
async fn put(
    instance: &Instance,
    session: &Session,
    written: &mut Written,
    form: KeptSession,
) -> Result<bool, BackboneError> {
    let documents = &instance.backbone.documents;
    let key = DocumentKey::Session(session.device.device.clone());
    let body = form.write();
    for _ in 0..TRIES_MAX {
        match documents.put(&instance.log, &key, written.revision, body.clone()).await {
            Ok(revision) => {
                *written = Written { form, revision };
                return Ok(true);
            }
            Err(PutError::Conflict) => {}
            Err(PutError::Backbone(error)) => return Err(error),
        }
        // A write of ours that was not acknowledged may have been stored. What is read may be older than what was last written.
        let Some(found) = documents.get(&instance.log, &key).await? else { return Ok(false) };
        match KeptSession::read(&found.body) {
            Ok(theirs) if theirs.owner() == form.owner() => written.revision = found.revision,
            Ok(_) | Err(_) if found.revision < written.revision => {}
            Ok(_) | Err(_) => return Ok(false),
        }
    }
    Err(BackboneError::Unavailable {
        attempted: format!("writing the session of a device of instance {}", instance.id),
        reason: "its document keeps changing".to_owned(),
    })
}

/// Writes a session whose connection has ended for the last time, or deletes it.
///
/// # Errors
/// [`BackboneError`]: neither could be done yet.
pub(crate) async fn finish(instance: &Instance, session: &Arc<Session>) -> Result<(), BackboneError> {
    let Some(state) = session.persistence.get() else { return Ok(()) };
    let mut document = state.document.lock().await;
    let device = &session.device.device;
    let newer = instance.sessions.of(device).filter(|newer| newer.number > session.number);
    let Some(written) = document.as_mut() else {
        return if state.is_unkept() && newer.is_none() { discard(instance, session).await } else { Ok(()) };
    };
    if let Some(newer) = newer {
        // Whatever becomes of the session, the newer connection has seen to it, or sees to it, if it could.
        if newer.persistence.get().is_some_and(State::is_unkept) {
            discard(instance, &newer).await?;
        }
        let over_at = Instant::now() + Duration::from_secs(written.form.expiry_s.into());
        instance.schedule.ends(device, session.number, Some(over_at));
        return Ok(());
    }
    let expiry_s = state.expiry_s().unwrap_or(written.form.expiry_s).min(instance.routed.limits.expiry_s_max);
    // One that was taken over elsewhere by a connection that lets it go on is that one's document: there is a conflict.
    let taken_over = session.mailbox.closed() == Some(Refusal::TakenOver);
    if expiry_s == 0 || taken_over || is_revoked(instance, device, &written.form) {
        let key = DocumentKey::Session(device.clone());
        match instance.backbone.documents.delete(&instance.log, &key, written.revision).await {
            Ok(()) | Err(PutError::Conflict) => {}
            Err(PutError::Backbone(error)) => return Err(error),
        }
        instance.schedule.ends(device, session.number, None);
        return Ok(());
    }
    let form = KeptSession { ended: true, expiry_s, ..current(instance, session, state, &written.form) };
    let over_at = Instant::now() + Duration::from_secs(expiry_s.into());
    let kept = put(instance, session, written, form).await?;
    instance.schedule.ends(device, session.number, kept.then_some(over_at));
    Ok(())
}

/// Deletes what is there of a session that was promised to nobody: what this connection has written, what it has found, and
/// what an earlier one here has left. Anything else may be a newer connection's at another connector, where another clock goes:
/// when a connection began is no proof. What an earlier one elsewhere has left and this one could not read, that connector
/// sees to when presence shows this one.
async fn discard(instance: &Instance, session: &Session) -> Result<(), BackboneError> {
    let (documents, key) = (&instance.backbone.documents, DocumentKey::Session(session.device.device.clone()));
    let Some(found) = documents.get(&instance.log, &key).await? else { return Ok(()) };
    let earlier = session.persistence.get().and_then(State::earlier);
    let is_earlier = match KeptSession::read(&found.body).ok().and_then(|form| form.owner()) {
        Some(owner) if owner.connector == instance.connector => owner.number <= session.number,
        owner => {
            earlier.is_some_and(|earlier| earlier.revision == found.revision || (owner.is_some() && earlier.owner == owner))
        }
    };
    if !is_earlier {
        return Ok(());
    }
    match documents.delete(&instance.log, &key, found.revision).await {
        Ok(()) | Err(PutError::Conflict) => Ok(()),
        Err(PutError::Backbone(error)) => Err(error),
    }
}

/// Whether the device of a kept session would not be let in any more as it was then, as far as this connector's view knows.
fn is_revoked(instance: &Instance, device: &DeviceId, form: &KeptSession) -> bool {
    if !view_ready(&instance.status.borrow()) {
        return false;
    }
    let damaged = instance.view.lookups_damaged();
    let device = form.holder.device(device, &instance.view.configuration(), &instance.view, instance.now());
    device.is_err() && instance.view.lookups_damaged() == damaged
}

/// Looks at the session that is kept for a device that is away: deletes it if a newer connection has done without it
/// (`superseded` is the one that had it), if its time is over, or if the device has lost its right.
///
/// # Errors
/// [`BackboneError`]: it is to be looked at again.
pub(crate) async fn check(
    instance: &Instance,
    key: &DocumentKey,
    device: &DeviceId,
    superseded: Option<&PresenceSession>,
) -> Result<Option<Duration>, BackboneError> {
    let documents = &instance.backbone.documents;
    let Some(found) = documents.get(&instance.log, key).await? else {
        instance.schedule.forget_ended(device);
        return Ok(None);
    };
    let over = match KeptSession::read(&found.body) {
        Err(_) => true,
        Ok(form) => {
            let left_ms = form.over_at_ms().saturating_sub(instance.clock.unix_ms());
            let over = left_ms <= 0
                || is_revoked(instance, device, &form)
                || superseded.is_some_and(|superseded| form.owner().as_ref() == Some(superseded));
            // One that is not written as ended is a live one's, unless it is still what was left here, or by a connector that is lost.
            let is_left = form.ended || form.owner().is_some_and(|owner| instance.schedule.is_left(device, &owner));
            if !over && is_left {
                return Ok(Some(Duration::from_millis(left_ms.unsigned_abs())));
            }
            over
        }
    };
    if over {
        match documents.delete(&instance.log, key, found.revision).await {
            Ok(()) | Err(PutError::Conflict) => {}
            Err(PutError::Backbone(error)) => return Err(error),
        }
    }
    instance.schedule.forget_ended(device);
    Ok(None)
}
