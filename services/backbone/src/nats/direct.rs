//! Messages read from a stream without a consumer (JetStream direct get, ADR-31): the last one of a subject, or some
//! after a sequence.
//!
//! Any replica answers, also one that lags behind: what is not there may be there elsewhere.

use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;

use super::connection::Connection;
use crate::BackboneError;

/// Says where a message that was read stands in its stream.
const SEQUENCE: &str = "Nats-Sequence";
/// Every subject of a stream.
const ANY: &str = ">";
/// The status of the answer that ends several.
const END_OF_BATCH: u16 = 204;

/// A message as the stream holds it.
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
    held(answer).map_err(|reason| BackboneError::Unavailable { attempted: attempted(), reason })
}

/// A request for several messages.
#[derive(Serialize)]
struct BatchRequest {
    seq: u64,
    next_by_subj: &'static str,
    batch: usize,
    max_bytes: usize,
}

/// Up to `max` (at least 1) messages of a stream after a sequence, and no more once `bytes_max` are there. Sequences that
/// are gone are passed over.
pub(super) async fn after(
    connection: &Connection,
    stream: &str,
    after: u64,
    max: usize,
    bytes_max: usize,
) -> Result<Vec<Held>, BackboneError> {
    let attempted = || format!("reading stream {stream} after {after}");
    let wanted = BatchRequest { seq: after.saturating_add(1), next_by_subj: ANY, batch: max, max_bytes: bytes_max };
    let reading = async {
        let wanted = serde_json::to_vec(&wanted).map_err(|error| error.to_string())?;
        let inbox = connection.client.new_inbox();
        let answers = connection.client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
        let asked = connection.client.publish_with_reply(format!("$JS.API.DIRECT.GET.{stream}"), inbox, wanted.into());
        asked.await.map_err(|error| error.to_string())?;
        collect(answers).await
    };
    connection.within(attempted, reading).await
}

/// The answers to a request for several messages, which end with one that says so.
async fn collect(mut answers: Subscriber) -> Result<Vec<Held>, String> {
    let mut found = Vec::new();
    while let Some(answer) = answers.next().await {
        if answer.status.is_some_and(|status| status.as_u16() == END_OF_BATCH) {
            return Ok(found);
        }
        match held(answer)? {
            Some(held) => found.push(held),
            None => return Ok(found),
        }
    }
    Err("the subscription ended".to_owned())
}

fn held(answer: Message) -> Result<Option<Held>, String> {
    match answer.status {
        Some(StatusCode::NOT_FOUND) => Ok(None),
        Some(status) => Err(format!("status {status}")),
        None => match sequence(&answer) {
            Some(sequence) => Ok(Some(Held { sequence, payload: answer.payload })),
            None => Err(format!("the answer has no {SEQUENCE} header")),
        },
    }
}

fn sequence(answer: &Message) -> Option<u64> {
    answer.headers.as_ref()?.get(SEQUENCE)?.as_str().parse().ok()
}
