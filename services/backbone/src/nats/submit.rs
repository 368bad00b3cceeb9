//! How submitted requests are stored: together in one batch, those that wait already sorted out when there are any.
//!
//! A batch with one request that waits already is refused whole, and the refusal does not say which. Then each subject is
//! asked for what it holds (reads, no sync), and the rest is tried again.

use std::collections::HashSet;

use async_nats::{HeaderMap, header};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rollcall_domain::ids::{LogId, RequestId};

use super::{
    atomic::{self, StoreError},
    connection::Connection,
    direct::{self, Held},
    group::Waiting,
    subjects,
};
use crate::{
    BackboneError,
    requests::{Submitted, WAITING_MAX},
};

/// How often what is left of a batch is tried.
const TRIES_MAX: usize = 4;
/// Subjects asked for at a time.
const LOOKUPS_MAX: usize = 128;

/// A request on its way into the queue.
#[derive(Clone)]
pub(super) struct Submission {
    pub(super) id: RequestId,
    pub(super) request: Bytes,
}

type Batch = Vec<Waiting<Submission, Submitted>>;

pub(super) fn attempted(log: &LogId) -> String {
    format!("queueing requests of {log}")
}

/// Stores a batch and answers everyone in it.
pub(super) async fn store(connection: &Connection, log: &LogId, batch: Batch) {
    let (mut left, repeated) = once_each(batch);
    let mut refused = StoreError::WrongLastSequence;
    for _ in 0..TRIES_MAX {
        if left.is_empty() {
            break;
        }
        let messages = left.iter().map(|waiting| message(log, &waiting.item)).collect();
        match atomic::store(connection, || attempted(log), messages).await {
            Ok(_last) => {
                answer(std::mem::take(&mut left), &Ok(Submitted::Queued));
            }
            Err(StoreError::WrongLastSequence) => left = without_waiting(connection, log, left).await,
            Err(StoreError::Incomplete) => refused = StoreError::Incomplete,
            Err(error) => {
                refused = error;
                break;
            }
        }
    }
    let outcome = if left.is_empty() { Ok(Submitted::AlreadyQueued) } else { Err(why(log, refused)) };
    answer(left, &outcome);
    answer(repeated, &outcome);
}

/// The same id twice in one batch would refuse itself.
fn once_each(batch: Batch) -> (Batch, Batch) {
    let mut seen = HashSet::new();
    batch.into_iter().partition(|waiting| seen.insert(waiting.item.id.clone()))
}

fn message(log: &LogId, submission: &Submission) -> atomic::Message {
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
    atomic::Message { subject: subjects::request(log, &submission.id), headers, payload: submission.request.clone() }
}

/// Answers those that wait already; returns the others.
async fn without_waiting(connection: &Connection, log: &LogId, batch: Batch) -> Batch {
    let stream = subjects::requests_stream(log);
    let looked_up: Vec<_> = stream::iter(batch)
        .map(|waiting| {
            let (stream, subject) = (&stream, subjects::request(log, &waiting.item.id));
            async move { (direct::last(connection, stream, &subject).await, waiting) }
        })
        .buffered(LOOKUPS_MAX)
        .collect()
        .await;
    let mut left = Vec::new();
    for (held, waiting) in looked_up {
        match held {
            Ok(Some(Held { .. })) => waiting.answer(Ok(Submitted::AlreadyQueued)),
            Ok(None) => left.push(waiting),
            Err(error) => waiting.answer(Err(error)),
        }
    }
    left
}

fn why(log: &LogId, refused: StoreError) -> BackboneError {
    let unavailable = |reason: String| BackboneError::Unavailable { attempted: attempted(log), reason };
    match refused {
        StoreError::StreamLimit(_) => {
            BackboneError::LimitReached { what: format!("the number of waiting requests of {log}"), max: WAITING_MAX }
        }
        StoreError::WrongLastSequence => unavailable("others keep queueing the same requests".to_owned()),
        StoreError::Incomplete => unavailable("the server loses every batch".to_owned()),
        StoreError::Backbone(error) => error,
    }
}

fn answer(batch: Batch, outcome: &Result<Submitted, BackboneError>) {
    for waiting in batch {
        waiting.answer(outcome.clone());
    }
}
