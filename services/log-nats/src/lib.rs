//! The log on NATS JetStream: production, clustered, each stream with as many replicas as configured.
//!
//! The job: the seven traits of `rollcall-log` over one NATS connection. It does not run a server; `deploy/nats` has the
//! configuration that one needs, and without its `sync_interval: always` an acknowledged record can be lost at a power
//! failure, which no client can see or mend.
//!
//! Trust boundary: the server's accounts decide who may append to which stream; here, whatever is read is checked for
//! sequence and identity, and never believed to be a record before [`rollcall_log::codec`] has said so.
//!
//! Read `connection` (and below it `dial`, `link`), `subjects` (every name; below it `shards`, what instances share), `streams`
//! (every declaration; below it `atomic`, how things are written, and `replay`, how they are read), then one file per trait.

mod attempts;
mod config;
mod connection;
mod documents;
mod heartbeat;
mod log;
mod messages;
mod presence;
mod requests;
mod streams;
mod subjects;

use std::sync::Arc;

pub use config::{CONNECT_TIMEOUT, Credentials, NatsConfig, NatsConfigError, OPERATION_TIMEOUT, REPLICAS_MAX};
use connection::Connection;
use rollcall_domain::ids::LogId;

use rollcall_log::{Backbone, BackboneError};

/// Connects. Retries until [`NatsConfig::connect_timeout`]; afterwards the connection is made again whenever it is lost.
///
/// # Errors
/// [`BackboneError::Unavailable`]: a configuration that is refused ([`NatsConfig::check`]), not reachable in time, not let in,
/// older than 2.15, or without JetStream. [`BackboneError::StreamDiffers`]: the streams that are there have another number of
/// replicas.
pub async fn connect(config: NatsConfig) -> Result<Backbone, BackboneError> {
    if !(1..=REPLICAS_MAX).contains(&config.replicas) {
        return Err(BackboneError::LimitReached { what: "replicas of a NATS stream".to_owned(), max: REPLICAS_MAX as u64 });
    }
    let connection = Arc::new(Connection::open(config).await?);
    if connection.config.declares {
        check_replicas(&connection).await?;
    }
    Ok(Backbone {
        log: Arc::new(log::NatsLog::new(connection.clone())),
        requests: Arc::new(requests::NatsRequests::new(connection.clone())),
        attempts: Arc::new(attempts::NatsAttempts::new(connection.clone())),
        messages: Arc::new(messages::NatsMessages::new(connection.clone())),
        presence: Arc::new(presence::NatsPresence::new(connection.clone())),
        documents: Arc::new(documents::NatsDocuments::new(connection.clone())),
        heartbeats: Arc::new(heartbeat::NatsHeartbeats::new(connection)),
    })
}

/// Every stream is declared with the same number of replicas. So the first that there is shows a setting that was forgotten,
/// before anything waits for a stream that it will never open.
async fn check_replicas(connection: &Connection) -> Result<(), BackboneError> {
    let (stream, wanted) = (subjects::registry_stream(&LogId::Fleet), connection.config.replicas);
    let found = match streams::info(connection, &stream, || format!("looking at stream {stream}")).await {
        Ok(Some(info)) => info.config.num_replicas,
        // Not made yet.
        Ok(None) => return Ok(()),
        // A cluster without a leader for it now: its readers wait for one.
        Err(BackboneError::Unavailable { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    if found == wanted {
        return Ok(());
    }
    let difference = format!("it has {found} replicas, and the setting `replicas` says {wanted}");
    Err(BackboneError::StreamDiffers { stream, difference })
}
