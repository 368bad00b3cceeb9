//! Rejected attempts on the local store.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position};
use rollcall_log::{
    BackboneError,
    attempts::Attempts,
    log::{Entry, RECORD_BYTES_MAX},
};

use super::{
    core::Core,
    store::{self, Chunk},
    stream::{StreamKind, StreamName},
};

/// Most bytes that one reading returns: after it, the caller reads on.
const READ_BYTES_MAX: usize = 16 * 1024 * 1024;

/// [`Attempts`] on a [`Core`].
pub(crate) struct LocalAttempts(pub(crate) Arc<Core>);

#[async_trait]
impl Attempts for LocalAttempts {
    async fn keep(&self, log: &LogId, attempts: Vec<Bytes>) -> Result<(), BackboneError> {
        if attempts.is_empty() {
            return Ok(());
        }
        if let Some(large) = attempts.iter().find(|attempt| attempt.len() > RECORD_BYTES_MAX) {
            let what = format!("an attempt of {} bytes", large.len());
            return Err(BackboneError::LimitReached { what, max: RECORD_BYTES_MAX as u64 });
        }
        let (stream, bounds) = (StreamName::attempts(log), self.0.shared.limits.attempts);
        // Attempts have no `open` of their own: the stream is made with the first one.
        if self.0.shared.tails.last(&stream).is_none() {
            self.0.declare(stream.clone(), StreamKind::Attempts).await?;
        }
        self.0.write(move |batch| batch.keep(&stream, &attempts, bounds)).await.map(|_| ())
    }

    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        let stream = StreamName::attempts(log);
        let Some(last) = self.0.shared.tails.last(&stream) else { return Ok(Vec::new()) };
        let chunk = Chunk { rows: max, bytes: READ_BYTES_MAX };
        let read =
            self.0.shared.store.read("reading attempts", move |transaction| {
                store::rows(transaction, &stream, after.0, last, chunk, |_| true)
            });
        let entry = |row: super::frame::Row| Entry::bare(Position(row.position), row.body);
        Ok(read.await?.whole()?.rows.into_iter().map(entry).collect())
    }
}
