//! Following a stream for ever: one replay after the other, each from the last position of the one before.
//!
//! What a message means, and what would be wrong, is the [`Reader`]'s; here is only how to keep going: after a lost
//! connection, a deleted consumer, a server that started again, or a reader that was too slow for the client's buffers.

use std::sync::Arc;

use async_nats::jetstream::stream::Info;
use rollcall_log::BackboneError;
use tokio::{sync::mpsc, time::sleep};

use crate::{
    connection::{Connection, dial::pause},
    streams::{
        self,
        replay::{Replay, ReplayEnd, Stored},
    },
};

/// Items that wait for a slow follower; then the server waits.
const WAITING_MAX: usize = 1024;

/// Makes items of stored messages, and knows the position from one replay to the next.
pub(crate) trait Reader: Send + 'static {
    /// What the follower gets.
    type Item: Send + 'static;

    /// Looks at the stream before it is read on; says after which sequence to read.
    fn start(&mut self, info: &Info) -> Result<u64, BackboneError>;

    /// What there is to say before waiting, when `pending` messages are still to come and the stream ended at `end` when
    /// it was opened.
    fn waiting(&mut self, pending: u64, end: u64) -> Result<Option<Self::Item>, BackboneError>;

    /// What there is to say when reading has been interrupted, for as long as it takes to go on.
    fn interrupted(&mut self, _reason: &str) -> Option<Self::Item> {
        None
    }

    /// Reads a message; `None` if the follower did not ask for it.
    fn read(&mut self, stored: Stored) -> Result<Option<Self::Item>, BackboneError>;
}

/// What a follower gets its items from.
type Receiver<T> = mpsc::Receiver<Result<T, BackboneError>>;
type Sender<T> = mpsc::Sender<Result<T, BackboneError>>;

/// Starts following `filter` of `stream` after the reader's last position. The first replay is open when this returns.
pub(crate) async fn follow<R: Reader>(
    connection: &Arc<Connection>,
    stream: String,
    filter: String,
    reader: R,
) -> Result<Receiver<R::Item>, BackboneError> {
    let mut following = Following { connection: connection.clone(), stream, filter, reader };
    let replay = following.open().await?;
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    tokio::spawn(async move { following.run(replay, sender).await });
    Ok(receiver)
}

struct Following<R> {
    connection: Arc<Connection>,
    stream: String,
    filter: String,
    reader: R,
}

/// The reader has gone.
struct Unread;

impl<R: Reader> Following<R> {
    async fn open(&mut self) -> Result<Replay, BackboneError> {
        let attempted = || format!("following stream {}", self.stream);
        let info = streams::existing(&self.connection, &self.stream, attempted).await?;
        let after = self.reader.start(&info)?;
        Replay::open(&self.connection, info, &self.filter, after).await
    }

    async fn run(mut self, first: Replay, sender: Sender<R::Item>) {
        let (mut opened, mut failures) = (Ok(first), 0);
        loop {
            let end = match opened {
                Ok(replay) => {
                    failures = 0;
                    match self.read(replay, &sender).await {
                        Ok(end) => end,
                        Err(Unread) => return,
                    }
                }
                Err(error) => ReplayEnd::from(error),
            };
            match end {
                ReplayEnd::Again(reason) => {
                    tracing::debug!(stream = self.stream, reason, "following again");
                    if let Some(item) = self.reader.interrupted(&reason)
                        && sender.send(Ok(item)).await.is_err()
                    {
                        return;
                    }
                    tokio::select! {
                        () = sender.closed() => return,
                        () = sleep(pause(self.connection.config.retry_seed, &self.stream, failures)) => {}
                    }
                    failures += 1;
                }
                ReplayEnd::Final(error) => {
                    // A reader that has gone away needs no error.
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            }
            opened = self.open().await;
        }
    }

    /// Hands over one replay, to its end.
    async fn read(&mut self, mut replay: Replay, sender: &Sender<R::Item>) -> Result<ReplayEnd, Unread> {
        let end = replay.info.state.last_sequence;
        let mut pending = replay.pending;
        loop {
            match self.reader.waiting(pending, end) {
                Ok(None) => {}
                Ok(Some(item)) => sender.send(Ok(item)).await.map_err(|_| Unread)?,
                Err(error) => return Ok(ReplayEnd::Final(error)),
            }
            let stored = tokio::select! {
                () = sender.closed() => return Err(Unread),
                stored = replay.next() => match stored {
                    Ok(stored) => stored,
                    Err(end) => return Ok(end),
                },
            };
            pending = stored.pending;
            match self.reader.read(stored) {
                Ok(None) => {}
                Ok(Some(item)) => sender.send(Ok(item)).await.map_err(|_| Unread)?,
                Err(error) => return Ok(ReplayEnd::Final(error)),
            }
        }
    }
}
