//! Before CONNACK: what goes on of an earlier session, and whether this one is kept.

use std::sync::Arc;

use rollcall_log::{
    BackboneError,
    documents::{Document, DocumentKey, PutError, Revision},
    messages::MessageCursor,
    presence::Session as PresenceSession,
};
use tokio::time::Instant;

use super::{
    form::{KeptFilter, KeptSession},
    state::{Earlier, Written},
};
use crate::{
    instance::Instance,
    mqtt::{Connect, FilterOutcome, FilterRequest, SessionGrant, Subscription},
    sessions::{
        ended::keep::{discard_delayed_will, put},
        holder::Holder,
        session::Session,
        topic_authorization::authorize_subscribe,
    },
};

/// How often it is tried again when another connection of the device writes the document meanwhile.
const TRIES_MAX: usize = 5;

/// Where the message stream ended when the connection began.
struct Began {
    /// See [`Routed::stream`](super::routed::Routed::stream).
    stream: u64,
    at: MessageCursor,
}

/// Lets an earlier session go on if the client asks for that, and keeps this one if it asks for that. Where documents cannot
/// be used the client gets a session that ends with its connection, and an MQTT 5 client is told.
pub(crate) async fn begin(instance: &Instance, session: &Arc<Session>, connect: &Connect) -> SessionGrant {
    let expiry_s = connect.session_expiry_s.min(instance.routed.limits.expiry_s_max);
    // What this connector knows of costs nothing to ask; what it does not, the one that knows it sees to.
    let concerned = expiry_s > 0 || !connect.clean_start || instance.schedule.knows(&session.device.device);
    if !concerned {
        return SessionGrant::default();
    }
    let mut found = None;
    match resume(instance, session, connect, expiry_s, &mut found).await {
        Ok(grant) => grant,
        Err(error) => {
            if let Some(left_out) = instance.will_repeats.failed(&error) {
                tracing::warn!(
                    instance = %instance.id, %error, left_out, "a session cannot be kept: it ends with its connection"
                );
            }
            let state = session.persistence.start();
            state.note_earlier(found);
            state.set_unkept();
            // Not only when it ends: another connector would let the earlier session go on, without what is subscribed to here.
            instance.schedule.discard_session(session, Instant::now());
            SessionGrant::default()
        }
    }
}

/// `before`: what was there of the device, as it was last read.
async fn resume(
    instance: &Instance,
    session: &Arc<Session>,
    connect: &Connect,
    expiry_s: u32,
    before: &mut Option<Earlier>,
) -> Result<SessionGrant, PutError> {
    let device = &session.device.device;
    let owner = PresenceSession { connector: instance.connector.clone(), number: session.number };
    let key = DocumentKey::Session(device.clone());
    let Some(holder) = session.session_holder(&instance.view) else { return Ok(SessionGrant::default()) };
    for _ in 0..TRIES_MAX {
        let stream = instance.routed.stream();
        let found = get(instance, &key).await?;
        *before = found.as_ref().map(|found| Earlier {
            revision: found.revision,
            owner: KeptSession::read(&found.body).ok().and_then(|form| form.owner()),
        });
        let mut earlier = found.as_ref().and_then(|found| goes_on(instance, &holder, connect, found));
        let revision = found.map_or(Revision::NONE, |found| found.revision);
        if expiry_s == 0 {
            match instance.backbone.documents.delete(&instance.log, &key, revision).await {
                Ok(()) => {}
                Err(PutError::Conflict) => continue,
                Err(error) => return Err(error),
            }
            instance.schedule.forget(device);
            let Some(mut earlier) = earlier else { return Ok(SessionGrant::default()) };
            let began = end(instance).await?;
            locate(instance, &mut earlier, began).await?;
            return Ok(go_on(instance, session, earlier, Began { stream, at: began }, 0).await);
        }
        let since_ms = session.since.unix_ms();
        let began = end(instance).await?;
        let mut form = KeptSession::new(holder.clone(), &owner, since_ms, expiry_s, began);
        if let Some(earlier) = &mut earlier {
            locate(instance, earlier, began).await?;
            (form.after, form.filters) = (earlier.after, earlier.filters.clone());
        }
        let revision = match put(instance, &key, revision, form.write()).await {
            Ok(revision) => revision,
            Err(PutError::Conflict) => continue,
            // It may have been stored all the same: then the next connection finds it and takes it for a promise.
            Err(error) => match get(instance, &key).await {
                Ok(Some(found)) if KeptSession::read(&found.body).is_ok_and(|found| found == form) => found.revision,
                Ok(_) | Err(_) => return Err(error),
            },
        };
        instance.schedule.keeps(device, owner, session.since);
        *session.persistence.start().document.lock().await = Some(Written { form, revision });
        return Ok(match earlier {
            Some(earlier) => go_on(instance, session, earlier, Began { stream, at: began }, expiry_s).await,
            None => SessionGrant { present: false, expiry_s, subscriptions: Vec::new() },
        });
    }
    Err(PutError::Conflict)
}

async fn get(instance: &Instance, key: &DocumentKey) -> Result<Option<Document>, BackboneError> {
    match instance.backbone.documents.get(&instance.log, key).await {
        Err(BackboneError::StreamDiffers { .. }) => {
            instance.backbone.documents.open_sessions(&instance.log).await?;
            instance.backbone.documents.get(&instance.log, key).await
        }
        other => other,
    }
}

async fn end(instance: &Instance) -> Result<MessageCursor, BackboneError> {
    match instance.routed.up_to() {
        Some(cursor) => Ok(cursor),
        None => instance.backbone.messages.end(&instance.id).await,
    }
}

/// A stream that ends before where a session had come was made again: all that it holds came later.
async fn locate(instance: &Instance, earlier: &mut KeptSession, began: MessageCursor) -> Result<(), BackboneError> {
    // Another connector may have routed more than this one has.
    if began.covers(&earlier.after) || instance.backbone.messages.end(&instance.id).await?.covers(&earlier.after) {
        return Ok(());
    }
    tracing::warn!(instance = %instance.id, "a session has come further than the message stream: it goes on at its beginning");
    earlier.after = MessageCursor::START;
    earlier.filters.iter_mut().for_each(|filter| filter.after = None);
    Ok(())
}

/// The earlier session, if the client wants it to go on, and it is the same device's, with the same certificate and client
/// id, and not over.
fn goes_on(instance: &Instance, holder: &Holder, connect: &Connect, found: &Document) -> Option<KeptSession> {
    let earlier = match KeptSession::read(&found.body) {
        Ok(earlier) => earlier,
        Err(reason) => {
            tracing::error!(instance = %instance.id, reason, "a kept session cannot be read; it does not go on");
            return None;
        }
    };
    let goes_on = !connect.clean_start && earlier.holder == *holder && instance.clock.unix_ms() < earlier.over_at_ms();
    goes_on.then_some(earlier)
}

/// The session catches up from where it was, with those of its filters that policies still allow.
async fn go_on(
    instance: &Instance,
    session: &Arc<Session>,
    earlier: KeptSession,
    began: Began,
    expiry_s: u32,
) -> SessionGrant {
    if let Some(before) = earlier.owner() {
        discard_delayed_will(instance, &session.device.device, before).await;
    }
    // A session that is not kept goes on all the same, for as long as this connection lasts. What is routed by its filters
    // is for it from when they are in the table, and is not given to it before what came earlier.
    let state = session.persistence.start();
    state.resume(earlier.after, began.at, Vec::new());
    let requests: Vec<_> =
        earlier.filters.iter().map(|kept| FilterRequest { filter: kept.filter.clone(), qos: kept.qos }).collect();
    let outcomes = authorize_subscribe(instance, session, &requests);
    let granted = earlier.filters.into_iter().zip(outcomes).filter(|(_, outcome)| *outcome == FilterOutcome::Granted);
    let filters: Vec<_> = granted.map(|(kept, _)| kept).collect();
    let subscription =
        |kept: &KeptFilter| Subscription { filter: kept.filter.as_str().into(), qos: kept.qos, no_local: kept.no_local };
    let subscriptions = filters.iter().map(subscription).collect();
    state.resume(earlier.after, began.at, filters);
    instance.routed.add(session, began.stream);
    SessionGrant { present: true, expiry_s, subscriptions }
}
