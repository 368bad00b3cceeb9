//! Reading a stream from a position onward, in order: one push consumer with flow control, for as long as it holds.
//!
//! A [`Replay`] is not a follower. It ends at the first thing that is not as it should be (a missed heartbeat, a lost
//! message, another connection), and a follower opens the next one after the last position it has. So there is one
//! way to recover, the same for a deleted consumer, a restarted server and a slow reader, and it is the way that every
//! follower starts by. The client library's own ordered consumer mends itself out of sight; a log that was lost and
//! made again under it would go unnoticed.

use std::{sync::Arc, time::Duration};

use async_nats::{
    StatusCode, Subscriber,
    jetstream::{
        consumer::{AckPolicy, DeliverPolicy, push},
        stream::Info,
    },
};
use bytes::Bytes;
use futures_util::StreamExt;
use rollcall_log::BackboneError;
use tokio::time::{Instant, timeout_at};

use crate::connection::{Connection, link::lost};

/// How often the server says that it is there when it has nothing to send.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Silence after which a consumer counts as gone.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// How long the server keeps a consumer without a subscriber. Consumers are left to this and never deleted: a
/// connector's account could not be let delete its own without being let delete the registrars'.
const ABANDONED_AFTER: Duration = Duration::from_secs(5);
/// Says in a heartbeat how many messages were delivered.
const LAST_CONSUMER: &str = "Nats-Last-Consumer";
/// Names the subject of a flow control request in a heartbeat to a stalled consumer.
const CONSUMER_STALLED: &str = "Nats-Consumer-Stalled";

/// A message as the stream holds it.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) stored_at_ns: i128,
    /// How many messages the consumer still has to deliver after this one.
    pub(crate) pending: u64,
    pub(crate) message: async_nats::Message,
}

/// Why a replay is over.
#[derive(Debug)]
pub(crate) enum ReplayEnd {
    /// Open another after the last position.
    Again(String),
    /// Reading on would be wrong.
    Final(BackboneError),
}

impl ReplayEnd {
    /// For who does not open another.
    pub(crate) fn unavailable(self, attempted: impl Fn() -> String) -> BackboneError {
        match self {
            Self::Again(reason) => BackboneError::Unavailable { attempted: attempted(), reason },
            Self::Final(error) => error,
        }
    }
}

impl From<BackboneError> for ReplayEnd {
    fn from(error: BackboneError) -> Self {
        match error {
            BackboneError::Unavailable { reason, .. } => Self::Again(reason),
            other => Self::Final(other),
        }
    }
}

/// One consumer's worth of a stream.
pub(crate) struct Replay {
    connection: Arc<Connection>,
    subscription: Subscriber,
    epoch: u64,
    /// Since when a message or heartbeat is waited for, over all calls that did not live to see it: a caller that looks
    /// after other things in between must not make the silence longer, nor one that was slow to ask.
    waiting_since: Option<Instant>,
    stream: String,
    delivered: u64,
    /// What the stream was just before this replay was opened.
    pub(crate) info: Info,
    /// How many messages there were to deliver when it was opened.
    pub(crate) pending: u64,
}

impl Replay {
    /// Starts after `after`, with the messages that match `filter`, of the stream that `info` has just been read of.
    pub(crate) async fn open(
        connection: &Arc<Connection>,
        info: Info,
        filter: &str,
        after: u64,
    ) -> Result<Self, BackboneError> {
        let stream = info.config.name.clone();
        let attempted = || format!("reading stream {stream} after {after}");
        let epoch = connection.link().borrow().epoch;
        let inbox = connection.client.new_inbox();
        let wanted = push::Config {
            deliver_subject: inbox.clone(),
            name: Some(connection.unique()),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            ack_policy: AckPolicy::None,
            max_deliver: 1,
            filter_subject: filter.to_owned(),
            flow_control: true,
            idle_heartbeat: HEARTBEAT,
            inactive_threshold: ABANDONED_AFTER,
            num_replicas: 1,
            memory_storage: true,
            ..push::Config::default()
        };
        let opening = async {
            let subscription = connection.client.subscribe(inbox).await.map_err(|error| error.to_string())?;
            let made = connection.jetstream.create_consumer_on_stream(wanted, &stream).await;
            let made = made.map_err(|error| error.to_string())?;
            Ok::<_, String>((subscription, made.cached_info().num_pending))
        };
        let (subscription, pending) = connection.within(attempted, opening).await?;
        let connection = connection.clone();
        Ok(Self { connection, subscription, epoch, waiting_since: None, stream, delivered: 0, info, pending })
    }

    /// The next message. Safe to drop while waiting.
    pub(crate) async fn next(&mut self) -> Result<Stored, ReplayEnd> {
        loop {
            let message = self.receive().await?;
            if message.status.is_some() {
                self.answer(&message).await?;
                continue;
            }
            let place = message
                .reply
                .as_deref()
                .and_then(Place::read)
                .ok_or_else(|| ReplayEnd::Again(format!("a message without its place came in: {:?}", message.reply)))?;
            if place.delivered != self.delivered + 1 {
                return Err(ReplayEnd::Again(format!("delivery {} came after {}", place.delivered, self.delivered)));
            }
            self.delivered = place.delivered;
            let Place { sequence, stored_at_ns, pending, .. } = place;
            return Ok(Stored { sequence, stored_at_ns, pending, message });
        }
    }

    async fn receive(&mut self) -> Result<async_nats::Message, ReplayEnd> {
        let again = |reason: &str| Err(ReplayEnd::Again(reason.to_owned()));
        let silent_at = *self.waiting_since.get_or_insert_with(Instant::now) + SILENCE_MAX;
        let message = tokio::select! {
            biased;
            message = timeout_at(silent_at, self.subscription.next()) => message,
            () = lost(self.connection.link(), self.epoch) => return again("the connection was lost"),
        };
        match message {
            Ok(Some(message)) => {
                self.waiting_since = None;
                Ok(message)
            }
            Ok(None) => again("the subscription ended"),
            Err(_elapsed) => again("the server has fallen silent"),
        }
    }

    /// Heartbeats say how much was delivered, flow control asks whether it has arrived.
    async fn answer(&mut self, message: &async_nats::Message) -> Result<(), ReplayEnd> {
        if message.status != Some(StatusCode::IDLE_HEARTBEAT) {
            return Err(ReplayEnd::Again(format!("the server ended the consumer: {:?}", message.description)));
        }
        let value = |name: &str| message.headers.as_ref()?.get(name).map(ToString::to_string);
        let asked = message.reply.as_ref().map(ToString::to_string).or_else(|| value(CONSUMER_STALLED));
        if let Some(subject) = asked {
            let attempted = || format!("answering flow control of stream {}", self.stream);
            self.connection.within(attempted, self.connection.client.publish(subject, Bytes::new())).await?;
            return Ok(());
        }
        match value(LAST_CONSUMER).and_then(|delivered| delivered.parse::<u64>().ok()) {
            Some(delivered) if delivered != self.delivered => {
                Err(ReplayEnd::Again(format!("{delivered} were delivered, {} came in", self.delivered)))
            }
            _ => Ok(()),
        }
    }
}

/// What the reply subject of a delivered message says (JetStream ADR-15):
/// `$JS.ACK.<domain>.<account>.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<time>.<pending>`,
/// in short form without domain and account, and with whatever may follow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// How often it has been delivered, this time included.
    pub(crate) deliveries: u64,
    pub(crate) sequence: u64,
    delivered: u64,
    stored_at_ns: i128,
    /// How many messages the consumer had still to deliver after this one.
    pub(crate) pending: u64,
}

impl Place {
    pub(crate) fn read(reply: &str) -> Option<Self> {
        let tokens: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        let numbers = if tokens.len() >= 9 { tokens.get(4..9) } else { tokens.get(2..7) }?;
        let [deliveries, sequence, delivered, stored_at_ns, pending] = numbers else { return None };
        Some(Self {
            deliveries: deliveries.parse().ok()?,
            sequence: sequence.parse().ok()?,
            delivered: delivered.parse().ok()?,
            stored_at_ns: stored_at_ns.parse().ok()?,
            pending: pending.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn places_are_read_in_all_their_forms() {
        let place = Some(Place { deliveries: 1, sequence: 22, delivered: 33, stored_at_ns: 44, pending: 5 });
        assert_eq!(Place::read("$JS.ACK.s.c.1.22.33.44.5"), place);
        assert_eq!(Place::read("$JS.ACK._.hash.s.c.1.22.33.44.5"), place);
        assert_eq!(Place::read("$JS.ACK.domain.hash.s.c.1.22.33.44.5.token.more"), place);
        assert_eq!(Place::read("$JS.ACK.s.c.1"), None);
        assert_eq!(Place::read("$JS.ACK.s.c.1.x.33.44.5"), None);
        assert_eq!(Place::read("_INBOX.a"), None);
    }
}
