//! The connection that a request comes by: where from, whether its client has proven who it is, and since when it is silent.
//!
//! Does not close connections; `serve` does. Invariant: a connection with a request under way is not silent, and a request is
//! under way until its answer has been sent.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rollcall_chassis::sources::{Share, SourceNetwork};
use tokio::{sync::watch, time::Instant};

/// In every request, behind an `Arc`.
pub(crate) struct Peer {
    /// The connection's part of all that may be open.
    share: Share,
    activity: Mutex<Activity>,
}

#[derive(Clone, Copy)]
enum Activity {
    Silent {
        since: Instant,
    },
    /// A request is under way.
    Asking,
    /// The whole answer has been handed over to be sent.
    Sending,
}

impl Peer {
    /// The peer of a connection that has sent nothing yet.
    pub(super) fn new(share: Share) -> Self {
        Self { share, activity: Mutex::new(Activity::Silent { since: Instant::now() }) }
    }

    pub(crate) fn source(&self) -> SourceNetwork {
        self.share.source()
    }

    /// A request of this connection is an operator's: from now on the connection does not count against its source, and may be
    /// silent.
    pub(crate) fn prove(&self) {
        self.share.prove();
    }

    pub(super) fn request_begins(&self) {
        *self.activity() = Activity::Asking;
    }

    /// There is nothing more of the answer than what waits to be sent.
    pub(super) fn answer_ends(&self) {
        *self.activity() = Activity::Sending;
    }

    /// Nothing waits to be sent.
    pub(super) fn flushed(&self) {
        let mut activity = self.activity();
        if matches!(*activity, Activity::Sending) {
            *activity = Activity::Silent { since: Instant::now() };
        }
    }

    /// Returns when the client has proven nothing and been silent for longer than `max`, and room is short.
    pub(super) async fn silent_while_crowded(&self, mut crowded: watch::Receiver<bool>, max: Duration) {
        loop {
            if crowded.wait_for(|crowded| *crowded).await.is_err() {
                return std::future::pending().await;
            }
            let activity = *self.activity();
            let left = match activity {
                Activity::Silent { since } if !self.share.is_proven() => max.saturating_sub(since.elapsed()),
                _ => max,
            };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        // Always a whole value.
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rollcall_chassis::sources::SharedBound;

    use super::*;

    const MAX: Duration = Duration::from_secs(3);

    fn peer(n: u8) -> Peer {
        let mut share = SharedBound::new(2, 2).share(SourceNetwork::of([192, 0, 2, n].into()));
        share.take(1).unwrap();
        Peer::new(share)
    }

    #[tokio::test(start_paused = true)]
    async fn f44_silence_ends_a_connection_only_while_it_is_crowded_and_nothing_is_proven() {
        let (tell, crowded) = watch::channel(false);
        let started = Instant::now();
        let after = |duration| tokio::time::sleep_until(started + duration);
        let (silent, proven, asking) = (peer(1), peer(2), peer(3));
        proven.prove();
        asking.request_begins();
        let shed = async |peer: &Peer| {
            peer.silent_while_crowded(crowded.clone(), MAX).await;
            started.elapsed()
        };
        let ends = tokio::join!(
            async { tokio::time::timeout(Duration::from_secs(60), shed(&silent)).await.ok() },
            async { tokio::time::timeout(Duration::from_secs(60), shed(&proven)).await.ok() },
            async { tokio::time::timeout(Duration::from_secs(60), shed(&asking)).await.ok() },
            async {
                after(Duration::from_secs(10)).await;
                tell.send_replace(true);
                after(Duration::from_secs(30)).await;
                asking.flushed();
                asking.answer_ends();
                after(Duration::from_secs(40)).await;
                asking.flushed();
            }
        );
        assert_eq!((ends.0, ends.1), (Some(Duration::from_secs(10)), None));
        let late = ends.2.unwrap();
        assert!((Duration::from_secs(43)..=Duration::from_secs(46)).contains(&late), "{late:?}");
    }
}
