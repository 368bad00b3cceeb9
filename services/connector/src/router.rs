//! Takes messages from the instance's message stream to the sessions that are to get them: from the platform to one
//! device, and between devices of one resource space.
//!
//! Every connector follows the same stream, so a message reaches each subscriber exactly once, wherever it is connected.
//! Invariant: a device gets no message of another device's topics, of another resource space, or from before its session.

use std::{sync::Arc, time::Duration};

use rollcall_backbone::{
    BackboneError,
    messages::{Lane, MessageCursor, StoredMessage},
};
use rollcall_domain::policy::TopicScope;

use crate::{instance::Instance, metrics::metrics, sessions::Session};

/// How long to wait before following again.
const AGAIN: Duration = Duration::from_millis(500);
/// How far the clocks of this connector and of the message stream may be apart, milliseconds: a message that is older
/// than a session by more was not meant for it.
const CLOCKS_APART_MS_MAX: i64 = 5_000;

/// Routes until the future is dropped.
pub(crate) async fn run(instance: &Instance) {
    // After an interruption the rest follows, not only what comes from then on: subscribers at QoS 1 are owed it.
    let mut after = None;
    loop {
        if let Err(error) = follow(instance, &mut after).await {
            tracing::warn!(instance = %instance.id, %error, "messages cannot be followed; trying again");
            // A stream that was made anew has other positions.
            if matches!(error, BackboneError::Damaged { .. }) {
                after = None;
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn follow(instance: &Instance, after: &mut Option<MessageCursor>) -> Result<(), BackboneError> {
    let messages = &instance.backbone.messages;
    let opened = messages.open(&instance.id).await;
    let followed = messages.follow(&instance.id, &[Lane::Downlink, Lane::Peer], *after).await;
    let mut messages = match (opened, followed) {
        (Ok(()), followed) => followed?,
        // Not there yet, and not for a connector to make: whatever is in it when it is there comes after the sessions of now.
        (Err(error), Err(BackboneError::Damaged { .. })) => {
            after.get_or_insert(MessageCursor::START);
            return Err(error);
        }
        (Err(error), _) => return Err(error),
    };
    instance.routing.send_replace(true);
    let ended = async {
        while let Some(message) = messages.recv().await {
            let message = message?;
            after.get_or_insert_default().advance(message.position);
            route(instance, Arc::new(message));
        }
        Ok(())
    };
    let ended = ended.await;
    instance.routing.send_replace(false);
    ended
}

fn route(instance: &Instance, stored: Arc<StoredMessage>) {
    let message = &stored.message;
    match message.lane {
        Lane::Downlink => match instance.sessions.of(&message.device) {
            Some(session) if is_own(&session, &stored) => put(&session, &stored),
            Some(_) => tracing::warn!(
                instance = %instance.id, device = %message.device, position = %stored.position,
                "a message was addressed to a topic that is not the device's own; dropped"
            ),
            None => {}
        },
        Lane::Peer => {
            for session in instance.sessions.subscribers(&message.space, &message.topic) {
                put(&session, &stored);
            }
        }
        Lane::Uplink => {}
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
