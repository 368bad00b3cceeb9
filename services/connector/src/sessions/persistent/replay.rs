//! Gives sessions that were away what came meanwhile.
//!
//! One reading of the stream at a time, for all that wait for it: a fleet that returns at once costs no more readings than
//! one device. Whoever does not take what it is given is left behind, where it is, and waits for the next; what only that one
//! would have had of the stream is not read on.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rollcall_log::{
    BackboneError,
    messages::{Lane, MessageCursor, MessagesOf, Replayed, StoredMessage},
    repeats::Repeats,
};
use tokio::sync::mpsc;

use super::state::{Due, PASSED_MESSAGES_MAX, Reading};
use crate::{
    instance::Instance,
    metrics::metrics,
    sessions::{mailbox::Put, session::Session},
};

/// Between two readings: where messages come without end, one reading follows the other until it has caught up.
const PAUSE: Duration = Duration::from_millis(10);
/// Messages after which sessions are handed over that have come far enough. Where messages come without end, the end of the
/// stream is not waited for. Fewer than are kept for a session of what is routed past it.
const MESSAGES_PER_HAND_OVER: usize = PASSED_MESSAGES_MAX / 2;

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

async fn read(instance: &Instance, mut sessions: Vec<Arc<Session>>) -> Result<(), BackboneError> {
    // Those whose mailbox was full may need nothing but what was kept for them.
    sessions.retain(|session| !instance.routed.hand_over(session, MessageCursor::START));
    let mut reading: HashMap<u64, Arc<Session>> = sessions.into_iter().map(|session| (session.number, session)).collect();
    while let Some(after) = reading.values().filter_map(|session| behind(session)).reduce(MessageCursor::earlier) {
        let spaces = reading.values().map(|session| session.device.space.clone()).collect();
        let of = MessagesOf::Spaces(spaces);
        let replay = instance.backbone.messages.replay(&instance.id, &[Lane::Peer], &of, after).await?;
        if read_on(instance, &mut reading, replay, after).await? == Outcome::End {
            break;
        }
    }
    Ok(())
}

fn behind(session: &Session) -> Option<MessageCursor> {
    match session.persistence.reading() {
        Reading::Behind(after) => Some(after),
        Reading::Live | Reading::LiveAfter(_) => None,
    }
}

/// How far a reading has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything has been read, or nobody waits for more of it.
    End,
    /// Whoever was furthest behind takes no more for now. What comes next is for nobody else: the others are further on.
    OthersAreFurther,
}

async fn read_on(
    instance: &Instance,
    reading: &mut HashMap<u64, Arc<Session>>,
    mut replay: mpsc::Receiver<Result<Replayed, BackboneError>>,
    mut read: MessageCursor,
) -> Result<Outcome, BackboneError> {
    let mut messages = 0;
    while let Some(next) = replay.recv().await {
        match next? {
            Replayed::Message(stored) => {
                let stored = Arc::new(stored);
                let before = reading.len();
                for session in instance.sessions.subscribers(&stored.message.space, &stored.message.topic) {
                    if reading.contains_key(&session.number) && !give(instance, &session, &stored) {
                        reading.remove(&session.number);
                    }
                }
                read.advance(stored.position);
                messages += 1;
                if messages % MESSAGES_PER_HAND_OVER == 0 {
                    reading.retain(|_, session| !instance.routed.hand_over(session, read));
                }
                if reading.is_empty() {
                    return Ok(Outcome::End);
                }
                let is_further = |session: &Arc<Session>| behind(session).is_none_or(|at| at != read && at.covers(&read));
                if reading.len() < before && reading.values().all(is_further) {
                    return Ok(Outcome::OthersAreFurther);
                }
            }
            Replayed::End(cursor) => {
                for session in reading.values() {
                    instance.routed.hand_over(session, cursor);
                }
                return Ok(Outcome::End);
            }
        }
    }
    Err(BackboneError::Unavailable {
        attempted: format!("reading what came in instance {} while sessions were away", instance.id),
        reason: "it ended early".to_owned(),
    })
}

/// Gives a session a message if it is for it; `false` if the session takes no more for now.
fn give(instance: &Instance, session: &Session, stored: &Arc<StoredMessage>) -> bool {
    let Some(state) = session.persistence.get() else { return false };
    let backlog_max = instance.routed.limits.backlog_max;
    let due = state.due(stored, backlog_max);
    match due {
        Due::NotBehind => return false,
        Due::Nothing => {}
        Due::Give => match session.mailbox.try_put(stored.clone()) {
            Put::Taken => metrics().delivered(),
            Put::Full | Put::Closed => return false,
        },
        Due::TooMany { first: true } => tracing::warn!(
            instance = %instance.id, device = %session.device.device, backlog_max,
            "more came while a session was away than it is given; the rest is left out"
        ),
        Due::TooMany { first: false } => {}
    }
    state.has_read(stored.position, due == Due::Give);
    true
}
