//! Atomic batches (JetStream ADR-50): several messages stored one after the other, all or none, with one sync for all.
//!
//! The client library has no helper for them. A batch is an id and a counter in headers; the server keeps its messages
//! back until the one that commits, and answers that one. Messages before it are sent without a reply subject: the
//! order of one connection is the server's order, and a batch that lost a message on the way is refused whole at its
//! commit.

use async_nats::{
    HeaderMap,
    client::Request,
    header,
    jetstream::{self, context::PublishError, message::PublishMessage},
};
use bytes::Bytes;
use rollcall_log::BackboneError;
use serde::Deserialize;
use tokio::time::{Duration, Instant};

use crate::connection::{Connection, full::is_full};

/// Most messages in one batch: the server's own limit.
pub(crate) const MESSAGES_MAX: usize = 1000;
/// Payload bytes a second that a slow disk and network still manage: what a large batch's deadline grows by.
const BYTES_PER_S_MIN: u64 = 8 * 1024 * 1024;

/// "wrong last sequence: N", of the stream or of a subject.
const WRONG_LAST_SEQUENCE: u64 = 10071;
/// The same without the number, as batches and clusters say it.
const WRONG_LAST_SEQUENCE_CONSTANT: u64 = 10164;
/// The server has forgotten the batch or misses a part of it.
const INCOMPLETE: u64 = 10176;
/// "stream store failed": a limit of the stream, in words.
const STORE_FAILED: u64 = 10077;

/// A message to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

/// Why nothing was stored, or may not have been.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// An expected sequence, of the stream or of a subject, was not the last one.
    WrongLastSequence,
    /// A limit of the stream; the server's words.
    StreamLimit(String),
    /// The server has lost the batch: nothing of it is stored.
    Incomplete,
    Backbone(BackboneError),
}

/// The server's answer to a stored message or to a commit.
#[derive(Deserialize)]
struct Acknowledgement {
    #[serde(default)]
    seq: u64,
    error: Option<ApiError>,
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// Stores 1 to [`MESSAGES_MAX`] messages, all or none, and returns the sequence of the last.
pub(crate) async fn store(
    connection: &Connection,
    attempted: impl Fn() -> String,
    messages: Vec<Message>,
) -> Result<u64, StoreError> {
    let bytes: usize = messages.iter().map(|message| message.payload.len()).sum();
    let allowance = Duration::from_secs(u64::try_from(bytes).unwrap_or(u64::MAX) / BYTES_PER_S_MIN);
    let deadline = Instant::now() + connection.config.operation_timeout + allowance;
    let answer = connection.by(deadline, &attempted, send(connection, messages, deadline)).await?;
    read(&answer, attempted)
}

/// Publishes messages one after the other, each stored by itself: an answer for each. The server gets them in their order,
/// for they are sent by one future; their answers are awaited when all are sent.
pub(crate) async fn store_singly(
    connection: &Connection,
    attempted: impl Fn() -> String,
    messages: Vec<Message>,
) -> Vec<Result<u64, StoreError>> {
    let (count, mut stored) = (messages.len(), Vec::with_capacity(messages.len()));
    let publishing = async {
        let mut acknowledgements = Vec::with_capacity(count);
        for Message { subject, headers, payload } in messages {
            let mut message = PublishMessage::build().payload(payload);
            if !headers.is_empty() {
                message = message.headers(headers);
            }
            acknowledgements
                .push(connection.jetstream.send_publish(subject, message).await.map_err(|error| error.to_string())?);
        }
        for acknowledgement in acknowledgements {
            stored.push(match acknowledgement.await {
                Ok(stored) => Ok(stored.sequence),
                Err(error) => Err(refused(&error, &attempted)),
            });
        }
        Ok::<(), String>(())
    };
    if let Err(error) = connection.within(&attempted, publishing).await {
        stored.resize_with(count, || Err(StoreError::Backbone(error.clone())));
    }
    stored
}

fn refused(error: &PublishError, attempted: impl Fn() -> String) -> StoreError {
    let said = std::error::Error::source(error).and_then(|source| source.downcast_ref::<jetstream::Error>());
    match said {
        Some(said) => {
            let (err_code, description) = (said.error_code().0, said.to_string());
            server_error(ApiError { err_code, description }, attempted)
        }
        None => StoreError::Backbone(BackboneError::Unavailable { attempted: attempted(), reason: error.to_string() }),
    }
}

async fn send(connection: &Connection, messages: Vec<Message>, deadline: Instant) -> Result<Bytes, String> {
    let batch = connection.unique();
    let last = messages.len();
    for (number, mut message) in (1_usize..).zip(messages) {
        if last > 1 {
            message.headers.insert(header::NATS_BATCH_ID, batch.as_str());
            message.headers.insert(header::NATS_BATCH_SEQUENCE, number.to_string());
        }
        if number < last {
            let sent = connection.client.publish_with_headers(message.subject, message.headers, message.payload).await;
            sent.map_err(|error| error.to_string())?;
            continue;
        }
        if last > 1 {
            message.headers.insert(header::NATS_BATCH_COMMIT, header::NATS_BATCH_COMMIT_FINAL);
        }
        let request = Request::new()
            .headers(message.headers)
            .payload(message.payload)
            .timeout(Some(deadline.saturating_duration_since(Instant::now())));
        let answer = connection.client.send_request(message.subject, request).await;
        return answer.map(|answer| answer.payload).map_err(|error| error.to_string());
    }
    Err("an empty batch".to_owned())
}

fn read(answer: &[u8], attempted: impl Fn() -> String) -> Result<u64, StoreError> {
    let unavailable = |reason| StoreError::Backbone(BackboneError::Unavailable { attempted: attempted(), reason });
    let answer: Acknowledgement =
        serde_json::from_slice(answer).map_err(|error| unavailable(format!("the answer cannot be read: {error}")))?;
    match answer.error {
        None if answer.seq > 0 => Ok(answer.seq),
        None => Err(unavailable("the answer has no sequence".to_owned())),
        Some(error) => Err(server_error(error, attempted)),
    }
}

fn server_error(error: ApiError, attempted: impl Fn() -> String) -> StoreError {
    match error.err_code {
        WRONG_LAST_SEQUENCE | WRONG_LAST_SEQUENCE_CONSTANT => StoreError::WrongLastSequence,
        INCOMPLETE => StoreError::Incomplete,
        STORE_FAILED => StoreError::StreamLimit(error.description),
        code if is_full(code) => StoreError::Backbone(BackboneError::Full {
            attempted: attempted(),
            reason: format!("{} (JetStream error {code})", error.description),
            usage: "what was to be stored is not stored".to_owned(),
        }),
        code => StoreError::Backbone(BackboneError::Unavailable {
            attempted: attempted(),
            reason: format!("{} (JetStream error {code})", error.description),
        }),
    }
}

impl From<BackboneError> for StoreError {
    fn from(error: BackboneError) -> Self {
        Self::Backbone(error)
    }
}
