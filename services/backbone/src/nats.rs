//! The backbone on NATS JetStream: production, clustered, each stream with as many replicas as configured.
//!
//! The job: the seven traits of this crate over one NATS connection. Not its job: running a server; `deploy/nats` has the
//! configuration that one needs, and without its `sync_interval: always` an acknowledged record can be lost at a power
//! failure, which no client can see or mend.
//!
//! Trust boundary: the server's accounts decide who may append to which stream; here, whatever is read is checked for
//! sequence and identity, and never believed to be a record before [`crate::codec`] has said so.
//!
//! Read `connection` (and `dial`), `streams` (every declaration), `subjects` (every name), then `atomic` (how things are written) and
//! `replay` (how they are read), then one file per trait.

mod atomic;
mod attempts;
mod body;
mod config;
mod connection;
mod dial;
mod direct;
mod documents;
mod follow;
mod group;
mod heartbeat;
mod log;
mod messages;
mod presence;
mod presence_burial;
mod presence_connectors;
mod presence_lease;
mod presence_message;
mod presence_watch;
mod pull;
mod replay;
mod requests;
mod rulings;
mod streams;
mod subjects;
mod submit;

use std::sync::Arc;

pub use config::{CONNECT_TIMEOUT, Credentials, NatsConfig, OPERATION_TIMEOUT, REPLICAS_MAX};
use connection::Connection;

use crate::{Backbone, BackboneError};

/// Room for headers beside the largest payload.
const HEADERS_BYTES_MAX: usize = 64 * 1024;

/// Connects. Retries until [`NatsConfig::connect_timeout`]; afterwards the connection is made again whenever it is lost.
///
/// # Errors
/// [`BackboneError::Unavailable`]: not reachable in time, not let in, older than 2.15, or without JetStream.
pub async fn connect(config: NatsConfig) -> Result<Backbone, BackboneError> {
    if !(1..=REPLICAS_MAX).contains(&config.replicas) {
        return Err(BackboneError::LimitReached { what: "replicas of a NATS stream".to_owned(), max: REPLICAS_MAX as u64 });
    }
    let connection = Arc::new(Connection::open(config).await?);
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
