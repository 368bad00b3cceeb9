//! Which connectors are alive, and how they are: the last heartbeat of each, as the stream holds it now.
//!
//! Heartbeats go away by themselves when their lease has run out, give or take a second; so their age is looked at too,
//! by the server's clock, which also dates them.

use rollcall_domain::ids::{ConnectorId, InstanceId};
use rollcall_log::{BackboneError, presence::ConnectorBeat};

use crate::{
    connection::Connection,
    presence::{
        message::read_beat,
        watch::{server_time_ns, timestamp},
    },
    streams::direct::{self, LastMessage},
    subjects,
};

/// Reads them, by connector.
pub(super) async fn read(connection: &Connection, instance: &InstanceId) -> Result<Vec<ConnectorBeat>, BackboneError> {
    let shard = connection.shards().await?.of_instance(instance);
    let stream = subjects::presence_stream(shard);
    let now_ns = server_time_ns(connection, &stream, || format!("reading the connectors of instance {instance}")).await?;
    let lease_ns = i128::try_from(connection.config.limits.presence_lease.as_nanos()).unwrap_or(i128::MAX);
    let mut alive = Vec::new();
    for held in direct::last_of_each(connection, &stream, subjects::presence_connectors(shard, instance)).await? {
        match beat(&held) {
            Ok((_, stored_at_ns)) if now_ns - stored_at_ns >= lease_ns => {}
            Ok((connector, stored_at_ns)) => {
                alive.push(ConnectorBeat { connector, beat: read_beat(&held.headers), at: timestamp(stored_at_ns) });
            }
            Err(reason) => {
                if let Some(left_out) = connection.repeats("heartbeats").failed(&reason) {
                    tracing::warn!(%instance, sequence = held.sequence, reason, left_out, "a heartbeat cannot be read");
                }
            }
        }
    }
    alive.sort_by(|one, other| one.connector.cmp(&other.connector));
    Ok(alive)
}

/// Whose heartbeat it is, and when it was stored.
fn beat(held: &LastMessage) -> Result<(ConnectorId, i128), String> {
    let subject = held.subject().ok_or("it does not say its subject")?;
    let id = subject.rsplit('.').next().unwrap_or(subject);
    let connector = ConnectorId::parse(id).map_err(|error| error.to_string())?;
    Ok((connector, held.stored_at_ns().ok_or("it does not say when it was stored")?))
}
