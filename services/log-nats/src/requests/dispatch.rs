//! From the shards of requests to the logs that this process serves: one consumer of a shard is pulled from for all its
//! logs, and what comes is sorted into an inbox for each.
//!
//! There is no task that pulls on its own: a taker of a log pulls from its shard, for others too, and at most one
//! of a shard's takers has a request open at the server and waits. Invariants: what was pulled is in an inbox or handed
//! back; what lies in an inbox is handed out only while most of its lease is left, so that a taker who has gone away costs
//! a lease and not a request; a request of a log that no taker here is for goes back after a pause, which grows, so
//! that it neither comes again at once nor keeps the shard's other logs waiting; what is over its submitter's bound
//! is removed, and what is behind it is pulled.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::{
    Message,
    jetstream::consumer::{AckPolicy, DeliverPolicy, pull},
};
use bytes::Bytes;
use rollcall_domain::ids::LogId;
use rollcall_log::{
    BackboneError,
    requests::{Delivery, Receipt, counted_on},
};
use tokio::{
    sync::OwnedMutexGuard,
    time::{Instant, sleep_until},
};

use crate::{
    connection::Connection,
    requests::{
        bound::{self, Bound},
        inbox::{Inbox, Taking, Waiting},
        source::Source,
    },
    streams::{
        self,
        pull::{Pulled, pull},
        replay::Place,
    },
    subjects::{self, shards::Shard},
};

/// The consumer of a shard, which all registrars share.
const CONSUMER: &str = "registrar";
/// Pulls in a row for one taker, when what they brought was over its submitters' bounds. Then what was found is handed out, however
/// much is submitted meanwhile.
const PULLS_MAX: usize = 64;
/// The longest time that one request to the server stays open is one part in so many of a lease.
const WAIT_PARTS: u32 = 4;
/// First pause before a request without a taker here is handed out again.
const RETURNED_PAUSE_MIN: Duration = Duration::from_millis(200);
/// Longest pause before a request without a taker here is handed out again.
const RETURNED_PAUSE_MAX: Duration = Duration::from_secs(5);
/// What removes a message that no taker can finish.
const TERM: &[u8] = b"+TERM";
/// What hands a message out again at once.
const NAK: &[u8] = b"-NAK";

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sorted {
    /// It is in an inbox.
    Kept,
    /// It, or one whose place it took, comes again later.
    Back,
    /// It is gone for good.
    Removed,
}

/// See the file.
pub(super) struct Dispatch {
    connection: Arc<Connection>,
    sources: Mutex<HashMap<String, Arc<Source>>>,
    inboxes: Mutex<HashMap<LogId, Arc<Inbox>>>,
    bound: Bound,
    /// What receipts count their time from.
    began: Instant,
}

impl Dispatch {
    pub(super) fn new(connection: Arc<Connection>) -> Arc<Self> {
        let (bound, began) = (Bound::new(&connection.config.limits), Instant::now());
        Arc::new(Self { connection, sources: Mutex::default(), inboxes: Mutex::default(), bound, began })
    }

    /// See [`rollcall_log::requests::RequestQueue::take`].
    pub(super) async fn take(
        self: &Arc<Self>,
        log: &LogId,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, BackboneError> {
        let (max, deadline) = (max.max(1), Instant::now() + wait);
        let (inbox, _taking) = self.inbox(log);
        let sources = inbox.sources.get_or_try_init(|| self.sources(log)).await?;
        let mut found = self.pull_all(&inbox, sources, max).await?;
        while found.is_empty() && Instant::now() < deadline {
            let waiting = sources.iter().map(|source| Box::pin(self.wait(source, deadline)));
            let removed = tokio::select! {
                () = inbox.arrived.notified() => 0,
                (waited, _, _) = futures_util::future::select_all(waiting) => waited?,
                () = sleep_until(deadline) => 0,
            };
            if removed > 0 || inbox.count() > 0 {
                found = self.pull_all(&inbox, sources, max).await?;
            }
        }
        Ok(found)
    }

    /// The subject to acknowledge to, unless so little of the lease may be left that the request may be another's by now.
    pub(super) fn within_lease<'a>(&self, receipt: &'a Receipt) -> Option<&'a str> {
        let (asked_ms, subject) = receipt.0.split_once(':')?;
        let asked = Duration::from_millis(asked_ms.parse().ok()?);
        (self.began.elapsed() < asked + counted_on(self.lease())).then_some(subject)
    }

    fn lease(&self) -> Duration {
        self.connection.config.limits.request_lease
    }

    /// The shard, and the stream that the log had of its own, if version 0.1 made one.
    async fn sources(&self, log: &LogId) -> Result<Vec<Arc<Source>>, BackboneError> {
        let shards = self.connection.shards().await?;
        let mut found = Vec::new();
        if shards.since_0_1 {
            let own = subjects::own::requests_stream(log);
            let looking = || format!("looking for the requests of {log} of version 0.1");
            if streams::info(&self.connection, &own, looking).await?.is_some() {
                found.push(self.source(own, 0, None));
            }
        }
        let shard = shards.of(log);
        found.push(self.source(subjects::requests_stream(shard), 1, Some(shard)));
        Ok(found)
    }

    fn source(&self, stream: String, rank: u8, shard: Option<Shard>) -> Arc<Source> {
        let mut sources = lock(&self.sources);
        sources.entry(stream.clone()).or_insert_with(|| Arc::new(Source::new(stream, rank, shard))).clone()
    }

    /// Up to `max` of what has come. What has lain too long goes back: its taker would not have time to finish it.
    async fn hand_out(&self, inbox: &Inbox, max: usize) -> Vec<Delivery> {
        let (found, late) = inbox.take(max, self.lease() / 2);
        for late in late {
            self.say(late.reply, Bytes::from_static(NAK)).await;
        }
        found
    }

    /// What is in the inbox, filled up from the sources. Nothing is out of the inbox while the server is asked: a taker
    /// that goes away meanwhile leaves it to the next.
    async fn pull_all(
        self: &Arc<Self>,
        inbox: &Inbox,
        sources: &[Arc<Source>],
        max: usize,
    ) -> Result<Vec<Delivery>, BackboneError> {
        for source in sources {
            for _ in 0..PULLS_MAX {
                let missing = max.saturating_sub(inbox.count());
                if missing == 0 {
                    break;
                }
                match self.pull(source, missing, Duration::ZERO, None).await {
                    Ok(removed) if removed > 0 => {}
                    Ok(_all_in_inboxes) => break,
                    Err(error) if inbox.count() == 0 => return Err(error),
                    Err(_others_first) => break,
                }
            }
        }
        Ok(self.hand_out(inbox, max).await)
    }

    /// Waits at the server for the first request of any log of a source; for its turn, if another taker does. Returns how many it
    /// removed.
    async fn wait(self: &Arc<Self>, source: &Arc<Source>, deadline: Instant) -> Result<usize, BackboneError> {
        let waiting = source.waiting.clone().lock_owned().await;
        // A lease counts from when the server was asked, since when it began is not known: so it is not asked for long.
        let wait = deadline.saturating_duration_since(Instant::now()).min(self.lease() / WAIT_PARTS);
        // One only: with more asked for, the server would keep the request open for the rest.
        self.pull(source, 1, wait, Some(waiting)).await
    }

    /// Pulls into the inboxes; returns how many of what came were over their submitters' bounds.
    async fn pull(
        self: &Arc<Self>,
        source: &Arc<Source>,
        max: usize,
        wait: Duration,
        waiting: Option<OwnedMutexGuard<()>>,
    ) -> Result<usize, BackboneError> {
        self.declare_consumer(source).await?;
        let (this, source) = (self.clone(), source.clone());
        // In a task of its own: the server leases what it sends, so a taker who has gone away must not make it vanish.
        let pulling = tokio::spawn(async move {
            let _waiting = waiting;
            let asked = Instant::now();
            let Pulled { messages, consumer_is_gone } = pull(&this.connection, &source.stream, CONSUMER, max, wait).await?;
            if consumer_is_gone {
                source.set_consumer(false);
            }
            this.count_excess(&source, messages.last()).await;
            let mut removed = 0;
            for message in messages {
                removed += usize::from(this.sort(&source, message, asked).await == Sorted::Removed);
            }
            Ok(removed)
        });
        pulling.await.map_err(|_| BackboneError::Closed)?
    }

    /// Counts what waits beyond submitters' shares, if so much waits behind what was pulled last that a submitter may have more.
    async fn count_excess(&self, source: &Source, last: Option<&Message>) {
        let place = last.and_then(|message| Place::read(message.reply.as_deref()?));
        let (Some(place), Some(shard)) = (place, source.shard) else { return };
        let share = self.connection.config.limits.shards.requests_of_submitter;
        if lock(&source.excess).is_due(place.pending, share) {
            bound::count(&self.connection, shard, &source.excess).await;
        }
    }

    /// Makes the registrars' consumer, or gives it this program's lease.
    async fn declare_consumer(&self, source: &Source) -> Result<(), BackboneError> {
        if source.has_consumer() {
            return Ok(());
        }
        let limits = &self.connection.config.limits;
        let wanted = pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: limits.request_lease,
            max_deliver: -1,
            // As many as can wait: one log's requests that come again and again must not use up what others have.
            max_ack_pending: i64::try_from(limits.requests_waiting).unwrap_or(-1),
            ..pull::Config::default()
        };
        let making = self.connection.jetstream.create_consumer_on_stream(wanted, source.stream.as_str());
        self.connection.within(|| format!("declaring the consumer of stream {}", source.stream), making).await?;
        source.set_consumer(true);
        Ok(())
    }

    /// The inbox of a log, with one taker more.
    fn inbox(&self, log: &LogId) -> (Arc<Inbox>, Taking) {
        let mut inboxes = lock(&self.inboxes);
        let inbox = inboxes.entry(log.clone()).or_default();
        // Under the lock, so that it is not taken for one without a taker.
        (inbox.clone(), inbox.taking())
    }

    /// The inbox of a log that is taken from here; one that is not taken from any more goes away.
    fn served(&self, log: &LogId) -> Option<Arc<Inbox>> {
        let mut inboxes = lock(&self.inboxes);
        let inbox = inboxes.get(log)?;
        if inbox.is_served(self.lease()) {
            return Some(inbox.clone());
        }
        inboxes.remove(log);
        None
    }

    /// Puts a request into the inbox of its log, removes it, or hands it back. The server was asked for it at `asked`. Whoever may publish to the queue may choose a subject,
    /// so one odd message must not hold up the rest.
    async fn sort(&self, source: &Source, message: Message, asked: Instant) -> Sorted {
        let stream = &source.stream;
        let Some((reply, place)) = message.reply.as_deref().and_then(|reply| Some((reply.to_owned(), Place::read(reply)?)))
        else {
            if let Some(left_out) = self.connection.repeats("requests without a place").failed(stream) {
                tracing::warn!(stream, subject = %message.subject, left_out, "a request came without its place; passed over");
            }
            return Sorted::Back;
        };
        let request = match subjects::Request::read(&message.subject) {
            Ok(request) => request,
            Err(reason) => {
                if let Some(left_out) = self.connection.repeats("messages that are no requests").failed(stream) {
                    tracing::warn!(stream, subject = %message.subject, reason, left_out, "a queued message is no request; removed");
                }
                // Not removed, it comes again when its lease has run out.
                self.say(reply, Bytes::from_static(TERM)).await;
                return Sorted::Removed;
            }
        };
        if !self.bound.admits(&request, place.deliveries, &source.excess) {
            self.say(reply, Bytes::from_static(TERM)).await;
            return Sorted::Removed;
        }
        let Some(inbox) = self.served(&request.log) else {
            self.say(reply, returned(place.deliveries)).await;
            return Sorted::Back;
        };
        let receipt = Receipt(format!("{}:{reply}", (asked - self.began).as_millis()));
        let subjects::Request { kind, id, submitter, .. } = request;
        let delivery = Delivery { kind, id, request: message.payload, receipt };
        let next = Waiting { delivery, submitter, reply, deliveries: place.deliveries, asked };
        match inbox.put((source.rank, place.sequence), next) {
            None => Sorted::Kept,
            Some(evicted) => {
                self.say(evicted.reply, returned(evicted.deliveries)).await;
                Sorted::Back
            }
        }
    }

    /// Tells the server what becomes of a message. Not told, it comes again when its lease has run out.
    async fn say(&self, reply: String, what: Bytes) {
        let _ = self.connection.client.publish(reply, what).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What hands a message out again after a pause, which doubles with each delivery.
fn returned(deliveries: u64) -> Bytes {
    let doubled = u32::try_from(deliveries.saturating_sub(1).min(16)).map_or(1, |n| 1_u32 << n);
    let pause = RETURNED_PAUSE_MIN.saturating_mul(doubled).min(RETURNED_PAUSE_MAX);
    Bytes::from(format!("-NAK {{\"delay\": {}}}", pause.as_nanos()))
}
