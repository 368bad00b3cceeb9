//! Messages that version 0.1 stored in a stream of the instance's own, while they last.
//!
//! New messages go to the shard; until all connectors are of this version, some come to the old stream as well. So both
//! are followed: first what the old one holds when following begins, then both as messages come. Invariant: a message
//! of the old stream that was there before any was in the shard is handed over before all of the shard's. Of one that a
//! connector of version 0.1 adds later nothing is promised but that it comes.

use async_nats::jetstream::stream::Info;
use rollcall_log::{BackboneError, messages::StoredMessage};
use tokio::sync::mpsc;

use crate::{
    messages::MessageReader,
    streams::{follow::Reader, replay::Stored},
};

/// Messages that wait for a slow follower.
const WAITING_MAX: usize = 64;

type Follower<T> = mpsc::Receiver<Result<T, BackboneError>>;

/// What comes of an old stream.
pub(super) enum Drained {
    Message(Box<StoredMessage>),
    /// What it held when following began has been handed over.
    CaughtUp,
}

/// Reads an old stream, and says when it has been read to its end.
pub(super) struct Draining {
    reader: MessageReader,
    caught_up: bool,
}

impl Draining {
    pub(super) const fn new(reader: MessageReader) -> Self {
        Self { reader, caught_up: false }
    }
}

impl Reader for Draining {
    type Item = Drained;

    fn start(&mut self, info: &Info) -> Result<u64, BackboneError> {
        self.reader.start(info)
    }

    fn waiting(&mut self, pending: u64, _end: u64) -> Result<Option<Drained>, BackboneError> {
        let said = self.caught_up;
        self.caught_up |= pending == 0;
        Ok((self.caught_up && !said).then_some(Drained::CaughtUp))
    }

    fn read(&mut self, stored: Stored) -> Result<Option<Drained>, BackboneError> {
        Ok(self.reader.read(stored)?.map(|message| Drained::Message(Box::new(message))))
    }
}

/// Follows an old stream to its end before the shard, then both.
pub(super) fn before(own: Follower<Drained>, sharded: Follower<StoredMessage>) -> Follower<StoredMessage> {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    tokio::spawn(merge(own, sharded, sender));
    receiver
}

async fn merge(
    mut own: Follower<Drained>,
    mut sharded: Follower<StoredMessage>,
    sender: mpsc::Sender<Result<StoredMessage, BackboneError>>,
) {
    let (mut caught_up, mut ended) = (false, false);
    loop {
        let next = tokio::select! {
            () = sender.closed() => return,
            drained = own.recv(), if !ended => match drained {
                Some(Ok(Drained::Message(message))) => Ok(*message),
                Some(Ok(Drained::CaughtUp)) => {
                    caught_up = true;
                    continue;
                }
                // An operator has deleted it: what was not read of it is gone.
                Some(Err(BackboneError::Damaged { what, reason })) => {
                    tracing::info!(what, reason, "messages of version 0.1 are not followed any more");
                    (caught_up, ended) = (true, true);
                    continue;
                }
                Some(Err(error)) => Err(error),
                None => return,
            },
            message = sharded.recv(), if caught_up => match message {
                Some(message) => message,
                None => return,
            },
        };
        let is_last = next.is_err();
        if sender.send(next).await.is_err() || is_last {
            return;
        }
    }
}
