//! Messages of a shard from a cursor to the end, once.

use std::{sync::Arc, time::Duration};

use rollcall_log::{
    BackboneError,
    messages::{MessageCursor, MessagePosition, Replayed},
};
use tokio::{sync::mpsc, time::timeout};

use super::MessageReader;
use crate::{
    connection::Connection,
    streams::{
        self,
        follow::Reader,
        replay::{Replay, ReplayEnd},
    },
};

/// Messages that wait for a slow reader; then the server waits.
const WAITING_MAX: usize = 256;
/// Silence after which messages that were to come have been forgotten meanwhile: the reader begins again where it is.
const SILENCE_MAX: Duration = Duration::from_secs(2);

type Out = mpsc::Sender<Result<Replayed, BackboneError>>;

/// See [`rollcall_log::messages::DeviceMessages::replay`].
pub(super) async fn replay(
    connection: &Arc<Connection>,
    mut reader: MessageReader,
    filter: String,
    after: MessageCursor,
) -> Result<mpsc::Receiver<Result<Replayed, BackboneError>>, BackboneError> {
    let stream = reader.wanted.subjects.stream.clone();
    let info = streams::existing(connection, &stream, || format!("replaying stream {stream}")).await?;
    let from = reader.start(&info)?;
    let replay = Replay::open(connection, info, &filter, from).await?;
    let (out, replayed) = mpsc::channel(WAITING_MAX);
    tokio::spawn(read(replay, reader, after, out));
    Ok(replayed)
}

async fn read(mut replay: Replay, mut reader: MessageReader, after: MessageCursor, out: Out) {
    let (mut pending, end) = (replay.pending, replay.info.state.last_sequence);
    while pending > 0 {
        let stored = tokio::select! {
            () = out.closed() => return,
            stored = timeout(SILENCE_MAX, replay.next()) => stored,
        };
        let attempted = || format!("replaying stream {}", reader.wanted.subjects.stream);
        let message = match stored {
            Ok(Ok(stored)) => {
                pending = stored.pending;
                reader.read(stored)
            }
            Ok(Err(end)) => Err(end.unavailable(attempted)),
            Err(_elapsed) => Err(ReplayEnd::Again("what was to come does not".to_owned()).unavailable(attempted)),
        };
        let next = match message {
            Ok(None) => continue,
            Ok(Some(message)) => Ok(Replayed::Message(message)),
            Err(error) => Err(error),
        };
        let is_last = next.is_err();
        if out.send(next).await.is_err() || is_last {
            return;
        }
    }
    let mut cursor = after;
    if let Some(shard) = reader.wanted.shard {
        cursor.advance(MessagePosition::sharded(shard.number(), reader.last.max(end)));
    }
    // The reader may be gone.
    let _ = out.send(Ok(Replayed::End(cursor))).await;
}
