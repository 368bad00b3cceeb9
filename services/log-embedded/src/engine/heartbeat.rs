//! Registrars' announcements in one process: the last of each source, and its followers.
//!
//! Invariant: a follower is handed the last announcement of each source before any later one; one that is
//! [`BEHIND_MAX`] behind misses what comes meanwhile, and nothing that a later announcement does not say too.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_log::{
    BackboneError,
    heartbeat::{Heard, Heartbeats, KEPT, REGISTRARS_MAX, SHARDS, Source},
};
use tokio::{sync::mpsc, time::Instant};

/// Most announcements that wait for one follower, beyond those that there were when it began.
const BEHIND_MAX: usize = 1024;
/// Sources that are remembered; beyond them the one that was heard of longest ago goes.
const SOURCES_MAX: usize = REGISTRARS_MAX * SHARDS as usize;

type Follower = mpsc::Sender<Result<Heard, BackboneError>>;

/// [`Heartbeats`] in memory.
#[derive(Default)]
pub(crate) struct HeartbeatHub(Mutex<Hub>);

#[derive(Default)]
struct Hub {
    last: BTreeMap<Source, (Bytes, Instant)>,
    followers: Vec<Follower>,
}

impl HeartbeatHub {
    fn hub(&self) -> MutexGuard<'_, Hub> {
        // What is in it is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    fn keep(&mut self, source: &Source, announcement: &Bytes) {
        let now = Instant::now();
        self.last.retain(|_, (_, at)| now.saturating_duration_since(*at) < KEPT);
        self.last.insert(source.clone(), (announcement.clone(), now));
        while self.last.len() > SOURCES_MAX {
            let oldest = self.last.iter().min_by_key(|(_, (_, at))| *at).map(|(source, _)| source.clone());
            oldest.and_then(|source| self.last.remove(&source));
        }
    }
}

#[async_trait]
impl Heartbeats for HeartbeatHub {
    async fn open(&self) -> Result<(), BackboneError> {
        Ok(())
    }

    async fn announce(&self, source: &Source, announcement: Bytes) -> Result<(), BackboneError> {
        let mut hub = self.hub();
        hub.keep(source, &announcement);
        hub.followers.retain(|follower| {
            let sent = follower.try_send(Ok(Heard::Announced(announcement.clone())));
            !matches!(sent, Err(mpsc::error::TrySendError::Closed(_)))
        });
        Ok(())
    }

    async fn follow(&self) -> Result<mpsc::Receiver<Result<Heard, BackboneError>>, BackboneError> {
        let mut hub = self.hub();
        let (follower, heard) = mpsc::channel(hub.last.len() + BEHIND_MAX);
        for (announcement, _) in hub.last.values() {
            // The channel has room for all of these, and its receiver is still here.
            let _ = follower.try_send(Ok(Heard::Announced(announcement.clone())));
        }
        hub.followers.push(follower);
        Ok(heard)
    }
}
