//! From the shards of requests to the logs that this process serves: one consumer of a shard is pulled from for all its
//! logs, and what comes is sorted into an inbox for each.
//!
//! There is no task that pulls on its own: whoever takes from a log pulls from its shard, for others too, and at most one
//! of a shard's takers has a request open at the server and waits. Invariants: what was pulled is in an inbox or handed
//! back; what lies in an inbox is handed out only while most of its lease is left, so that a taker who has gone away costs
//! a lease and not a request; a request of a log that nobody here takes from goes back after a pause, which grows, so
//! that it neither comes again at once nor keeps the shard's other logs waiting.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Message,
    jetstream::consumer::{AckPolicy, DeliverPolicy, pull},
};
use bytes::Bytes;
use rollcall_domain::ids::LogId;
use tokio::{
    sync::{Notify, OnceCell, OwnedMutexGuard},
    time::{Instant, sleep_until},
};

use super::{
    connection::Connection,
    pull::{Pulled, pull},
    replay::Place,
    streams, subjects,
};
use crate::{
    BackboneError,
    log::BATCH_RECORDS_MAX,
    requests::{Delivery, Receipt},
};

/// The consumer of a shard, which all registrars share.
const CONSUMER: &str = "registrar";
/// Requests that lie in one inbox: as many as a registrar rules on at a time.
const INBOX_MAX: usize = BATCH_RECORDS_MAX;
/// First pause before a request that nobody here takes is handed out again.
const RETURNED_PAUSE_MIN: Duration = Duration::from_millis(200);
/// Longest pause before a request that nobody here takes is handed out again.
const RETURNED_PAUSE_MAX: Duration = Duration::from_secs(5);
/// What removes a message that nobody can finish.
const TERM: &[u8] = b"+TERM";
/// What hands a message out again at once.
const NAK: &[u8] = b"-NAK";

/// See the file.
pub(super) struct Dispatch {
    connection: Arc<Connection>,
    sources: Mutex<HashMap<String, Arc<Source>>>,
    inboxes: Mutex<HashMap<LogId, Arc<Inbox>>>,
    /// What receipts count their time from.
    began: Instant,
}

/// A stream that requests are pulled from.
struct Source {
    stream: String,
    /// Sources of a lower rank are older.
    rank: u8,
    consumer_is_there: AtomicBool,
    /// Held by whoever has a request open at the server.
    waiting: Arc<tokio::sync::Mutex<()>>,
}

/// What has come for a log that this process serves, oldest first.
#[derive(Default)]
struct Inbox {
    /// Where to pull from; the log's own stream of version 0.1 before the shard.
    sources: OnceCell<Vec<Arc<Source>>>,
    held: Mutex<BTreeMap<(u8, u64), Held>>,
    arrived: Notify,
    takers: AtomicUsize,
    left: Mutex<Option<Instant>>,
}

struct Held {
    delivery: Delivery,
    reply: String,
    came: Instant,
}

/// Somebody takes from the log until this is dropped.
struct Taking<'a>(&'a Inbox);

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        *lock(&self.0.left) = Some(Instant::now());
        self.0.takers.fetch_sub(1, Ordering::AcqRel);
        // Whoever takes next looks by itself; this is for one who waits already.
        self.0.arrived.notify_one();
    }
}

impl Dispatch {
    pub(super) fn new(connection: Arc<Connection>) -> Arc<Self> {
        Arc::new(Self { connection, sources: Mutex::default(), inboxes: Mutex::default(), began: Instant::now() })
    }

    /// See [`crate::requests::RequestQueue::take`].
    pub(super) async fn take(
        self: &Arc<Self>,
        log: &LogId,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, BackboneError> {
        let (max, deadline) = (max.max(1), Instant::now() + wait);
        let inbox = self.inbox(log);
        let _taking = Taking(&inbox);
        let sources = inbox.sources.get_or_try_init(|| self.sources(log)).await?;
        let mut found = self.pull_all(&inbox, sources, max).await?;
        while found.is_empty() && Instant::now() < deadline {
            let waiting = sources.iter().map(|source| Box::pin(self.wait(source, deadline)));
            tokio::select! {
                () = inbox.arrived.notified() => {}
                (waited, _, _) = futures_util::future::select_all(waiting) => waited?,
                () = sleep_until(deadline) => {}
            }
            if inbox.count() > 0 {
                found = self.pull_all(&inbox, sources, max).await?;
            }
        }
        Ok(found)
    }

    /// The subject to acknowledge to, unless the lease has run out: the request may be another's by now.
    pub(super) fn within_lease<'a>(&self, receipt: &'a Receipt) -> Option<&'a str> {
        let (taken_ms, subject) = receipt.0.split_once(':')?;
        let taken = Duration::from_millis(taken_ms.parse().ok()?);
        (self.began.elapsed() < taken + self.lease()).then_some(subject)
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
                found.push(self.source(own, 0));
            }
        }
        found.push(self.source(subjects::requests_stream(shards.of(log)), 1));
        Ok(found)
    }

    fn source(&self, stream: String, rank: u8) -> Arc<Source> {
        let mut sources = lock(&self.sources);
        let source = sources.entry(stream.clone()).or_insert_with(|| {
            Arc::new(Source { stream, rank, consumer_is_there: AtomicBool::new(false), waiting: Arc::default() })
        });
        source.clone()
    }

    /// Up to `max` of what has come. What has lain too long goes back: its taker would not have time to finish it.
    async fn hand_out(&self, inbox: &Inbox, max: usize) -> Vec<Delivery> {
        let (mut found, mut late) = (Vec::new(), Vec::new());
        {
            let mut held = lock(&inbox.held);
            while found.len() < max
                && let Some((_, next)) = held.pop_first()
            {
                if next.came.elapsed() < self.lease() / 2 { found.push(next.delivery) } else { late.push(next.reply) }
            }
            if !held.is_empty() {
                inbox.arrived.notify_one();
            }
        }
        for reply in late {
            self.say(reply, Bytes::from_static(NAK)).await;
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
            let missing = max.saturating_sub(inbox.count());
            if missing > 0
                && let Err(error) = self.pull(source, missing, Duration::ZERO, None).await
                && inbox.count() == 0
            {
                return Err(error);
            }
        }
        Ok(self.hand_out(inbox, max).await)
    }

    /// Waits at the server for the first request of any log of a source; for its turn, if another taker does.
    async fn wait(self: &Arc<Self>, source: &Arc<Source>, deadline: Instant) -> Result<(), BackboneError> {
        let waiting = source.waiting.clone().lock_owned().await;
        let wait = deadline.saturating_duration_since(Instant::now());
        // One only: with more asked for, the server would keep the request open for the rest.
        self.pull(source, 1, wait, Some(waiting)).await
    }

    async fn pull(
        self: &Arc<Self>,
        source: &Arc<Source>,
        max: usize,
        wait: Duration,
        waiting: Option<OwnedMutexGuard<()>>,
    ) -> Result<(), BackboneError> {
        self.declare_consumer(source).await?;
        let (this, source) = (self.clone(), source.clone());
        // In a task of its own: the server leases what it sends, so a taker who has gone away must not make it vanish.
        let pulling = tokio::spawn(async move {
            let _waiting = waiting;
            let Pulled { messages, consumer_is_gone } = pull(&this.connection, &source.stream, CONSUMER, max, wait).await?;
            if consumer_is_gone {
                source.consumer_is_there.store(false, Ordering::Release);
            }
            for message in messages {
                this.sort(&source, message).await;
            }
            Ok(())
        });
        pulling.await.map_err(|_| BackboneError::Closed)?
    }

    /// Makes the registrars' consumer, or gives it this program's lease.
    async fn declare_consumer(&self, source: &Source) -> Result<(), BackboneError> {
        if source.consumer_is_there.load(Ordering::Acquire) {
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
        source.consumer_is_there.store(true, Ordering::Release);
        Ok(())
    }

    /// The inbox of a log, with one taker more.
    fn inbox(&self, log: &LogId) -> Arc<Inbox> {
        let mut inboxes = lock(&self.inboxes);
        let inbox = inboxes.entry(log.clone()).or_default();
        // Under the lock, so that it is not taken for one that nobody takes from.
        inbox.takers.fetch_add(1, Ordering::AcqRel);
        inbox.clone()
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

    /// Puts a request into the inbox of its log, or hands it back. Whoever may publish to the queue may choose a subject,
    /// so one odd message must not hold up the rest.
    async fn sort(&self, source: &Source, message: Message) {
        let stream = &source.stream;
        let Some((reply, place)) = message.reply.as_deref().and_then(|reply| Some((reply.to_owned(), Place::read(reply)?)))
        else {
            tracing::warn!(stream, subject = %message.subject, "a request came without its place; passed over");
            return;
        };
        let request = match subjects::Request::read(&message.subject) {
            Ok(request) => request,
            Err(reason) => {
                tracing::warn!(stream, subject = %message.subject, reason, "a queued message is no request; removed");
                // Not removed, it comes again when its lease has run out.
                return self.say(reply, Bytes::from_static(TERM)).await;
            }
        };
        let Some(inbox) = self.served(&request.log) else { return self.say(reply, returned(place.deliveries)).await };
        let receipt = Receipt(format!("{}:{reply}", self.began.elapsed().as_millis()));
        let subjects::Request { kind, id, .. } = request;
        let delivery = Delivery { kind, id, request: message.payload, receipt };
        let next = Held { delivery, reply: reply.clone(), came: Instant::now() };
        let has_room = {
            let mut held = lock(&inbox.held);
            let key = (source.rank, place.sequence);
            // The same request again has a new lease: it takes the place of the old one.
            let has_room = held.len() < INBOX_MAX || held.contains_key(&key);
            if has_room {
                held.insert(key, next);
            }
            has_room
        };
        if has_room {
            inbox.arrived.notify_one();
        } else {
            self.say(reply, returned(place.deliveries)).await;
        }
    }

    /// Tells the server what becomes of a message. Not told, it comes again when its lease has run out.
    async fn say(&self, reply: String, what: Bytes) {
        let _ = self.connection.client.publish(reply, what).await;
    }
}

impl Inbox {
    /// How many lie in it.
    fn count(&self) -> usize {
        lock(&self.held).len()
    }

    /// Whether somebody takes from the log, or did a short while ago and is ruling on what was taken.
    fn is_served(&self, lease: Duration) -> bool {
        self.takers.load(Ordering::Acquire) > 0 || lock(&self.left).is_some_and(|left| left.elapsed() < lease)
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
