//! A backbone as one registrar sees it, until it dies: after so many steps nothing is done any more and nothing returns.
//! A step is the moment before an operation, or the moment after it has taken effect and before its answer comes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position, RequestId};
use rollcall_log::{
    Backbone, BackboneError,
    attempts::Attempts,
    log::{AppendError, Batch, Entry, Follower, RegistryLog, StreamIdentity},
    requests::{AnnouncedRuling, Delivery, Receipt, RequestKind, RequestQueue, Submitted},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long the registrar has to live.
pub(super) struct Life {
    steps: AtomicI64,
    pub(super) over: CancellationToken,
}

impl Life {
    pub(super) fn of(steps: i64) -> Arc<Self> {
        Arc::new(Self { steps: steps.into(), over: CancellationToken::new() })
    }

    async fn step(&self) {
        if self.steps.fetch_sub(1, Ordering::SeqCst) <= 0 {
            self.over.cancel();
            std::future::pending().await
        }
    }
}

struct Mortal {
    inner: Backbone,
    life: Arc<Life>,
}

/// The backbone for a registrar with this life.
pub(super) fn mortal(inner: &Backbone, life: &Arc<Life>) -> Backbone {
    let mortal = Arc::new(Mortal { inner: inner.clone(), life: life.clone() });
    Backbone { log: mortal.clone(), requests: mortal.clone(), attempts: mortal, ..inner.clone() }
}

#[async_trait]
impl RegistryLog for Mortal {
    async fn open(&self, log: &LogId) -> Result<StreamIdentity, BackboneError> {
        self.inner.log.open(log).await
    }

    async fn last(&self, log: &LogId) -> Result<Position, BackboneError> {
        self.inner.log.last(log).await
    }

    async fn append(&self, log: &LogId, expected: Position, records: Batch) -> Result<Position, AppendError> {
        self.life.step().await;
        let appended = self.inner.log.append(log, expected, records).await;
        self.life.step().await;
        appended
    }

    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        self.inner.log.read(log, after, max).await
    }

    async fn follow(&self, log: &LogId, after: Position) -> Result<Follower, BackboneError> {
        self.inner.log.follow(log, after).await
    }
}

#[async_trait]
impl RequestQueue for Mortal {
    async fn open(&self, log: &LogId) -> Result<(), BackboneError> {
        self.inner.requests.open(log).await
    }

    async fn submit(
        &self,
        log: &LogId,
        kind: RequestKind,
        id: &RequestId,
        request: Bytes,
    ) -> Result<Submitted, BackboneError> {
        self.inner.requests.submit(log, kind, id, request).await
    }

    async fn take(&self, log: &LogId, max: usize, wait: Duration) -> Result<Vec<Delivery>, BackboneError> {
        let taken = self.inner.requests.take(log, max, wait).await;
        if taken.as_ref().is_ok_and(|taken| !taken.is_empty()) {
            self.life.step().await;
        }
        taken
    }

    async fn finish(&self, log: &LogId, receipts: Vec<Receipt>) -> Result<(), BackboneError> {
        self.life.step().await;
        let finished = self.inner.requests.finish(log, receipts).await;
        self.life.step().await;
        finished
    }

    async fn announce(&self, log: &LogId, rulings: Vec<AnnouncedRuling>) -> Result<(), BackboneError> {
        self.life.step().await;
        let announced = self.inner.requests.announce(log, rulings).await;
        self.life.step().await;
        announced
    }

    async fn rulings(&self, log: &LogId) -> Result<mpsc::Receiver<AnnouncedRuling>, BackboneError> {
        self.inner.requests.rulings(log).await
    }
}

#[async_trait]
impl Attempts for Mortal {
    async fn keep(&self, log: &LogId, attempts: Vec<Bytes>) -> Result<(), BackboneError> {
        self.life.step().await;
        let kept = self.inner.attempts.keep(log, attempts).await;
        self.life.step().await;
        kept
    }

    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        self.inner.attempts.read(log, after, max).await
    }
}
