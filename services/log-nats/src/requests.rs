//! The request queue on JetStream: shards that are work queues, with one subject for each request.
//!
//! Invariants: a request is stored only if its subject is empty (expected last sequence of the subject: 0), so a key of a submitter waits
//! at most once, whatever the connector remembers; a message whose subject names no request is removed, and keeps no other
//! from the others.
//! Taking and finishing are the registrar's; a connector's account can do neither.
//!
//! Below it: `submit` (into the queue), `dispatch`, `source`, `inbox` and `bound` (out of it), `rulings` (the answers).

mod bound;
mod dispatch;
mod inbox;
mod rulings;
mod source;
mod submit;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use rollcall_domain::ids::{LogId, RequestId};
use rollcall_log::{
    BackboneError,
    requests::{AnnouncedRuling, Delivery, REQUEST_BYTES_MAX, Receipt, RequestKind, RequestQueue, Submitted},
};
use tokio::sync::mpsc;

use super::{connection::Connection, streams};
use dispatch::Dispatch;
use submit::Submissions;

/// Acknowledgements under way at a time.
const FINISHING_MAX: usize = 256;
/// What removes a message from a work queue.
const ACK: &[u8] = b"+ACK";

/// See [`RequestQueue`].
pub(super) struct NatsRequests {
    connection: Arc<Connection>,
    dispatch: Arc<Dispatch>,
    submissions: Submissions,
}

impl NatsRequests {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        let (dispatch, submissions) = (Dispatch::new(connection.clone()), Submissions::default());
        Self { connection, dispatch, submissions }
    }
}

#[async_trait]
impl RequestQueue for NatsRequests {
    async fn open(&self, log: &LogId) -> Result<(), BackboneError> {
        let shard = self.connection.shards().await?.of(log);
        streams::open(&self.connection, streams::requests(shard, &self.connection.config)).await.map(|_info| ())
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
        self.submissions.store(&self.connection, log, kind, id, request).await
    }

    async fn take(&self, log: &LogId, max: usize, wait: Duration) -> Result<Vec<Delivery>, BackboneError> {
        self.dispatch.take(log, max, wait).await
    }

    fn is_leased(&self, _log: &LogId, receipt: &Receipt) -> bool {
        self.dispatch.within_lease(receipt).is_some()
    }

    /// Acknowledgements are answered, so that the same id can be queued again when this returns. The server takes an acknowledgement
    /// of whichever delivery: only an answer that came within the lease says that no other taker had the request.
    async fn finish(&self, log: &LogId, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, BackboneError> {
        let attempted = || format!("finishing requests of {log}");
        let leased: Vec<(Receipt, String)> = receipts
            .into_iter()
            .filter_map(|receipt| {
                let subject = self.dispatch.within_lease(&receipt)?.to_owned();
                Some((receipt, subject))
            })
            .collect();
        stream::iter(leased)
            .map(|(receipt, subject)| async move {
                let answered = self.connection.client.request(subject, Bytes::from_static(ACK));
                self.connection.within(attempted, answered).await?;
                let is_surely = self.dispatch.within_lease(&receipt).is_some();
                Ok(is_surely.then_some(receipt))
            })
            .buffer_unordered(FINISHING_MAX)
            .try_filter_map(|finished| std::future::ready(Ok(finished)))
            .try_collect()
            .await
    }

    async fn announce(&self, log: &LogId, rulings: Vec<AnnouncedRuling>) -> Result<(), BackboneError> {
        rulings::announce(&self.connection, log, &rulings).await
    }

    async fn rulings(&self, log: &LogId) -> Result<mpsc::Receiver<AnnouncedRuling>, BackboneError> {
        rulings::listen(&self.connection, log).await
    }
}
