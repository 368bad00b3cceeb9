//! The fleet in memory: small, folded from the start at every start, published as one immutable snapshot.
//!
//! Not in sled: a fleet has a few instances, and a process that cannot reach the log at its start has nothing to serve
//! anyway. Invariant: a published snapshot is the fleet's log at its position; while the log is out of reach, or holds
//! a record that cannot be read, the last one stays.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use rollcall_backbone::{
    BackboneError,
    codec::AnyEvent,
    follow::{Batch, LogFollower, Step, Stop},
    log::{RegistryLog, StreamIdentity},
    seal::{Point, SealKeys, SealedLog},
};
use rollcall_domain::{
    fleet::Fleet,
    ids::{LogId, Position, RequestId},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    admission::{ForeignSeen, LogProof},
    foreign::{ForeignNotice, metrics},
};

/// First wait before following is tried again.
const RETRY_MIN: Duration = Duration::from_millis(100);
/// Longest wait before following is tried again.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The fleet at one position.
#[derive(Clone, Debug)]
pub struct FleetSnapshot {
    /// How far the fleet log has been read: position, digest, how it is proven.
    pub point: Point,
    /// The instances, operators and access keys.
    pub fleet: Fleet,
    /// Where each request came to a record: how a request seen again gets its earlier ruling.
    pub ruled: Arc<BTreeMap<RequestId, Position>>,
    /// Whether everything that the log held when following began has been read.
    pub caught_up: bool,
    /// How the log is proven.
    pub proof: LogProof,
    /// Records that were not ours and were stepped over.
    pub foreign: Option<ForeignSeen>,
    /// Why nothing more is read for now: the log is out of reach, holds a record that cannot be read, or cannot be proven.
    pub stands_still: Option<String>,
}

impl Default for FleetSnapshot {
    /// Before anything is known of the fleet.
    fn default() -> Self {
        Self::at_start(&SealKeys::default())
    }
}

impl FleetSnapshot {
    fn at_start(keys: &SealKeys) -> Self {
        let point = Point::start(&SealedLog::FLEET, keys);
        Self {
            point,
            fleet: Fleet::default(),
            ruled: Arc::default(),
            caught_up: false,
            proof: LogProof::of(point.sealing, keys),
            foreign: None,
            stands_still: None,
        }
    }

    /// How far the fleet log has been read.
    pub const fn position(&self) -> Position {
        self.point.position
    }
}

/// Follows the fleet log until `shutdown`, proven by `keys`; reconnects by itself. The receiver always holds the latest
/// snapshot.
pub fn follow(
    log: Arc<dyn RegistryLog>,
    keys: SealKeys,
    shutdown: CancellationToken,
) -> watch::Receiver<Arc<FleetSnapshot>> {
    let (publisher, snapshots) = watch::channel(Arc::default());
    let latest = FleetSnapshot::at_start(&keys);
    let follower =
        Follower { log, keys, publisher, stream: None, latest, foreign: ForeignNotice::default(), retry: RETRY_MIN };
    tokio::spawn(async move { shutdown.run_until_cancelled(follower.run()).await });
    snapshots
}

struct Follower {
    log: Arc<dyn RegistryLog>,
    keys: SealKeys,
    publisher: watch::Sender<Arc<FleetSnapshot>>,
    /// The stream that `latest` was folded from.
    stream: Option<StreamIdentity>,
    latest: FleetSnapshot,
    foreign: ForeignNotice,
    retry: Duration,
}

/// Why following stopped.
enum Stopped {
    /// The log went away, or cannot be proven; try again.
    Lost(String),
    /// What was read was another log.
    Diverged(String),
}

impl From<BackboneError> for Stopped {
    fn from(error: BackboneError) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<Stop> for Stopped {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Lost(error) => error.into(),
            Stop::Diverged { .. } => Self::Diverged(stop.to_string()),
            Stop::Unproven(why) => Self::Lost(why.to_string()),
        }
    }
}

impl Follower {
    async fn run(mut self) {
        loop {
            match self.follow().await {
                Ok(never) => match never {},
                Err(Stopped::Lost(reason)) => {
                    tracing::warn!(reason, "the fleet log is out of reach; trying again");
                    self.stand_still(reason);
                    tokio::time::sleep(self.retry).await;
                    self.retry = (self.retry * 2).min(RETRY_MAX);
                }
                Err(Stopped::Diverged(reason)) => self.read_again(&reason),
            }
        }
    }

    async fn follow(&mut self) -> Result<Infallible, Stopped> {
        let stream = self.log.open(&LogId::Fleet).await?;
        if self.stream.as_ref().is_some_and(|known| *known != stream) {
            self.read_again("it was deleted and made again");
        }
        self.stream = Some(stream);
        let (log, keys) = (Arc::clone(&self.log), self.keys.clone());
        let mut reader = LogFollower::new(log, SealedLog::FLEET, keys, self.latest.point);
        loop {
            for step in reader.next().await? {
                self.take(step);
            }
            self.publish();
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Batch(batch) => self.fold(batch),
            Step::Foreign { position, why, after } => {
                let count = self.latest.foreign.map_or(0, |seen| seen.count) + 1;
                self.latest.foreign = Some(ForeignSeen { count, last: position });
                self.latest.point = after;
                metrics().foreign(why);
                self.foreign.tell(&LogId::Fleet, position, why);
            }
            Step::CaughtUp(_) => {
                (self.latest.caught_up, self.latest.stands_still) = (true, None);
                self.retry = RETRY_MIN;
            }
            // What was read stays, as in any other case of a log out of reach.
            Step::Interrupted { reason } => {
                tracing::warn!(reason, "the fleet log is out of reach; following goes on by itself");
                self.latest.stands_still = Some(reason);
            }
            Step::Parked { at, reason } => {
                tracing::error!(position = %at, reason, "the fleet stands before a record that cannot be read");
                self.latest.stands_still = Some(format!("parked before the record at position {at}: {reason}"));
            }
        }
    }

    fn fold(&mut self, batch: Batch) {
        for read in batch.records {
            match &read.record.event {
                AnyEvent::Fleet(event) => self.latest.fleet.evolve(event, read.record.time),
                // The codec refuses a registry event in the fleet's log; were there one, it would mean nothing here. What is
                // about the log itself changes nothing of the fleet.
                AnyEvent::Registry(_) | AnyEvent::Log(_) => {}
            }
            Arc::make_mut(&mut self.latest.ruled).insert(read.record.cause.clone(), read.entry.position);
        }
        self.latest.point = batch.after;
        self.latest.proof = LogProof::of(batch.after.sealing, &self.keys);
    }

    fn read_again(&mut self, reason: &str) {
        tracing::error!(reason, "the fleet log is not the one that was read before: reading it again");
        self.latest = FleetSnapshot::at_start(&self.keys);
    }

    fn stand_still(&mut self, reason: String) {
        self.latest.stands_still = Some(reason);
        self.publish();
    }

    /// Half a fleet would close the other half's connections: nothing is shown until all has been read.
    fn publish(&self) {
        if self.latest.caught_up {
            self.publisher.send_replace(Arc::new(self.latest.clone()));
        }
    }
}
