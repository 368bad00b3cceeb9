//! The registry log on the local store.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position};
use tokio::sync::mpsc;

use super::{
    core::Core,
    cursor::{Cursor, FOLLOWER_ROWS_MAX},
    store::{self, Chunk},
    stream::{StreamKind, StreamName},
};
use crate::{
    BackboneError,
    log::{
        AppendError, BATCH_RECORDS_MAX, Entry, Followed, Follower, READ_BYTES_MAX, RECORD_BYTES_MAX, RegistryLog,
        StreamIdentity,
    },
};

/// [`RegistryLog`] on a [`Core`].
pub(crate) struct LocalLog(pub(crate) Arc<Core>);

type Out = mpsc::Sender<Result<Followed, BackboneError>>;

#[async_trait]
impl RegistryLog for LocalLog {
    async fn open(&self, log: &LogId) -> Result<StreamIdentity, BackboneError> {
        self.0.declare(StreamName::log(log), StreamKind::Log).await.map(StreamIdentity)
    }

    async fn last(&self, log: &LogId) -> Result<Position, BackboneError> {
        let stream = StreamName::log(log);
        self.0.shared.tails.last(&stream).map(Position).ok_or_else(|| stream.undeclared())
    }

    async fn writable(&self, _: &LogId) -> Result<(), BackboneError> {
        self.0.shared.store.writable()
    }

    async fn append(&self, log: &LogId, expected: Position, records: Vec<Bytes>) -> Result<Position, AppendError> {
        check_size(&records)?;
        let stream = StreamName::log(log);
        self.0.write(move |batch| batch.append(&stream, expected, &records)).await
    }

    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        let stream = StreamName::log(log);
        let last = self.0.shared.tails.last(&stream).ok_or_else(|| stream.undeclared())?;
        let chunk = Chunk { rows: max.min(BATCH_RECORDS_MAX), bytes: READ_BYTES_MAX };
        let named = stream.clone();
        let read =
            self.0.shared.store.read("reading the log", move |transaction| {
                store::rows(transaction, &stream, after.0, last, chunk, |_| true)
            });
        let mut entries = Vec::new();
        for (row, wanted) in read.await?.rows.into_iter().zip(after.0 + 1..) {
            if row.position != wanted {
                return Err(named.damaged(format!("the row after {} is {}: a gap", wanted - 1, row.position)));
            }
            entries.push(Entry { position: Position(row.position), record: row.body });
        }
        Ok(entries)
    }

    async fn follow(&self, log: &LogId, after: Position) -> Result<Follower, BackboneError> {
        let stream = StreamName::log(log);
        let tail = self.0.shared.tails.watch(&stream).ok_or_else(|| stream.undeclared())?;
        let last = *tail.borrow();
        if after.0 > last {
            return Err(stream.damaged(format!("it ends at {last}, and is to be followed after {after}")));
        }
        let (out, follower) = mpsc::channel(FOLLOWER_ROWS_MAX);
        let cursor = Cursor { store: Arc::clone(&self.0.shared.store), stream, after: after.0, tail };
        tokio::spawn(follow(cursor, last, out));
        Ok(follower)
    }
}

fn check_size(records: &[Bytes]) -> Result<(), BackboneError> {
    if records.is_empty() || records.len() > BATCH_RECORDS_MAX {
        let what = format!("an append of {} records (1 or more)", records.len());
        return Err(BackboneError::LimitReached { what, max: BATCH_RECORDS_MAX as u64 });
    }
    match records.iter().find(|record| record.len() > RECORD_BYTES_MAX) {
        None => Ok(()),
        Some(record) => {
            let what = format!("a record of {} bytes", record.len());
            Err(BackboneError::LimitReached { what, max: RECORD_BYTES_MAX as u64 })
        }
    }
}

async fn follow(mut cursor: Cursor, goal: u64, out: Out) {
    let mut handed_over = cursor.after;
    if handed_over == goal && out.send(Ok(Followed::CaughtUp(Position(goal)))).await.is_err() {
        return;
    }
    loop {
        let rows = tokio::select! {
            rows = cursor.next(|_| true) => rows,
            () = out.closed() => return,
        };
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => {
                // The follower may be gone too.
                let _ = out.send(Err(error)).await;
                return;
            }
        };
        for row in rows {
            if row.position != handed_over + 1 {
                let gap = format!("the row after {handed_over} is {}: a gap", row.position);
                let _ = out.send(Err(cursor.stream.damaged(gap))).await;
                return;
            }
            handed_over = row.position;
            let entry = Followed::Entry(Entry { position: Position(row.position), record: row.body });
            if out.send(Ok(entry)).await.is_err() {
                return;
            }
            if handed_over == goal && out.send(Ok(Followed::CaughtUp(Position(goal)))).await.is_err() {
                return;
            }
        }
        if handed_over != cursor.after {
            let gap = format!("the rows after {handed_over} are missing, up to {}", cursor.after);
            let _ = out.send(Err(cursor.stream.damaged(gap))).await;
            return;
        }
    }
}
