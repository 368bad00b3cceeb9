//! Takes messages from the instance's message stream to the sessions that receive them: from the platform to one
//! device, and between devices of one resource space.
//!
//! Every connector follows the same stream, so a message reaches each subscriber exactly once, wherever it is connected.
//! Invariant: a device gets no message on another device's own topics, of another resource space, or from before its session.

use std::sync::Arc;

use rollcall_domain::policy::TopicScope;
use rollcall_log::{
    BackboneError,
    messages::{Lane, MessageCursor, StoredMessage},
    repeats::Repeats,
    resume::Resume,
};

use crate::{
    instance::Instance,
    metrics::metrics,
    sessions::{persistent::routed::Continuity, session::Session},
};

/// How far the clocks of this connector and of the message stream may be apart, milliseconds: a message that is older
/// than a session by more was not meant for it.
const CLOCKS_APART_MS_MAX: i64 = 5_000;

/// Routes until the future is dropped.
pub(crate) async fn run(instance: &Instance) {
    // After an interruption reading resumes where it stopped: QoS 1 subscribers are owed what came meanwhile.
    let mut after = None;
    let (mut resume, misaddressed) = (instance.resume("messages to devices"), Repeats::default());
    loop {
        let ended = follow(instance, &mut after, &mut resume, &misaddressed).await;
        // A stream that was created again has other positions.
        if matches!(ended, Err(BackboneError::Damaged { .. })) {
            after = None;
        }
        resume.pause(ended).await;
    }
}

async fn follow(
    instance: &Instance,
    after: &mut Option<MessageCursor>,
    resume: &mut Resume,
    misaddressed: &Repeats,
) -> Result<(), BackboneError> {
    let messages = &instance.backbone.messages;
    let opened = messages.open(&instance.id).await;
    if after.is_none() && opened.is_ok() {
        *after = Some(messages.end(&instance.id).await?);
    }
    let followed = messages.follow(&instance.id, &[Lane::Downlink, Lane::Peer], *after).await;
    let mut messages = match (opened, followed) {
        (Ok(()), followed) => followed?,
        // The stream does not exist yet and a connector does not create it. All that it will hold is newer than these
        // sessions.
        (Err(error), Err(BackboneError::Damaged { .. })) => {
            after.get_or_insert(MessageCursor::START);
            return Err(error);
        }
        (Err(error), _) => return Err(error),
    };
    if instance.routed.start(after.unwrap_or(MessageCursor::START)) == Continuity::Lost {
        begin_anew(instance);
    }
    instance.routing.send_replace(true);
    resume.follows();
    let ended = async {
        while let Some(message) = messages.recv().await {
            let message = message?;
            let position = message.position;
            after.get_or_insert_default().advance(position);
            if instance.routed.continues_with(position) == Continuity::Lost {
                begin_anew(instance);
            }
            instance.routed.route(position, || route(instance, Arc::new(message), misaddressed));
        }
        Ok(())
    };
    let ended = ended.await;
    instance.routing.send_replace(false);
    ended
}

/// Positions that sessions have of the stream as it was say nothing of the one that is there now.
fn begin_anew(instance: &Instance) {
    tracing::warn!(instance = %instance.id, "the message stream is another: what it held before cannot be delivered any more");
    instance.sessions.all().iter().for_each(|session| session.persistence.begin_anew());
}

fn route(instance: &Instance, stored: Arc<StoredMessage>, misaddressed: &Repeats) {
    let message = &stored.message;
    match message.lane {
        Lane::Downlink => match instance.sessions.of(&message.device) {
            Some(session) if may_have(&session, &stored) => put(&session, &stored),
            Some(_) => {
                if let Some(left_out) = misaddressed.failed("a topic that is not the device's own") {
                    tracing::warn!(
                        instance = %instance.id, device = %message.device, position = %stored.position, left_out,
                        "a message was addressed to a topic that is not the device's own; dropped"
                    );
                }
            }
            None => {}
        },
        Lane::Peer => {
            for session in instance.sessions.subscribers(&message.space, &message.topic) {
                // One that was away is given what it missed before.
                if session.persistence.takes(&stored) {
                    put(&session, &stored);
                }
            }
        }
        Lane::Uplink => {}
    }
}

/// Of a custom topic it is seen at delivery whether the device has subscribed to it and may.
fn may_have(session: &Session, stored: &StoredMessage) -> bool {
    session.device.space == stored.message.space && session.scope(&stored.message.topic) != TopicScope::Reserved
}

fn put(session: &Arc<Session>, stored: &Arc<StoredMessage>) {
    if stored.stored_at_ms.saturating_add(CLOCKS_APART_MS_MAX) < session.since.unix_ms() {
        return;
    }
    if session.mailbox.put(stored.clone()) {
        metrics().delivered();
    }
}
