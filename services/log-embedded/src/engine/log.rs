//! The registry log on the local store.

use std::sync::Arc;

use async_trait::async_trait;
use rollcall_domain::ids::{LogId, Position};
use rollcall_log::{
    BackboneError,
    log::{AppendError, BATCH_RECORDS_MAX, Batch, Entry, Followed, Follower, READ_BYTES_MAX, RegistryLog, StreamIdentity},
};
use tokio::sync::mpsc;

use super::{
    beside,
    core::Core,
    cursor::{Cursor, FOLLOWER_RECORDS_MAX},
    store::Chunk,
    stream::{StreamKind, StreamName},
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

    async fn append(&self, log: &LogId, expected: Position, batch: Batch) -> Result<Position, AppendError> {
        batch.check()?;
        let stream = StreamName::log(log);
        self.0.write(move |transaction| transaction.append(&stream, expected, &batch)).await
    }

    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        let stream = StreamName::log(log);
        let last = self.0.shared.tails.last(&stream).ok_or_else(|| stream.undeclared())?;
        let chunk = Chunk { rows: max.min(BATCH_RECORDS_MAX), bytes: READ_BYTES_MAX };
        let named = stream.clone();
        let read = self
            .0
            .shared
            .store
            .read("reading the log", move |transaction| beside::entries(transaction, &stream, after.0, last, chunk));
        let (entries, _) = read.await?;
        for (entry, wanted) in entries.iter().zip(after.0 + 1..) {
            if entry.position.0 != wanted {
                return Err(named.damaged(format!("the row after {} is {}: a gap", wanted - 1, entry.position)));
            }
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
        let (out, follower) = mpsc::channel(FOLLOWER_RECORDS_MAX);
        let cursor = Cursor { store: Arc::clone(&self.0.shared.store), stream, after: after.0, tail };
        tokio::spawn(follow(cursor, last, out));
        Ok(follower)
    }
}

async fn follow(mut cursor: Cursor, goal: u64, out: Out) {
    let mut handed_over = cursor.after;
    if handed_over == goal && out.send(Ok(Followed::CaughtUp(Position(goal)))).await.is_err() {
        return;
    }
    loop {
        let entries = tokio::select! {
            entries = cursor.next_entries() => entries,
            () = out.closed() => return,
        };
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                // The follower may be gone too.
                let _ = out.send(Err(error)).await;
                return;
            }
        };
        for entry in entries {
            if entry.position.0 != handed_over + 1 {
                let gap = format!("the row after {handed_over} is {}: a gap", entry.position);
                let _ = out.send(Err(cursor.stream.damaged(gap))).await;
                return;
            }
            handed_over = entry.position.0;
            if out.send(Ok(Followed::Entry(entry))).await.is_err() {
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
