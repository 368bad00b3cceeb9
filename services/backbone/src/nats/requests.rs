//! The request queue on JetStream: a work queue stream with one subject for each request id.
//!
//! Invariants: a request is stored only if its subject is empty (expected last sequence of the subject: 0), so a key waits
//! at most once, whatever the connector remembers; what was taken by a caller who has gone away is handed back at once;
//! a message whose subject names no request is removed, and keeps nobody from the others.
//! Taking and finishing are the registrar's; a connector's account can do neither.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use rollcall_domain::ids::{LogId, RequestId};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    connection::Connection,
    pull::{Pulled, pull},
    rulings, streams, subjects, submit,
};
use crate::{
    BackboneError,
    requests::{AnnouncedRuling, Delivery, REQUEST_BYTES_MAX, Receipt, RequestKind, RequestQueue, Submitted},
};

/// The consumer that all registrars share.
pub(super) const CONSUMER: &str = "registrar";
/// Requests that may be taken and unfinished at a time, over all registrars.
const TAKEN_MAX: i64 = 50_000;
/// Acknowledgements under way at a time.
const FINISHING_MAX: usize = 256;
/// What removes a message from a work queue.
const ACK: &[u8] = b"+ACK";
/// What hands a message out again at once.
const NAK: &[u8] = b"-NAK";
/// What removes a message that nobody can finish.
const TERM: &[u8] = b"+TERM";

/// See [`RequestQueue`].
pub(super) struct NatsRequests {
    connection: Arc<Connection>,
    consumers: Mutex<HashSet<LogId>>,
    /// What receipts count their time from.
    began: Instant,
}

impl NatsRequests {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, consumers: Mutex::default(), began: Instant::now() }
    }

    /// Makes the registrars' consumer, or gives it this program's lease.
    async fn declare_consumer(&self, log: &LogId) -> Result<(), BackboneError> {
        if self.consumers.lock().unwrap_or_else(PoisonError::into_inner).contains(log) {
            return Ok(());
        }
        let wanted = pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.connection.config.limits.request_lease,
            max_deliver: -1,
            max_ack_pending: TAKEN_MAX,
            ..pull::Config::default()
        };
        let stream = subjects::requests_stream(log);
        let making = self.connection.jetstream.create_consumer_on_stream(wanted, stream);
        self.connection.within(|| format!("declaring the consumer of the requests of {log}"), making).await?;
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner).insert(log.clone());
        Ok(())
    }

    fn forget_consumer(&self, log: &LogId) {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner).remove(log);
    }

    fn receipt(&self, acknowledge_to: &str) -> Receipt {
        Receipt(format!("{}:{acknowledge_to}", self.began.elapsed().as_millis()))
    }

    /// The subject to acknowledge to, unless the lease has run out: the request may be another's by now.
    fn within_lease<'a>(&self, receipt: &'a Receipt) -> Option<&'a str> {
        let (taken_ms, subject) = receipt.0.split_once(':')?;
        let taken = Duration::from_millis(taken_ms.parse().ok()?);
        (self.began.elapsed() < taken + self.connection.config.limits.request_lease).then_some(subject)
    }

    /// What was taken; `None` for what is no request at all. Whoever may publish to the queue may choose a subject, so one
    /// odd message must not hold up the rest.
    async fn delivery(&self, log: &LogId, message: async_nats::Message) -> Option<Delivery> {
        let Some(reply) = message.reply else {
            tracing::warn!(%log, subject = %message.subject, "a request came without a reply subject; passed over");
            return None;
        };
        match subjects::read_request(&message.subject) {
            Ok((kind, id)) => Some(Delivery { kind, id, request: message.payload, receipt: self.receipt(&reply) }),
            Err(reason) => {
                tracing::warn!(%log, subject = %message.subject, reason, "a queued message is no request; removed");
                // Not removed, it comes again when its lease has run out.
                let _ = self.connection.client.publish(reply, Bytes::from_static(TERM)).await;
                None
            }
        }
    }
}

#[async_trait]
impl RequestQueue for NatsRequests {
    async fn open(&self, log: &LogId) -> Result<(), BackboneError> {
        let wanted = streams::requests(log, &self.connection.config);
        streams::declare(&self.connection, wanted).await.map(|_info| ())
    }

    async fn submit(
        &self,
        log: &LogId,
        kind: RequestKind,
        id: &RequestId,
        request: Bytes,
    ) -> Result<Submitted, BackboneError> {
        if request.len() > REQUEST_BYTES_MAX {
            return Err(BackboneError::LimitReached {
                what: "a request's size in bytes".to_owned(),
                max: REQUEST_BYTES_MAX as u64,
            });
        }
        submit::store(&self.connection, log, kind, id, request).await
    }

    async fn take(&self, log: &LogId, max: usize, wait: Duration) -> Result<Vec<Delivery>, BackboneError> {
        self.declare_consumer(log).await?;
        let (sender, pulled) = oneshot::channel();
        let (connection, stream) = (self.connection.clone(), subjects::requests_stream(log));
        // In a task of its own: the server leases what it sends, so a caller who stops waiting must not make it vanish
        // until the lease runs out.
        tokio::spawn(async move {
            let pulled = pull(&connection, &stream, CONSUMER, max.max(1), wait).await;
            if let Err(Ok(Pulled { messages, .. })) = sender.send(pulled) {
                for subject in messages.into_iter().filter_map(|message| message.reply) {
                    // Not handed back, it comes again when its lease has run out.
                    let _ = connection.client.publish(subject, Bytes::from_static(NAK)).await;
                }
            }
        });
        let pulled = pulled.await.map_err(|_| BackboneError::Closed)??;
        if pulled.consumer_is_gone {
            self.forget_consumer(log);
        }
        let mut deliveries = Vec::with_capacity(pulled.messages.len());
        for message in pulled.messages {
            deliveries.extend(self.delivery(log, message).await);
        }
        Ok(deliveries)
    }

    async fn finish(&self, log: &LogId, receipts: Vec<Receipt>) -> Result<(), BackboneError> {
        let attempted = || format!("finishing requests of {log}");
        // Answered acknowledgements, so that the same id can be queued again when this returns.
        let subjects: Vec<String> =
            receipts.iter().filter_map(|receipt| self.within_lease(receipt)).map(str::to_owned).collect();
        stream::iter(subjects)
            .map(|subject| {
                let answered = self.connection.client.request(subject, Bytes::from_static(ACK));
                self.connection.within(attempted, answered)
            })
            .buffer_unordered(FINISHING_MAX)
            .try_for_each(|_answer| std::future::ready(Ok(())))
            .await
    }

    async fn announce(&self, log: &LogId, rulings: Vec<AnnouncedRuling>) -> Result<(), BackboneError> {
        rulings::announce(&self.connection, log, &rulings).await
    }

    async fn rulings(&self, log: &LogId) -> Result<mpsc::Receiver<AnnouncedRuling>, BackboneError> {
        rulings::listen(&self.connection, log).await
    }
}
