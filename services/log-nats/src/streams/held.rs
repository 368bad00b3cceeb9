//! All that a stream holds on a filter when reading begins, each message once; for streams in which messages are replaced
//! and expire meanwhile.
//!
//! What has gone meanwhile does not come, and the server does not say so. Silence therefore says nothing: behind it another
//! reading begins, which knows what is still to come. Invariant: the end is told only when the server has said, at the
//! opening of a reading or with a message, that nothing more is there.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::stream::Info;
use rollcall_log::{BackboneError, log::StreamIdentity};
use tokio::time::timeout;

use super::replay::{Replay, ReplayEnd, Stored};
use crate::{connection::Connection, streams};

/// Silence after which it is asked what is still to come.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// Readings in a row that promise messages of which none comes.
const VAIN_MAX: u32 = 3;

/// What is still to be read.
pub(crate) struct Held {
    connection: Arc<Connection>,
    filter: String,
    replay: Replay,
    identity: StreamIdentity,
    /// The last sequence when reading began.
    last: u64,
    read: u64,
    pending: u64,
    vain: u32,
}

impl Held {
    /// Reads what comes after `after` of the stream that `info` has just been read of.
    pub(crate) async fn open(
        connection: &Arc<Connection>,
        info: Info,
        filter: String,
        after: u64,
    ) -> Result<Self, BackboneError> {
        let (identity, last) = (streams::identity(&info), info.state.last_sequence);
        let replay = Replay::open(connection, info, &filter, after).await?;
        let pending = replay.pending;
        Ok(Self { connection: connection.clone(), filter, replay, identity, last, read: after, pending, vain: 0 })
    }

    /// The last sequence that the stream had when reading began.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// The next message, or `None` at the end. One that is dropped while waiting has to be read from the beginning.
    pub(crate) async fn next(&mut self) -> Result<Option<Stored>, ReplayEnd> {
        while self.pending > 0 && self.read < self.last {
            match timeout(SILENCE_MAX, self.replay.next()).await {
                // What was put in the place of something that is read or gone.
                Ok(Ok(stored)) if stored.sequence > self.last => break,
                Ok(Ok(stored)) => {
                    (self.read, self.pending, self.vain) = (stored.sequence, stored.pending, 0);
                    return Ok(Some(stored));
                }
                Ok(Err(end)) => return Err(end),
                Err(_elapsed) => self.ask().await?,
            }
        }
        self.pending = 0;
        Ok(None)
    }

    /// Begins another reading behind what has been read.
    async fn ask(&mut self) -> Result<(), ReplayEnd> {
        self.vain += 1;
        if self.vain > VAIN_MAX {
            return Err(ReplayEnd::Again("what is still to come does not".to_owned()));
        }
        let stream = self.replay.info.config.name.clone();
        let attempted = || format!("reading what stream {stream} holds after {}", self.read);
        let info = streams::existing(&self.connection, &stream, attempted).await?;
        if streams::identity(&info) != self.identity {
            return Err(ReplayEnd::Again("the stream has been made again".to_owned()));
        }
        self.replay = Replay::open(&self.connection, info, &self.filter, self.read).await?;
        self.pending = self.replay.pending;
        Ok(())
    }
}
