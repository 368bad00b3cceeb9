//! Following a stream by position: read what is committed, then wait for the end to move. Because the end is a
//! position and not a queue of rows, a slow reader is behind and never loses anything.

use std::sync::Arc;

use redb::ReadTransaction;
use rollcall_log::{BackboneError, log::Entry};
use tokio::sync::watch;

use super::{
    beside,
    store::{self, Chunk, Read, Store, StoreError},
    stream::StreamName,
};

/// Most rows and bytes read at a time.
const CHUNK: Chunk = Chunk { rows: 256, bytes: 1024 * 1024 };
/// Most rows that wait in a follower's channel.
pub(crate) const FOLLOWER_ROWS_MAX: usize = 256;
/// Most records that wait in the channel of a log's follower: it folds a whole batch before it takes more, and the next one
/// is to be read meanwhile.
pub(crate) const FOLLOWER_RECORDS_MAX: usize = 1024;

/// A place in a stream.
pub(crate) struct Cursor {
    pub(crate) store: Arc<Store>,
    pub(crate) stream: StreamName,
    pub(crate) after: u64,
    pub(crate) tail: watch::Receiver<u64>,
}

impl Cursor {
    /// The next rows that are wanted; waits for them if the end is reached. May be empty when none of those read were.
    ///
    /// # Errors
    /// [`BackboneError::Closed`] when the backbone was dropped, or why the rows cannot be read.
    pub(crate) async fn next(&mut self, wanted: impl Fn(&[u8]) -> bool + Send + 'static) -> Result<Read, BackboneError> {
        self.read_next(move |transaction, stream, after, last| {
            let read = store::rows(transaction, stream, after, last, CHUNK, wanted)?;
            let through = read.through;
            Ok((read, through))
        })
        .await
    }

    /// As [`next`](Self::next), of a log: with what stands beside its records.
    pub(crate) async fn next_entries(&mut self) -> Result<Vec<Entry>, BackboneError> {
        self.read_next(|transaction, stream, after, last| beside::entries(transaction, stream, after, last, CHUNK)).await
    }

    /// Waits until there is something after the cursor, reads, and goes on to where the reading reached.
    async fn read_next<T: Send + 'static>(
        &mut self,
        read: impl FnOnce(&ReadTransaction, &StreamName, u64, u64) -> Result<(T, u64), StoreError> + Send + 'static,
    ) -> Result<T, BackboneError> {
        let after = self.after;
        let last = *self.tail.wait_for(|last| *last > after).await.map_err(|_| BackboneError::Closed)?;
        let stream = self.stream.clone();
        let (found, through) =
            self.store.read("following", move |transaction| read(transaction, &stream, after, last)).await?;
        self.after = through;
        Ok(found)
    }
}
