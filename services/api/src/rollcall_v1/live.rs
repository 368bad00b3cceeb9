//! A live stream to one caller: for as long as the caller may see it and reads, and with an end that says why.
//!
//! Does not know what is followed: a [`Source`] does. Invariants: nothing is sent after the caller's right to see it has ended,
//! as far as this process knows, nor once it cannot know any more; the stream's own end is an event.

use std::{sync::Arc, time::Duration};

use axum::{
    http::HeaderMap,
    response::{Response, sse::Event},
};
use rollcall_domain::ids::{Incarnation, InstanceId};
use serde::Serialize;

use crate::{
    context::{Caller, InstanceContext},
    http::event_stream::{EventSender, LAST_EVENT_ID, Unsent, event_stream},
    state::Api,
    streams::StreamSlot,
};

/// How often a right that ends by itself, a token's or a session's, is looked at while nothing else happens.
const RECHECK_EVERY: Duration = Duration::from_secs(5);

/// What is followed.
pub(super) trait Source: Send + 'static {
    /// Sends what comes until something ends it.
    fn follow(self, to: &Outlet<'_>) -> impl Future<Output = End> + Send;
}

/// Where the events of a stream go in.
pub(super) struct Outlet<'a> {
    live: &'a Live,
    sender: &'a EventSender,
}

/// The last event.
#[derive(Serialize)]
struct Ended {
    reason: &'static str,
    message: &'static str,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
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
            Self::LogAway => (
                "log_away",
                "what is followed, or the session that it was opened with, cannot be read at the moment: come back with \
                 Last-Event-ID",
            ),
            Self::ShuttingDown => ("shutting_down", "this process stops: come back with Last-Event-ID"),
        };
        Some(Ended { reason, message })
    }
}

/// The event that the client has had last: as it says in `Last-Event-ID`, else by a marker.
pub(super) fn last_event<'a>(headers: &'a HeaderMap, marker: Option<&'a str>) -> Option<&'a str> {
    headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default()).filter(|id| !id.is_empty()).or(marker)
}

/// Serves a source to the caller, in a place among the streams.
pub(super) fn serve(context: &InstanceContext, slot: StreamSlot, source: impl Source) -> Response {
    let (api, instance) = (&context.api, &context.instance.id);
    let (sender, response) = event_stream(api.config.limits.stream_stall());
    let live = Live {
        api: Arc::clone(api),
        caller: context.caller.clone(),
        instance: instance.clone(),
        incarnation: api.fleet().fleet.instances.get(instance).map(|instance| instance.incarnation),
    };
    api.streams.serve(slot, async move {
        let outlet = Outlet { live: &live, sender: &sender };
        let end = tokio::select! {
            biased;
            () = live.api.streams.stop.cancelled() => End::ShuttingDown,
            end = live.revoked() => end,
            () = sender.gone() => End::ClientGone,
            end = source.follow(&outlet) => end,
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
    response
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
            if snapshot.caught_up {
                match self.caller.still_holds(&self.api, &snapshot.fleet).await {
                    Ok(true) => {}
                    Ok(false) => return End::RightsEnded,
                    // A session that was signed out meanwhile would go on for as long as that lasts.
                    Err(error) => {
                        tracing::warn!(instance = %self.instance, %error, "a stream's session cannot be read");
                        return End::LogAway;
                    }
                }
            }
            match tokio::time::timeout(RECHECK_EVERY, fleet.changed()).await {
                Ok(Ok(())) | Err(_) => {}
                // Nothing publishes the fleet any more.
                Ok(Err(_)) => return End::ShuttingDown,
            }
        }
    }
}

impl Outlet<'_> {
    /// Sends an event, if the caller may still see it.
    ///
    /// # Errors
    /// Why the stream ends instead.
    pub(super) async fn send(&self, name: &'static str, id: &str, said: &(impl Serialize + Sync)) -> Result<(), End> {
        if let Some(end) = self.live.revocation() {
            return Err(end);
        }
        let text = json(said);
        let bytes = text.len();
        let event = Event::default().event(name).id(id).data(text);
        self.sender.send(event, bytes).await.map_err(|unsent| match unsent {
            Unsent::Gone => End::ClientGone,
            Unsent::Stalled => End::SlowReader,
        })
    }
}

/// What is sent here has no map with keys that are not texts, so it is JSON.
fn json(said: &impl Serialize) -> String {
    serde_json::to_string(said).unwrap_or_default()
}
