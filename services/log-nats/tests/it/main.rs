//! What only a real nats-server can show: a server that is killed, connections that break, streams that others touch.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod documents;
mod exchange;
mod full;
mod messages;
mod registry_log;
mod replies;
mod shards;
mod stalled;
mod submitters;
mod thousand;
mod version_0_1;

use std::time::Duration;

use async_nats::jetstream;
use bytes::Bytes;
use rollcall_conformance::nats_server::NatsServer;
use rollcall_domain::{
    ids::{ConnectorId, DeviceId, InstanceId, LogId, SpaceId},
    time::Timestamp,
};
use rollcall_log::{
    Backbone, BackboneError,
    log::{Followed, Follower},
    messages::{DeviceMessage, Lane, MessageProperties},
    presence::{PresenceChange, Session},
};
use rollcall_log_nats::{NatsConfig, connect};
use tokio::time::timeout;

/// Longer than anything here takes; a test that waits so long has failed.
const BOUND: Duration = Duration::from_secs(30);

/// The shard of [`instance`], in a fleet with as many shards as usual.
const SHARD: &str = "~09";

fn instance() -> InstanceId {
    InstanceId::parse("inst-1").unwrap()
}

fn log() -> LogId {
    LogId::Instance(instance())
}

fn records(from: u64, count: u64) -> Vec<Bytes> {
    (from..from + count).map(|n| Bytes::from(format!("record {n}"))).collect()
}

async fn backbone(server: &NatsServer) -> Backbone {
    connect(NatsConfig::new(server.url())).await.unwrap()
}

async fn next(follower: &mut Follower) -> Result<Followed, BackboneError> {
    timeout(BOUND, follower.recv()).await.expect("something follows").expect("following goes on")
}

/// The positions up to the one given, as they come; `CaughtUp` is passed over.
async fn follow_to(follower: &mut Follower, last: u64) -> Vec<(u64, Bytes)> {
    let mut found = Vec::new();
    while found.last().is_none_or(|(position, _)| *position < last) {
        if let Followed::Entry(entry) = next(follower).await.unwrap() {
            found.push((entry.position.0, entry.record));
        }
    }
    found
}

fn message(lane: Lane, n: usize, payload: Bytes) -> DeviceMessage {
    DeviceMessage {
        lane,
        space: SpaceId::parse("space").unwrap(),
        device: DeviceId::parse("device").unwrap(),
        topic: format!("$oc/devices/device/sys/messages/up\n{n}"),
        payload,
        qos: 1,
        properties: MessageProperties::default(),
    }
}

fn session(connector: &str, number: u64) -> Session {
    Session { connector: ConnectorId::parse(connector).unwrap(), number }
}

fn online(device: &str, session: Session) -> PresenceChange {
    PresenceChange::Online { device: DeviceId::parse(device).unwrap(), session, at: Timestamp::from_unix_ms(1) }
}

fn offline(device: &str, session: Session) -> PresenceChange {
    PresenceChange::Offline { device: DeviceId::parse(device).unwrap(), session, at: Timestamp::from_unix_ms(2) }
}

async fn admin(server: &NatsServer) -> jetstream::Context {
    jetstream::new(async_nats::connect(server.url()).await.unwrap())
}
