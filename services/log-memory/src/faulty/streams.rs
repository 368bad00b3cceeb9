//! Log, attempts, messages, presence and announcements with faults.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{ConnectorId, InstanceId, LogId, Position};
use rollcall_log::{
    BackboneError,
    attempts::Attempts,
    heartbeat::{Heard, Heartbeats, Source},
    log::{AppendError, Batch, Entry, Follower, RegistryLog, StreamIdentity},
    messages::{
        DeviceMessage, DeviceMessages, KeptMessages, Lane, LatestMessages, MessageCursor, MessagePosition, MessagesOf,
        Replayed, StoredMessage, Unstored,
    },
    presence::{Beat, ConnectorBeat, Presence, PresenceChange},
};
use tokio::sync::mpsc;

use crate::fault_injection::FaultInjection;

/// What [`Faults::foreign_record`](crate::Faults::foreign_record) writes.
const FOREIGN: &[u8] = b"not a registrar's";

/// [`RegistryLog`] with faults.
pub(crate) struct FaultyLog {
    pub(crate) inner: Arc<dyn RegistryLog>,
    pub(crate) injection: Arc<FaultInjection>,
}

#[async_trait]
impl RegistryLog for FaultyLog {
    async fn open(&self, log: &LogId) -> Result<StreamIdentity, BackboneError> {
        self.inner.open(log).await
    }

    async fn last(&self, log: &LogId) -> Result<Position, BackboneError> {
        self.inner.last(log).await
    }

    async fn writable(&self, log: &LogId) -> Result<(), BackboneError> {
        self.inner.writable(log).await
    }

    async fn append(&self, log: &LogId, expected: Position, batch: Batch) -> Result<Position, AppendError> {
        self.injection.reach("appending")?;
        if self.injection.happens(|faults| faults.spurious_conflict) {
            return Err(AppendError::Conflict { expected });
        }
        if self.injection.happens(|faults| faults.foreign_record) {
            let end = self.inner.last(log).await?;
            self.inner.append(log, end, vec![Bytes::from_static(FOREIGN)].into()).await?;
        }
        let last = self.inner.append(log, expected, batch).await?;
        self.injection.acknowledge("appending")?;
        Ok(last)
    }

    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        self.injection.reach("reading the log")?;
        self.inner.read(log, after, max).await
    }

    async fn follow(&self, log: &LogId, after: Position) -> Result<Follower, BackboneError> {
        Ok(cut(self.inner.follow(log, after).await?, &self.injection))
    }
}

/// [`Attempts`] with faults.
pub(crate) struct FaultyAttempts {
    pub(crate) inner: Arc<dyn Attempts>,
    pub(crate) injection: Arc<FaultInjection>,
}

#[async_trait]
impl Attempts for FaultyAttempts {
    async fn keep(&self, log: &LogId, attempts: Vec<Bytes>) -> Result<(), BackboneError> {
        self.injection.reach("keeping attempts")?;
        self.inner.keep(log, attempts).await?;
        self.injection.acknowledge("keeping attempts")
    }

    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        self.inner.read(log, after, max).await
    }
}

/// [`DeviceMessages`] with faults.
pub(crate) struct FaultyMessages {
    pub(crate) inner: Arc<dyn DeviceMessages>,
    pub(crate) injection: Arc<FaultInjection>,
}

#[async_trait]
impl DeviceMessages for FaultyMessages {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        self.inner.open(instance).await
    }

    async fn publish_in_order(
        &self,
        instance: &InstanceId,
        messages: &[DeviceMessage],
    ) -> Result<MessagePosition, Unstored> {
        let unstored = |error| Unstored { stored: 0, error };
        self.injection.reach("publishing").map_err(unstored)?;
        if messages.len() > 1 && self.injection.happens(|faults| faults.cut_sequence) {
            let (front, _) = messages.split_at(messages.len() / 2);
            self.inner.publish_in_order(instance, front).await?;
            let (attempted, reason) = ("publishing".to_owned(), "injected fault: the rest was not stored".to_owned());
            return Err(Unstored { stored: front.len(), error: BackboneError::Unavailable { attempted, reason } });
        }
        let position = self.inner.publish_in_order(instance, messages).await?;
        self.injection.acknowledge("publishing").map_err(unstored)?;
        Ok(position)
    }

    async fn follow_of(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        of: &MessagesOf,
        after: Option<MessageCursor>,
    ) -> Result<mpsc::Receiver<Result<StoredMessage, BackboneError>>, BackboneError> {
        Ok(cut(self.inner.follow_of(instance, lanes, of, after).await?, &self.injection))
    }

    async fn latest(
        &self,
        instance: &InstanceId,
        lane: Lane,
        of: &MessagesOf,
        before: Option<MessagePosition>,
        max: usize,
    ) -> Result<LatestMessages, BackboneError> {
        self.injection.reach("reading messages")?;
        self.inner.latest(instance, lane, of, before, max).await
    }

    async fn kept(&self, instance: &InstanceId) -> Result<KeptMessages, BackboneError> {
        self.injection.reach("looking at messages")?;
        self.inner.kept(instance).await
    }

    async fn end(&self, instance: &InstanceId) -> Result<MessageCursor, BackboneError> {
        self.inner.end(instance).await
    }

    async fn replay(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        of: &MessagesOf,
        after: MessageCursor,
    ) -> Result<mpsc::Receiver<Result<Replayed, BackboneError>>, BackboneError> {
        Ok(cut(self.inner.replay(instance, lanes, of, after).await?, &self.injection))
    }
}

/// [`Presence`] with faults.
pub(crate) struct FaultyPresence {
    pub(crate) inner: Arc<dyn Presence>,
    pub(crate) injection: Arc<FaultInjection>,
}

#[async_trait]
impl Presence for FaultyPresence {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        self.inner.open(instance).await
    }

    async fn announce(&self, instance: &InstanceId, change: PresenceChange) -> Result<(), BackboneError> {
        self.injection.reach("announcing presence")?;
        self.inner.announce(instance, change).await?;
        self.injection.acknowledge("announcing presence")
    }

    async fn heartbeat(&self, instance: &InstanceId, connector: &ConnectorId, beat: Beat) -> Result<(), BackboneError> {
        self.injection.reach("renewing a lease")?;
        self.inner.heartbeat(instance, connector, beat).await
    }

    async fn connectors(&self, instance: &InstanceId) -> Result<Vec<ConnectorBeat>, BackboneError> {
        self.inner.connectors(instance).await
    }

    async fn watch(&self, instance: &InstanceId) -> Result<mpsc::Receiver<PresenceChange>, BackboneError> {
        self.inner.watch(instance).await
    }
}

/// [`Heartbeats`] with faults.
pub(crate) struct FaultyHeartbeats {
    pub(crate) inner: Arc<dyn Heartbeats>,
    pub(crate) injection: Arc<FaultInjection>,
}

#[async_trait]
impl Heartbeats for FaultyHeartbeats {
    async fn open(&self) -> Result<(), BackboneError> {
        self.inner.open().await
    }

    async fn announce(&self, source: &Source, announcement: Bytes) -> Result<(), BackboneError> {
        self.injection.reach("announcing a registrar")?;
        self.inner.announce(source, announcement).await?;
        self.injection.acknowledge("announcing a registrar")
    }

    async fn follow(&self) -> Result<mpsc::Receiver<Result<Heard, BackboneError>>, BackboneError> {
        Ok(cut(self.inner.follow().await?, &self.injection))
    }
}

/// Passes a follower on until a fault cuts it.
fn cut<T: Send + 'static>(
    mut from: mpsc::Receiver<Result<T, BackboneError>>,
    injection: &Arc<FaultInjection>,
) -> mpsc::Receiver<Result<T, BackboneError>> {
    let (to, follower) = mpsc::channel(1);
    let injection = Arc::clone(injection);
    tokio::spawn(async move {
        loop {
            let item = tokio::select! {
                item = from.recv() => item,
                () = to.closed() => return,
            };
            let Some(item) = item else { return };
            if to.send(item).await.is_err() {
                return;
            }
            if injection.happens(|faults| faults.cut_follower) {
                let (attempted, reason) = ("following".to_owned(), "injected fault: the connection was cut".to_owned());
                // The follower may be gone too.
                let _ = to.send(Err(BackboneError::Unavailable { attempted, reason })).await;
                return;
            }
        }
    });
    follower
}
