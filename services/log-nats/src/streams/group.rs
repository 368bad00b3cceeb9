//! Group commit: what arrives while one commit is under way shares the next one, and with it one sync of the disk.
//!
//! No timer: a lone caller pays one sync and no more, and under load a batch is as large as a commit is slow. One commit
//! at a time keeps the order of arrival.

use std::future::Future;

use rollcall_log::BackboneError;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, timeout},
};

use crate::streams::atomic;

/// Callers that wait for their turn; the next one waits before it.
const WAITING_MAX: usize = 8 * atomic::MESSAGES_MAX;
/// Payload bytes in one batch, unless a single item is larger.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How much of a batch an item takes.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// At most [`atomic::MESSAGES_MAX`].
    pub(crate) messages: usize,
    pub(crate) payload_bytes: usize,
}

/// Something to commit, and who waits for it.
pub(crate) struct Waiting<T, R> {
    pub(crate) item: T,
    size: Size,
    answer: oneshot::Sender<Result<R, BackboneError>>,
}

impl<T, R> Waiting<T, R> {
    /// Tells the caller. One that has stopped waiting hears nothing.
    pub(crate) fn answer(self, answer: Result<R, BackboneError>) {
        let _ = self.answer.send(answer);
    }
}

/// The way in. When the last clone is dropped, what has been handed in is committed and the task behind it ends.
pub(crate) struct Group<T, R> {
    sender: mpsc::Sender<Waiting<T, R>>,
    patience: Duration,
}

impl<T: Send + 'static, R: Send + 'static> Group<T, R> {
    /// Starts with the function that commits a batch and answers every caller in it. `patience` is how long a caller
    /// waits for its turn and its commit together.
    pub(crate) fn start<F, Fut>(patience: Duration, commit: F) -> Self
    where
        F: Fn(Vec<Waiting<T, R>>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(run(receiver, commit));
        Self { sender, patience }
    }

    /// Hands in an item; returns what its commit said.
    pub(crate) async fn commit(&self, attempted: impl Fn() -> String, item: T, size: Size) -> Result<R, BackboneError> {
        let (answer, answered) = oneshot::channel();
        let turn = async {
            self.sender.send(Waiting { item, size, answer }).await.map_err(|_| BackboneError::Closed)?;
            answered.await.map_err(|_| BackboneError::Closed)?
        };
        timeout(self.patience, turn).await.unwrap_or_else(|_elapsed| {
            Err(BackboneError::Unavailable { attempted: attempted(), reason: "no turn to be stored in time".to_owned() })
        })
    }
}

async fn run<T, R, F, Fut>(mut receiver: mpsc::Receiver<Waiting<T, R>>, commit: F)
where
    F: Fn(Vec<Waiting<T, R>>) -> Fut,
    Fut: Future<Output = ()>,
{
    let mut held = None;
    loop {
        let first = match held.take() {
            Some(first) => first,
            None => match receiver.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let mut size = first.size;
        let mut batch = vec![first];
        while size.messages < atomic::MESSAGES_MAX {
            let Ok(next) = receiver.try_recv() else { break };
            size.messages += next.size.messages;
            size.payload_bytes += next.size.payload_bytes;
            if size.messages > atomic::MESSAGES_MAX || size.payload_bytes > BATCH_BYTES_MAX {
                held = Some(next);
                break;
            }
            batch.push(next);
        }
        // Who has given up was told that it is unknown; storing it now would only make it later than it looks.
        batch.retain(|waiting| !waiting.answer.is_closed());
        if !batch.is_empty() {
            commit(batch).await;
        }
    }
}
