//! One live stream of uplinks: from the message stream to a client, for as long as the client may see it and reads.
//!
//! Each event's id is the uplink's marker; a client that comes back with the last that it has had, here or at another
//! process, misses nothing and gets nothing twice, as long as the message stream keeps what came meanwhile. Invariants: no
//! message is sent after the caller's right to see it has ended, as far as this process knows; the stream's own end is an
//! event that says why.

use std::{sync::Arc, time::Duration};

use axum::{
    http::HeaderMap,
    response::{Response, sse::Event},
};
use rollcall_domain::ids::{Incarnation, InstanceId};
use rollcall_log::{
    BackboneError,
    messages::{KeptMessages, Lane, MessageCursor, MessagePosition, MessagesOf, StoredMessage},
};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{marker, shown::UplinkShown};
use crate::{
    context::{Caller, InstanceContext},
    http::{
        error::ApiError,
        event_stream::{EventSender, LAST_EVENT_ID, Unsent, event_stream},
    },
    state::Api,
};

/// How often a right that ends by itself, a token's or a session's, is looked at while nothing else happens.
const RECHECK_EVERY: Duration = Duration::from_secs(5);

type Follower = mpsc::Receiver<Result<StoredMessage, BackboneError>>;

/// The first event.
#[derive(Serialize)]
struct Opened {
    /// What comes is after this.
    marker: String,
    /// `false`: messages that came after what was asked for may have been forgotten meanwhile.
    complete: bool,
}

/// The last event.
#[derive(Serialize)]
struct Ended {
    reason: &'static str,
    message: &'static str,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug)]
enum End {
    ClientGone,
    SlowReader,
    RightsEnded,
    InstanceDeleted,
    LogAway,
    ShuttingDown,
}

impl End {
    /// What the client is told; `None`: there is none any more.
    fn told(self) -> Option<Ended> {
        let (reason, message) = match self {
            Self::ClientGone => return None,
            Self::SlowReader => {
                ("slow_reader", "events were not read in time: come back with Last-Event-ID, and read faster")
            }
            Self::RightsEnded => {
                ("rights_ended", "the operator, key, token, session, role or scope that it was opened with has ended")
            }
            Self::InstanceDeleted => ("instance_deleted", "the instance has been deleted"),
            Self::LogAway => ("log_away", "messages cannot be read at the moment: come back with Last-Event-ID"),
            Self::ShuttingDown => ("shutting_down", "this process stops: come back with Last-Event-ID"),
        };
        Some(Ended { reason, message })
    }
}

/// Opens a stream after `Last-Event-ID`, after a marker, or from now on.
///
/// # Errors
/// The header or marker is none, there are too many streams, or messages cannot be read.
pub(super) async fn open(
    context: &InstanceContext,
    of: &MessagesOf,
    after: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let last_event = headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default()).filter(|id| !id.is_empty());
    let asked = last_event.or(after).map(marker::read).transpose()?;
    let (api, instance) = (&context.api, &context.instance.id);
    let slot = api.streams.admit(&context.caller.operator)?;
    let messages = &context.instance.backbone.messages;
    let (after, complete) = beginning(asked, messages.kept(instance).await?);
    // Followed from a position also when it is the end: what comes between then and now is not missed.
    let follower = messages.follow_of(instance, &[Lane::Uplink], of, Some(MessageCursor::from(after))).await?;
    let (sender, response) = event_stream(api.config.limits.stream_stall());
    let live = Live {
        api: Arc::clone(api),
        caller: context.caller.clone(),
        instance: instance.clone(),
        incarnation: api.fleet().fleet.instances.get(instance).map(|instance| instance.incarnation),
    };
    api.streams.serve(slot, async move {
        let end = tokio::select! {
            biased;
            () = live.api.streams.stop.cancelled() => End::ShuttingDown,
            end = live.revoked() => end,
            () = sender.gone() => End::ClientGone,
            end = live.send_all(&sender, follower, Opened { marker: marker::of(after), complete }, after) => end,
        };
        if let Some(told) = end.told() {
            let event = Event::default().event("ended").data(json(&told));
            match end {
                // What a slow reader has not been sent comes when it is back.
                End::RightsEnded | End::InstanceDeleted | End::SlowReader => sender.end_now(event),
                End::ClientGone | End::LogAway | End::ShuttingDown => tokio::select! {
                    biased;
                    () = sender.end(event) => {}
                    () = live.api.streams.stop.cancelled() => {}
                },
            }
        }
    });
    Ok(response)
}

/// After which position to follow, and whether all that came after what was asked for is still there.
fn beginning(asked: Option<MessagePosition>, kept: KeptMessages) -> (MessagePosition, bool) {
    match asked {
        None => (kept.last, true),
        // Of a stream that was lost and made again.
        Some(asked) if asked > kept.last => (kept.last, false),
        Some(asked) => (asked, asked >= kept.after),
    }
}

struct Live {
    api: Arc<Api>,
    caller: Caller,
    instance: InstanceId,
    /// Which of the instances that its id was given to.
    incarnation: Option<Incarnation>,
}

impl Live {
    /// Why the caller may not see it any more, as far as can be told without reading.
    fn revocation(&self) -> Option<End> {
        let snapshot = self.api.fleet();
        // While the fleet's log is read anew, nobody is missing for not having been read yet.
        if !snapshot.caught_up {
            return None;
        }
        let incarnation = snapshot.fleet.instances.get(&self.instance).map(|instance| instance.incarnation);
        if incarnation.is_none() || incarnation != self.incarnation {
            return Some(End::InstanceDeleted);
        }
        (!self.caller.holds_by_the_fleet(&snapshot.fleet, self.api.now())).then_some(End::RightsEnded)
    }

    /// Returns when the caller may not see it any more.
    async fn revoked(&self) -> End {
        let mut fleet = self.api.fleet.clone();
        loop {
            fleet.mark_unchanged();
            if let Some(end) = self.revocation() {
                return end;
            }
            let snapshot = self.api.fleet();
            if snapshot.caught_up && !self.caller.still_holds(&self.api, &snapshot.fleet).await {
                return End::RightsEnded;
            }
            match tokio::time::timeout(RECHECK_EVERY, fleet.changed()).await {
                Ok(Ok(())) | Err(_) => {}
                // Nothing publishes the fleet any more.
                Ok(Err(_)) => return End::ShuttingDown,
            }
        }
    }

    /// Sends what is followed, until something ends it.
    async fn send_all(&self, sender: &EventSender, mut follower: Follower, opened: Opened, after: MessagePosition) -> End {
        let first = Event::default().event("opened").id(&opened.marker).data(json(&opened));
        let mut sent = sender.send(first, 0).await;
        loop {
            match sent {
                Ok(()) => {}
                Err(Unsent::Gone) => return End::ClientGone,
                Err(Unsent::Stalled) => return End::SlowReader,
            }
            let stored = match follower.recv().await {
                // A cursor says where one stream is read from; of the other, what came before comes again.
                Some(Ok(stored)) if stored.position <= after => continue,
                Some(Ok(stored)) => stored,
                Some(Err(error)) => {
                    tracing::warn!(instance = %self.instance, %error, "uplinks cannot be followed any more");
                    return End::LogAway;
                }
                None => return End::LogAway,
            };
            if let Some(end) = self.revocation() {
                return end;
            }
            let text = json(&UplinkShown::of(&stored));
            let bytes = text.len();
            let event = Event::default().event("uplink").id(marker::of(stored.position)).data(text);
            sent = sender.send(event, bytes).await;
        }
    }
}

/// What is sent here has no map with keys that are not texts, so it is JSON.
fn json(said: &impl Serialize) -> String {
    serde_json::to_string(said).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_begins_where_it_was_asked_to_or_says_that_something_is_missing() {
        let at = |sequence| MessagePosition::sharded(3, sequence);
        let kept = KeptMessages { after: at(10), last: at(20) };
        assert_eq!(beginning(None, kept), (at(20), true));
        assert_eq!(beginning(Some(at(15)), kept), (at(15), true));
        assert_eq!(beginning(Some(at(10)), kept), (at(10), true));
        assert_eq!(beginning(Some(at(9)), kept), (at(9), false));
        assert_eq!(beginning(Some(at(21)), kept), (at(20), false));
        assert_eq!(beginning(Some(MessagePosition::own(99)), kept), (MessagePosition::own(99), false));
    }
}
