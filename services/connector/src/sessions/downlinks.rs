//! Takes messages from the instance's message stream to the sessions that receive them: from the platform to one
//! device, and between devices of one resource space.
//!
//! Every connector follows the same stream, so a message reaches each subscriber exactly once, wherever it is connected.
//! Invariant: a device gets no message of another device's topics, of another resource space, or from before its session.

use std::sync::Arc;

use rollcall_backbone::{
    BackboneError,
    messages::{Lane, MessageCursor, StoredMessage},
    repeats::Repeats,
};
use rollcall_domain::policy::TopicScope;

use crate::{
    instance::{BACKBONE_RETRY_DELAY, Instance},
    metrics::metrics,
    sessions::session::Session,
};

/// How far the clocks of this connector and of the message stream may be apart, milliseconds: a message that is older
/// than a session by more was not meant for it.
const CLOCKS_APART_MS_MAX: i64 = 5_000;

/// Routes until the future is dropped.
pub(crate) async fn run(instance: &Instance) {
    // After an interruption reading resumes where it stopped: QoS 1 subscribers are owed what came meanwhile.
    let mut after = None;
    let repeats = DownlinkRepeats::default();
    loop {
        if let Err(error) = follow(instance, &mut after, &repeats).await {
            if let Some(left_out) = repeats.following.failed(&error) {
                tracing::warn!(instance = %instance.id, %error, left_out, "messages cannot be followed; trying again");
            }
            // A stream that was created again has other positions.
            if matches!(error, BackboneError::Damaged { .. }) {
                after = None;
            }
        }
        tokio::time::sleep(BACKBONE_RETRY_DELAY).await;
    }
}

/// What has been said of failures.
#[derive(Default)]
struct DownlinkRepeats {
    following: Repeats,
    misaddressed: Repeats,
}

async fn follow(
    instance: &Instance,
    after: &mut Option<MessageCursor>,
    repeats: &DownlinkRepeats,
) -> Result<(), BackboneError> {
    let messages = &instance.backbone.messages;
    let opened = messages.open(&instance.id).await;
    let followed = messages.follow(&instance.id, &[Lane::Down, Lane::Lateral], *after).await;
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
    instance.routing.send_replace(true);
    if repeats.following.recovered() {
        tracing::info!(instance = %instance.id, "messages are followed again");
    }
    let ended = async {
        while let Some(message) = messages.recv().await {
            let message = message?;
            after.get_or_insert_default().advance(message.position);
            route(instance, Arc::new(message), &repeats.misaddressed);
        }
        Ok(())
    };
    let ended = ended.await;
    instance.routing.send_replace(false);
    ended
}

fn route(instance: &Instance, stored: Arc<StoredMessage>, misaddressed: &Repeats) {
    let message = &stored.message;
    match message.lane {
        Lane::Down => match instance.sessions.of(&message.device) {
            Some(session) if is_own(&session, &stored) => put(&session, &stored),
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
        Lane::Lateral => {
            for session in instance.sessions.subscribers(&message.space, &message.topic) {
                put(&session, &stored);
            }
        }
        Lane::Up => {}
    }
}

fn is_own(session: &Session, stored: &StoredMessage) -> bool {
    session.device.space == stored.message.space && matches!(session.scope(&stored.message.topic), TopicScope::OwnSystem(_))
}

fn put(session: &Arc<Session>, stored: &Arc<StoredMessage>) {
    if stored.stored_at_ms.saturating_add(CLOCKS_APART_MS_MAX) < session.since.unix_ms() {
        return;
    }
    if session.mailbox.put(stored.clone()) {
        metrics().delivered();
    }
}
