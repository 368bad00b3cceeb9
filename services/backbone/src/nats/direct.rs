//! The last message of one subject, read from the stream without a consumer (JetStream direct get, ADR-31).

use async_nats::{Message, StatusCode};
use bytes::Bytes;

use super::connection::Connection;
use crate::BackboneError;

/// Says where a message that was read stands in its stream.
const SEQUENCE: &str = "Nats-Sequence";

/// What a subject holds.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) sequence: u64,
    pub(super) payload: Bytes,
}

/// What `subject` of `stream` holds; `None` if nothing.
pub(super) async fn last(connection: &Connection, stream: &str, subject: &str) -> Result<Option<Held>, BackboneError> {
    let attempted = || format!("reading {subject} of stream {stream}");
    let request = connection.client.request(format!("$JS.API.DIRECT.GET.{stream}.{subject}"), Bytes::new());
    let answer = connection.within(attempted, request).await?;
    match answer.status {
        Some(StatusCode::NOT_FOUND) => Ok(None),
        Some(status) => Err(BackboneError::Unavailable { attempted: attempted(), reason: format!("status {status}") }),
        None => match sequence(&answer) {
            Some(sequence) => Ok(Some(Held { sequence, payload: answer.payload })),
            None => Err(BackboneError::Unavailable {
                attempted: attempted(),
                reason: format!("the answer has no {SEQUENCE} header"),
            }),
        },
    }
}

fn sequence(answer: &Message) -> Option<u64> {
    answer.headers.as_ref()?.get(SEQUENCE)?.as_str().parse().ok()
}
