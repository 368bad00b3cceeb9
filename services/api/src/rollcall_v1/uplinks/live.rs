//! One live stream of uplinks, from the message stream to a client.
//!
//! Each event's id is the uplink's marker. Invariant: a client that comes back with the last that it has had, here or at another
//! process, misses nothing and gets nothing twice, as long as the message stream keeps what came meanwhile.

use axum::{http::HeaderMap, response::Response};
use rollcall_domain::ids::InstanceId;
use rollcall_log::{
    BackboneError,
    messages::{KeptMessages, Lane, MessageCursor, MessagePosition, MessagesOf, StoredMessage},
};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{marker, shown::UplinkShown};
use crate::{
    context::InstanceContext,
    http::error::ApiError,
    rollcall_v1::live::{self, End, Outlet, Source},
};

/// The first event.
#[derive(Serialize)]
struct Opened {
    /// What comes is after this.
    marker: String,
    /// `false`: messages that came after what was asked for may have been forgotten meanwhile.
    complete: bool,
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
    let asked = live::last_event(headers, after).map(marker::read).transpose()?;
    let instance = &context.instance.id;
    let slot = context.api.streams.admit(&context.caller.operator)?;
    let messages = &context.instance.backbone.messages;
    let (after, complete) = beginning(asked, messages.kept(instance).await?);
    // Followed from a position also when it is the end: what comes between then and now is not missed.
    let follower = messages.follow_of(instance, &[Lane::Uplink], of, Some(MessageCursor::from(after))).await?;
    Ok(live::serve(context, slot, Uplinks { instance: instance.clone(), follower, after, complete }))
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

struct Uplinks {
    instance: InstanceId,
    follower: mpsc::Receiver<Result<StoredMessage, BackboneError>>,
    after: MessagePosition,
    complete: bool,
}

impl Source for Uplinks {
    async fn follow(mut self, to: &Outlet<'_>) -> End {
        let marker = marker::of(self.after);
        let mut sent = to.send("opened", &marker, &Opened { marker: marker.clone(), complete: self.complete }).await;
        loop {
            if let Err(end) = sent {
                return end;
            }
            let stored = match self.follower.recv().await {
                // A cursor says where one stream is read from; of the other, what came before comes again.
                Some(Ok(stored)) if stored.position <= self.after => continue,
                Some(Ok(stored)) => stored,
                Some(Err(error)) => {
                    tracing::warn!(instance = %self.instance, %error, "uplinks cannot be followed any more");
                    return End::LogAway;
                }
                None => return End::LogAway,
            };
            sent = to.send("uplink", &marker::of(stored.position), &UplinkShown::of(&stored)).await;
        }
    }
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
