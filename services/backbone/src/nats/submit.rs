//! How a request gets into the queue: one conditional publish, answered for itself.
//!
//! Not a batch: a batch with one request that waits already is refused whole, and says not which. So that requests need no
//! sync of their own each, the stream of one server is written asynchronously (see `streams`): 70,000 a second instead
//! of one thousand, and what a crash of the server loses is a device that tries again.

use async_nats::{HeaderMap, header};
use bytes::Bytes;
use rollcall_domain::ids::{LogId, RequestId};

use super::{
    atomic::{self, StoreError},
    connection::Connection,
    subjects,
};
use crate::{
    BackboneError,
    requests::{RequestKind, Submitted},
};

/// Stores a request if its subject is empty.
pub(super) async fn store(
    connection: &Connection,
    log: &LogId,
    kind: RequestKind,
    id: &RequestId,
    request: Bytes,
) -> Result<Submitted, BackboneError> {
    let attempted = || format!("queueing request {id} of {log}");
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
    let message = atomic::Message { subject: subjects::request(log, kind, id), headers, payload: request };
    match atomic::store(connection, attempted, vec![message]).await {
        Ok(_sequence) => Ok(Submitted::Queued),
        Err(StoreError::WrongLastSequence) => Ok(Submitted::AlreadyQueued),
        Err(StoreError::StreamLimit(reason)) => {
            tracing::warn!(%log, reason, "the request queue is full");
            Err(BackboneError::LimitReached {
                what: format!("the number of waiting requests of {log}"),
                max: connection.config.limits.requests_waiting,
            })
        }
        Err(StoreError::Incomplete) => Err(BackboneError::Unavailable {
            attempted: attempted(),
            reason: "the server speaks of a batch that was none".to_owned(),
        }),
        Err(StoreError::Backbone(error)) => Err(error),
    }
}
