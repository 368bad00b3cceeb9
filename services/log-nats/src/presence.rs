//! Presence on JetStream: shards that hold the last change of each device and the last heartbeat of each connector. They
//! outlive their server, so that connectors, which may not make streams, find them again. What version 0.1 kept in streams
//! of instances' own is not read: connectors announce again what they hold.
//!
//! Invariant: the last message of a device's subject says where it is. So `Offline` is stored only over the `Online` of
//! a session that it ends (expected last sequence of the subject); an `Offline` that comes late finds a newer session there and
//! changes nothing, for watchers of today and of tomorrow alike.
//!
//! What is over goes away by itself: heartbeats and `Offline` carry a time to live, and the `Online` of a connector that
//! is gone is made `Offline` by each watcher that sees its lease run out.

mod connectors;
mod lease;
mod message;
mod reaper;
mod tap;
mod watch;

use std::{sync::Arc, time::Duration};

use async_nats::{HeaderMap, header};
use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{ConnectorId, InstanceId};
use rollcall_log::{
    BackboneError,
    presence::{Beat, ConnectorBeat, Presence, PresenceChange},
};
use tokio::sync::mpsc;

use super::{
    connection::Connection,
    streams::{
        self,
        atomic::{self, StoreError},
        direct,
    },
    subjects,
};
use lease::Leases;
use message::Change;
use tap::Taps;

/// How long an `Offline` is kept: it only has to reach those that watch now.
const OFFLINE_KEPT: Duration = Duration::from_secs(60);
/// How often an `Offline` is tried again when its device's subject has changed meanwhile.
const TRIES_MAX: usize = 5;

/// See [`Presence`].
pub(super) struct NatsPresence {
    connection: Arc<Connection>,
    leases: Leases,
    taps: Taps,
}

impl NatsPresence {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        let leases = Leases::new(connection.config.limits.presence_lease);
        Self { connection, leases, taps: Taps::default() }
    }

    fn lease(&self, instance: &InstanceId, connector: &ConnectorId) -> String {
        self.leases.name(instance, connector, || self.connection.unique())
    }
}

#[async_trait]
impl Presence for NatsPresence {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        let shard = self.connection.shards().await?.of_instance(instance);
        streams::open(&self.connection, streams::presence(shard, &self.connection.config)).await.map(|_info| ())
    }

    async fn announce(&self, instance: &InstanceId, change: PresenceChange) -> Result<(), BackboneError> {
        match change {
            PresenceChange::Online { device, session, at } => {
                let lease = self.lease(instance, &session.connector);
                let change = Change { online: true, device, session, lease, at };
                let stored = store(&self.connection, instance, &change, HeaderMap::new()).await;
                stored.map_err(|error| unavailable(instance, error))?;
                self.leases.renew(instance, &change.session.connector);
                Ok(())
            }
            PresenceChange::Offline { device, session, at } => {
                let lease = self.lease(instance, &session.connector);
                self.end(instance, Change { online: false, device, session, lease, at }).await
            }
            // The backbone's own: it says them to watchers, callers do not say them to it.
            PresenceChange::ConnectorLost { .. } | PresenceChange::CaughtUp => Ok(()),
        }
    }

    async fn heartbeat(&self, instance: &InstanceId, connector: &ConnectorId, beat: Beat) -> Result<(), BackboneError> {
        let attempted = || format!("renewing the lease of connector {connector} on instance {instance}");
        let shard = self.connection.shards().await?.of_instance(instance);
        let subject = subjects::presence_connector(shard, instance, connector);
        let mut headers = time_to_live(self.connection.config.limits.presence_lease);
        message::write_beat(beat, &mut headers);
        let payload = Bytes::from(self.lease(instance, connector));
        let message = atomic::Message { subject, headers, payload };
        let stored = atomic::store(&self.connection, attempted, vec![message]).await;
        stored.map_err(|error| unavailable(instance, error))?;
        self.leases.renew(instance, connector);
        Ok(())
    }

    async fn connectors(&self, instance: &InstanceId) -> Result<Vec<ConnectorBeat>, BackboneError> {
        connectors::read(&self.connection, instance).await
    }

    async fn watch(&self, instance: &InstanceId) -> Result<mpsc::Receiver<PresenceChange>, BackboneError> {
        watch::watch(&self.connection, &self.taps, instance).await
    }
}

impl NatsPresence {
    /// Puts an `Offline` over the `Online` of a session that it ends.
    async fn end(&self, instance: &InstanceId, change: Change) -> Result<(), BackboneError> {
        let shard = self.connection.shards().await?.of_instance(instance);
        let (stream, subject) =
            (subjects::presence_stream(shard), subjects::presence_device(shard, instance, &change.device));
        for _ in 0..TRIES_MAX {
            let Some(held) = direct::last(&self.connection, &stream, &subject).await? else { return Ok(()) };
            match Change::read(&held.payload) {
                Ok(found) if !found.online || !change.session.ends(&found.session) => return Ok(()),
                // What cannot be read says nothing of a newer session: it is written over.
                Ok(_) | Err(_) => {}
            }
            match offline_over(&self.connection, instance, &change, held.sequence).await {
                Err(StoreError::WrongLastSequence) => {}
                Err(error) => return Err(unavailable(instance, error)),
                Ok(()) => return Ok(()),
            }
        }
        Err(unavailable(instance, StoreError::WrongLastSequence))
    }
}

/// Stores an `Offline` if the device's subject still holds the message at `sequence`.
async fn offline_over(
    connection: &Connection,
    instance: &InstanceId,
    change: &Change,
    sequence: u64,
) -> Result<(), StoreError> {
    let mut headers = time_to_live(OFFLINE_KEPT);
    headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, sequence.to_string());
    store(connection, instance, change, headers).await
}

async fn store(
    connection: &Connection,
    instance: &InstanceId,
    change: &Change,
    headers: HeaderMap,
) -> Result<(), StoreError> {
    let attempted = || announcing(instance);
    let payload = change.write().map_err(|reason| BackboneError::Unavailable { attempted: announcing(instance), reason })?;
    let shard = connection.shards().await?.of_instance(instance);
    let subject = subjects::presence_device(shard, instance, &change.device);
    let message = atomic::Message { subject, headers, payload };
    atomic::store(connection, attempted, vec![message]).await.map(|_sequence| ())
}

fn time_to_live(time: Duration) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // Whole seconds, at least one: the server's own unit and minimum.
    let seconds = time.as_millis().div_ceil(1000).max(1);
    headers.insert(header::NATS_MESSAGE_TTL, format!("{seconds}s").as_str());
    headers
}

fn announcing(instance: &InstanceId) -> String {
    format!("announcing presence on instance {instance}")
}

fn unavailable(instance: &InstanceId, error: StoreError) -> BackboneError {
    let reason = match error {
        StoreError::Backbone(error) => return error,
        StoreError::StreamLimit(reason) => reason,
        StoreError::WrongLastSequence => "the device's presence keeps changing".to_owned(),
        StoreError::Incomplete => "the server refused the message".to_owned(),
    };
    BackboneError::Unavailable { attempted: announcing(instance), reason }
}
