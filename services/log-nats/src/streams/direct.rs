//! Messages read from a stream without a consumer (JetStream direct get, ADR-31): the last one of a subject, some
//! after a sequence, or the last one of each of several subjects.
//!
//! Any replica answers, also one that lags behind: what is not there may be there elsewhere.

use async_nats::{HeaderMap, Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use rollcall_log::BackboneError;
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::connection::Connection;

/// Says where a message that was read stands in its stream.
const SEQUENCE: &str = "Nats-Sequence";
/// Says to which subject it was published.
const SUBJECT: &str = "Nats-Subject";
/// Says when it was stored (RFC 3339).
const TIME_STAMP: &str = "Nats-Time-Stamp";
/// Every subject of a stream.
const ANY: &str = ">";
/// Says how many messages of the subjects that were asked for come after this one.
const NUM_PENDING: &str = "Nats-Num-Pending";
/// The status of the answer that ends several.
const END_OF_BATCH: u16 = 204;

/// A message as the stream holds it.
#[derive(Debug)]
pub(crate) struct LastMessage {
    pub(crate) sequence: u64,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

impl LastMessage {
    /// The subject that it was published to.
    pub(crate) fn subject(&self) -> Option<&str> {
        Some(self.headers.get(SUBJECT)?.as_str())
    }

    /// When the server stored it.
    pub(crate) fn stored_at_ns(&self) -> Option<i128> {
        let stored_at = OffsetDateTime::parse(self.headers.get(TIME_STAMP)?.as_str(), &Rfc3339);
        stored_at.ok().map(OffsetDateTime::unix_timestamp_nanos)
    }

    /// How many more of what was asked for come after it, where several were asked for.
    pub(crate) fn pending(&self) -> Option<u64> {
        self.headers.get(NUM_PENDING)?.as_str().parse().ok()
    }
}

/// What `subject` of `stream` holds; `None` if nothing.
pub(crate) async fn last(
    connection: &Connection,
    stream: &str,
    subject: &str,
) -> Result<Option<LastMessage>, BackboneError> {
    let attempted = || format!("reading {subject} of stream {stream}");
    let request = connection.client.request(format!("$JS.API.DIRECT.GET.{stream}.{subject}"), Bytes::new());
    let answer = connection.within(attempted, request).await?;
    held(answer).map_err(|reason| BackboneError::Unavailable { attempted: attempted(), reason })
}

/// A request for messages after a sequence.
#[derive(Serialize)]
struct After<'a> {
    seq: u64,
    next_by_subj: &'a str,
    batch: usize,
    max_bytes: usize,
}

/// A request for the last messages of subjects.
#[derive(Serialize)]
struct LastOfEach<'a> {
    multi_last: [&'a str; 1],
}

/// Up to `max` (at least 1) messages of a stream after a sequence, and no more once `bytes_max` are there. Sequences that
/// are gone are passed over.
pub(crate) async fn after(
    connection: &Connection,
    stream: &str,
    after: u64,
    max: usize,
    bytes_max: usize,
) -> Result<Vec<LastMessage>, BackboneError> {
    from(connection, (stream, ANY), after.saturating_add(1), max, bytes_max).await
}

/// As [`after`], beginning with a sequence, of a filter's subjects. [`LastMessage::pending`] of the last says whether it is
/// the last that there is.
pub(crate) async fn from(
    connection: &Connection,
    (stream, filter): (&str, &str),
    first: u64,
    max: usize,
    bytes_max: usize,
) -> Result<Vec<LastMessage>, BackboneError> {
    let wanted = After { seq: first, next_by_subj: filter, batch: max, max_bytes: bytes_max };
    several(connection, stream, || format!("reading {filter} of stream {stream} from {first}"), &wanted).await
}

/// What each subject of a stream holds that matches `filter`. The server refuses more than 1024 of them.
pub(crate) async fn last_of_each(
    connection: &Connection,
    stream: &str,
    filter: String,
) -> Result<Vec<LastMessage>, BackboneError> {
    let attempted = || format!("reading what is on {filter} of stream {stream}");
    several(connection, stream, attempted, &LastOfEach { multi_last: [&filter] }).await
}

async fn several(
    connection: &Connection,
    stream: &str,
    attempted: impl Fn() -> String,
    wanted: &impl Serialize,
) -> Result<Vec<LastMessage>, BackboneError> {
    let reading = async {
        let wanted = serde_json::to_vec(wanted).map_err(|error| error.to_string())?;
        let inbox = connection.client.new_inbox();
        let answers = connection.client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
        let asked = connection.client.publish_with_reply(format!("$JS.API.DIRECT.GET.{stream}"), inbox, wanted.into());
        asked.await.map_err(|error| error.to_string())?;
        collect(answers).await
    };
    connection.within(attempted, reading).await
}

/// The answers to a request for several messages, which end with one that says so.
async fn collect(mut answers: Subscriber) -> Result<Vec<LastMessage>, String> {
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

fn held(answer: Message) -> Result<Option<LastMessage>, String> {
    match answer.status {
        Some(StatusCode::NOT_FOUND) => Ok(None),
        Some(status) => Err(format!("status {status}")),
        None => match sequence(&answer) {
            Some(sequence) => {
                let Message { headers, payload, .. } = answer;
                Ok(Some(LastMessage { sequence, headers: headers.unwrap_or_default(), payload }))
            }
            None => Err(format!("the answer has no {SEQUENCE} header")),
        },
    }
}

fn sequence(answer: &Message) -> Option<u64> {
    answer.headers.as_ref()?.get(SEQUENCE)?.as_str().parse().ok()
}
