//! One process's way to the backbone, which can be cut, and on which a process can die.
//!
//! Faults of the log itself are the memory backbone's own; here is what happens to one process and not to the others: it
//! loses sight of the log, it cannot say that it is there, it dies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{ConnectorId, InstanceId, LogId, Position, RequestId};
use rollcall_log::{
    Backbone, BackboneError,
    attempts::Attempts,
    documents::{Document, DocumentKey, Documents, PutError, Revision, SessionDocuments},
    log::{AppendError, Batch, Entry, Followed, Follower, RegistryLog, StreamIdentity},
    presence::{Beat, ConnectorBeat, Presence, PresenceChange},
    requests::{AnnouncedRuling, Delivery, Receipt, RequestKind, RequestQueue, Submitted},
};
use tokio::sync::{mpsc, watch};

/// How a process sees the registry log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    Whole,
    /// Nothing comes, and nothing says so.
    Silent,
    /// Every attempt fails, and the follower ends with an error.
    Broken,
}

/// See the file.
pub struct Link {
    inner: Backbone,
    sight: watch::Sender<Sight>,
    /// What it says of itself and its sessions does not get through.
    unheard: AtomicBool,
    steps_left: AtomicI64,
    dead: watch::Sender<bool>,
}

impl Link {
    pub fn to(inner: &Backbone) -> Arc<Self> {
        let (sight, dead) = (watch::Sender::new(Sight::Whole), watch::Sender::new(false));
        Arc::new(Self { inner: inner.clone(), sight, unheard: AtomicBool::new(false), steps_left: i64::MAX.into(), dead })
    }

    /// The backbone as this process sees it.
    pub fn backbone(self: &Arc<Self>) -> Backbone {
        Backbone {
            log: self.clone(),
            requests: self.clone(),
            attempts: self.clone(),
            presence: self.clone(),
            documents: self.clone(),
            ..self.inner.clone()
        }
    }

    pub fn sight(&self) -> Sight {
        *self.sight.borrow()
    }

    pub fn set_sight(&self, sight: Sight) {
        self.sight.send_replace(sight);
    }

    /// From now on its announcements and heartbeats fail, or do not: its lease runs out.
    pub fn set_unheard(&self, unheard: bool) {
        self.unheard.store(unheard, Ordering::SeqCst);
    }

    /// The process dies now.
    pub fn die(&self) {
        self.die_after(0);
        self.dead.send_replace(true);
    }

    /// The process dies after so many steps: nothing that it begins afterwards is done, and nothing returns.
    pub fn die_after(&self, steps: i64) {
        self.steps_left.store(steps, Ordering::SeqCst);
    }

    pub fn is_doomed(&self) -> bool {
        self.steps_left.load(Ordering::SeqCst) < i64::MAX / 2
    }

    pub fn is_dead(&self) -> bool {
        *self.dead.borrow()
    }

    /// Returns when the process is dead.
    pub async fn died(&self) {
        // The sender is this link's own.
        let _ = self.dead.subscribe().wait_for(|dead| *dead).await;
    }

    /// The moment before an operation, or the moment after it has taken effect and before its answer comes.
    async fn step(&self) {
        if self.steps_left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            self.dead.send_replace(true);
            std::future::pending().await
        }
    }

    /// Does not return for a process that is dead.
    async fn living(&self) {
        if self.is_dead() {
            std::future::pending().await
        }
    }

    /// What it says of itself gets through.
    async fn heard(&self) -> Result<(), BackboneError> {
        self.living().await;
        if self.unheard.load(Ordering::SeqCst) { Err(broken("presence")) } else { Ok(()) }
    }

    /// Returns when the log is in sight.
    async fn seen(&self) -> Result<(), BackboneError> {
        let mut sight = self.sight.subscribe();
        let seen = sight.wait_for(|sight| *sight != Sight::Silent).await.map(|sight| *sight);
        if matches!(seen, Ok(Sight::Whole)) { Ok(()) } else { Err(broken("the registry log")) }
    }
}

fn broken(attempted: &str) -> BackboneError {
    BackboneError::Unavailable { attempted: attempted.to_owned(), reason: "the simulation has cut the link".into() }
}

#[async_trait]
impl RegistryLog for Link {
    async fn open(&self, log: &LogId) -> Result<StreamIdentity, BackboneError> {
        self.seen().await?;
        self.inner.log.open(log).await
    }

    async fn last(&self, log: &LogId) -> Result<Position, BackboneError> {
        self.seen().await?;
        self.inner.log.last(log).await
    }

    async fn append(&self, log: &LogId, expected: Position, batch: Batch) -> Result<Position, AppendError> {
        self.step().await;
        let appended = self.inner.log.append(log, expected, batch).await;
        self.step().await;
        appended
    }

    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        self.seen().await?;
        self.inner.log.read(log, after, max).await
    }

    async fn follow(&self, log: &LogId, after: Position) -> Result<Follower, BackboneError> {
        self.seen().await?;
        let (to, follower) = mpsc::channel(1);
        tokio::spawn(pass_on(self.inner.log.follow(log, after).await?, self.sight.subscribe(), to));
        Ok(follower)
    }
}

/// Passes a follower on for as long as the log is in sight.
async fn pass_on(mut from: Follower, mut sight: watch::Receiver<Sight>, to: mpsc::Sender<Result<Followed, BackboneError>>) {
    loop {
        let seen = *sight.borrow_and_update();
        if seen == Sight::Broken {
            // The follower may be gone too.
            let _ = to.send(Err(broken("the registry log"))).await;
            return;
        }
        tokio::select! {
            biased;
            () = to.closed() => return,
            changed = sight.changed() => if changed.is_err() { return },
            item = from.recv(), if seen == Sight::Whole => {
                let Some(item) = item else { return };
                if to.send(item).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[async_trait]
impl RequestQueue for Link {
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
            self.step().await;
        }
        taken
    }

    fn is_leased(&self, log: &LogId, receipt: &Receipt) -> bool {
        self.inner.requests.is_leased(log, receipt)
    }

    async fn finish(&self, log: &LogId, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, BackboneError> {
        self.step().await;
        let finished = self.inner.requests.finish(log, receipts).await;
        self.step().await;
        finished
    }

    async fn announce(&self, log: &LogId, rulings: Vec<AnnouncedRuling>) -> Result<(), BackboneError> {
        self.step().await;
        let announced = self.inner.requests.announce(log, rulings).await;
        self.step().await;
        announced
    }

    async fn rulings(&self, log: &LogId) -> Result<mpsc::Receiver<AnnouncedRuling>, BackboneError> {
        self.inner.requests.rulings(log).await
    }
}

#[async_trait]
impl Attempts for Link {
    async fn keep(&self, log: &LogId, attempts: Vec<Bytes>) -> Result<(), BackboneError> {
        self.step().await;
        let kept = self.inner.attempts.keep(log, attempts).await;
        self.step().await;
        kept
    }

    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        self.inner.attempts.read(log, after, max).await
    }
}

#[async_trait]
impl Presence for Link {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        self.inner.presence.open(instance).await
    }

    async fn announce(&self, instance: &InstanceId, change: PresenceChange) -> Result<(), BackboneError> {
        self.heard().await?;
        self.inner.presence.announce(instance, change).await
    }

    async fn heartbeat(&self, instance: &InstanceId, connector: &ConnectorId, beat: Beat) -> Result<(), BackboneError> {
        self.heard().await?;
        self.inner.presence.heartbeat(instance, connector, beat).await
    }

    async fn connectors(&self, instance: &InstanceId) -> Result<Vec<ConnectorBeat>, BackboneError> {
        self.inner.presence.connectors(instance).await
    }

    async fn watch(&self, instance: &InstanceId) -> Result<mpsc::Receiver<PresenceChange>, BackboneError> {
        self.inner.presence.watch(instance).await
    }
}

#[async_trait]
impl Documents for Link {
    async fn open(&self, log: &LogId) -> Result<(), BackboneError> {
        self.inner.documents.open(log).await
    }

    async fn sessions(&self, log: &LogId) -> Result<SessionDocuments, BackboneError> {
        self.living().await;
        self.inner.documents.sessions(log).await
    }

    async fn get(&self, log: &LogId, key: &DocumentKey) -> Result<Option<Document>, BackboneError> {
        self.living().await;
        self.inner.documents.get(log, key).await
    }

    async fn put(&self, log: &LogId, key: &DocumentKey, expected: Revision, body: Bytes) -> Result<Revision, PutError> {
        self.living().await;
        self.inner.documents.put(log, key, expected, body).await
    }

    async fn delete(&self, log: &LogId, key: &DocumentKey, expected: Revision) -> Result<(), PutError> {
        self.living().await;
        self.inner.documents.delete(log, key, expected).await
    }
}
