//! Gives sessions that were away what came meanwhile.
//!
//! One reading of the stream at a time, for all that wait for it: a fleet that returns at once costs no more readings than
//! one device. Whoever does not take what it is given is left behind, where it is, and waits for the next.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rollcall_log::{
    BackboneError,
    messages::{Lane, MessageCursor, MessagesOf, Replayed, StoredMessage},
    repeats::Repeats,
};

use super::state::Reading;
use crate::{
    instance::Instance,
    metrics::metrics,
    sessions::{mailbox::Put, session::Session},
};

/// Between two readings: where messages come without end, one reading follows the other until it has caught up.
const PAUSE: Duration = Duration::from_millis(10);

/// Reads for whoever waits until the future is dropped.
pub(crate) async fn run(instance: &Instance) {
    let (repeats, mut retry, mut routing) = (Repeats::default(), instance.retry(), instance.routing.subscribe());
    loop {
        let sessions = instance.routed.ready();
        if sessions.is_empty() {
            instance.routed.more().await;
            continue;
        }
        // Before messages are routed there is nothing to catch up with. Its sender is the instance's.
        if routing.wait_for(|routing| *routing).await.is_err() {
            return;
        }
        match read(instance, sessions).await {
            Ok(()) => {
                retry.succeeded();
                repeats.recovered();
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                if let Some(left_out) = repeats.failed(&error) {
                    tracing::warn!(
                        instance = %instance.id, %error, left_out,
                        "what came while sessions were away cannot be read; trying again"
                    );
                }
                retry.pause().await;
            }
        }
    }
}

async fn read(instance: &Instance, sessions: Vec<Arc<Session>>) -> Result<(), BackboneError> {
    let behind = |session: &Arc<Session>| match session.persistence.reading() {
        Reading::Behind(after) => Some(after),
        Reading::Live | Reading::LiveAfter(_) => None,
    };
    let Some(after) = sessions.iter().filter_map(behind).reduce(MessageCursor::earlier) else { return Ok(()) };
    let spaces = sessions.iter().map(|session| session.device.space.clone()).collect();
    let mut reading: HashMap<u64, Arc<Session>> = sessions.into_iter().map(|session| (session.number, session)).collect();
    let mut replay =
        instance.backbone.messages.replay(&instance.id, &[Lane::Peer], &MessagesOf::Spaces(spaces), after).await?;
    while let Some(next) = replay.recv().await {
        match next? {
            Replayed::Message(stored) => {
                let (stored, message) = (Arc::new(stored.clone()), stored.message);
                for session in instance.sessions.subscribers(&message.space, &message.topic) {
                    if reading.contains_key(&session.number) && !give(instance, &session, &stored) {
                        reading.remove(&session.number);
                    }
                }
                if reading.is_empty() {
                    return Ok(());
                }
            }
            Replayed::End(cursor) => {
                reading.values().for_each(|session| instance.routed.hand_over(session, cursor));
                return Ok(());
            }
        }
    }
    Err(BackboneError::Unavailable {
        attempted: format!("reading what came in instance {} while sessions were away", instance.id),
        reason: "it ended early".to_owned(),
    })
}

/// Gives a session a message; `false` if it takes no more for now.
fn give(instance: &Instance, session: &Session, stored: &Arc<StoredMessage>) -> bool {
    let (Some(state), Reading::Behind(mut after)) = (session.persistence.get(), session.persistence.reading()) else {
        return false;
    };
    if after.covers(&stored.position.into()) {
        return true;
    }
    if stored.message.qos > 0 {
        let backlog_max = instance.routed.limits.backlog_max;
        match state.count_backlog() {
            count if count <= backlog_max => match session.mailbox.try_put(stored.clone()) {
                Put::Taken => metrics().delivered(),
                Put::Full | Put::Closed => return false,
            },
            count if count == backlog_max + 1 => tracing::warn!(
                instance = %instance.id, device = %session.device.device, backlog_max,
                "more came while a session was away than it is given; the rest is left out"
            ),
            _ => {}
        }
    }
    after.advance(stored.position);
    state.set_reading(Reading::Behind(after));
    true
}
