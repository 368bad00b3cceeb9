//! Following a stream by position: read what is committed, then wait for the end to move. Because the end is a
//! position and not a queue of rows, a slow reader is behind and never loses anything.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    frame::Row,
    store::{self, Chunk, Store},
    stream::StreamName,
};
use crate::BackboneError;

/// Most rows and bytes read at a time.
const CHUNK: Chunk = Chunk { rows: 256, bytes: 1024 * 1024 };
/// Most rows that wait in a follower's channel.
pub(crate) const FOLLOWER_ROWS_MAX: usize = 256;

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
    pub(crate) async fn next(&mut self, wanted: impl Fn(&[u8]) -> bool + Send + 'static) -> Result<Vec<Row>, BackboneError> {
        let after = self.after;
        let last = *self.tail.wait_for(|last| *last > after).await.map_err(|_| BackboneError::Closed)?;
        let stream = self.stream.clone();
        let read =
            self.store.read("following", move |transaction| store::rows(transaction, &stream, after, last, CHUNK, wanted));
        let read = read.await?;
        self.after = read.through;
        Ok(read.rows)
    }
}
