//! A stream that requests are pulled from: a shard, or what a log had of its own in version 0.1.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use crate::{requests::bound::Excess, subjects::shards::Shard};

/// See the file.
pub(super) struct Source {
    pub(super) stream: String,
    /// Sources of a lower rank are older.
    pub(super) rank: u8,
    /// `None`: a log's own stream of version 0.1, where requests have no submitters.
    pub(super) shard: Option<Shard>,
    /// Held by the taker that has a request open at the server.
    pub(super) waiting: Arc<tokio::sync::Mutex<()>>,
    pub(super) excess: Mutex<Excess>,
    consumer_is_there: AtomicBool,
}

impl Source {
    pub(super) fn new(stream: String, rank: u8, shard: Option<Shard>) -> Self {
        let (waiting, excess, consumer_is_there) = Default::default();
        Self { stream, rank, shard, waiting, excess, consumer_is_there }
    }

    /// Whether the registrars' consumer has been declared, as far as this process knows.
    pub(super) fn has_consumer(&self) -> bool {
        self.consumer_is_there.load(Ordering::Acquire)
    }

    pub(super) fn set_consumer(&self, is_there: bool) {
        self.consumer_is_there.store(is_there, Ordering::Release);
    }
}
