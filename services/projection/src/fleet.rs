//! The fleet in memory: small, folded from the start at every start, published as one immutable snapshot.
//!
//! Not in sled: a fleet has a few instances, and a process that cannot reach the log at its start has nothing to serve
//! anyway. Invariant: a published snapshot is the fleet's log at its position; while the log is out of reach, or holds
//! a record that cannot be read, the last one stays, with its health saying so. So it is from the start: one that has never
//! been whole is empty, and says what it waits for.

mod ruled;

use std::{convert::Infallible, sync::Arc};

use rollcall_domain::{
    fleet::Fleet,
    ids::{LogId, Position},
};
use rollcall_log::{
    BackboneError,
    codec::AnyEvent,
    follow::{Batch, LogFollower, Step, Stop},
    log::{RegistryLog, StreamIdentity},
    repeats::Repeats,
    resume::Resume,
    seal::{Point, SealKeys, SealedLog},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::ruled::Ruled;
use crate::{
    foreign::{ForeignNotice, ForeignSeen, metrics},
    views::{LogProof, ViewHealth, ViewStatus},
};

/// The fleet at one position.
#[derive(Clone, Debug)]
pub struct FleetSnapshot {
    /// How far the fleet log has been read: position, digest, how it is proven.
    pub point: Point,
    /// The instances, operators and access keys.
    pub fleet: Fleet,
    /// Where each request came to a record: how a request seen again gets its earlier ruling.
    pub ruled: Arc<Ruled>,
    /// Whether everything that the log held when following began has been read.
    pub caught_up: bool,
    /// How the log is proven.
    pub proof: LogProof,
    /// Records that were not ours and were stepped over.
    pub foreign: Option<ForeignSeen>,
    /// Raised when the log was another one than was read before, and is read again from its start.
    pub generation: u64,
    /// Whether more is read, and why not.
    pub health: ViewHealth,
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
            generation: 0,
            health: ViewHealth::Following,
        }
    }

    /// How far the fleet log has been read.
    pub const fn position(&self) -> Position {
        self.point.position
    }

    /// How it stands, in the terms of an instance's view: announced, confirmed and relied upon by the same rules.
    pub fn status(&self) -> ViewStatus {
        let Point { position, digest, sealing, batch } = self.point;
        ViewStatus {
            position,
            caught_up: self.caught_up,
            digest,
            sealing,
            batch,
            proof: self.proof,
            foreign: self.foreign,
            generation: self.generation,
            health: self.health.clone(),
        }
    }
}

/// Follows the fleet log until `shutdown`, proven by `keys`; reconnects by itself. The receiver always holds the latest
/// snapshot. `retry_seed` differs between processes, so that they do not all reconnect at once.
pub fn follow(
    log: Arc<dyn RegistryLog>,
    keys: SealKeys,
    retry_seed: u64,
    shutdown: CancellationToken,
) -> watch::Receiver<Arc<FleetSnapshot>> {
    let latest = FleetSnapshot::at_start(&keys);
    let (publisher, snapshots) = watch::channel(Arc::new(latest.clone()));
    let follower = Follower {
        log,
        keys,
        publisher,
        stream: None,
        latest,
        foreign: ForeignNotice::default(),
        reaching: Repeats::default(),
        reading: Repeats::default(),
        resume: Resume::new("the fleet log", &LogId::Fleet, retry_seed),
    };
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
    /// What was said of a log that is out of reach.
    reaching: Repeats,
    /// What was said of one that cannot be read on, or is another than it was.
    reading: Repeats,
    resume: Resume,
}

/// Why following stopped.
enum Stopped {
    /// The log went away; try again.
    Lost(String),
    /// It cannot be proven with the keys there are.
    Unproven(String),
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
            Stop::Unproven(why) => Self::Unproven(why.to_string()),
        }
    }
}

impl Follower {
    async fn run(mut self) {
        loop {
            match self.follow().await {
                Ok(never) => match never {},
                Err(Stopped::Lost(reason)) => {
                    self.out_of_reach(reason);
                    self.wait().await;
                }
                Err(Stopped::Unproven(reason)) => {
                    if let Some(left_out) = self.reading.failed(&reason) {
                        tracing::error!(reason, left_out, "the fleet log cannot be proven");
                    }
                    self.stand(ViewHealth::Unproven { reason });
                    self.wait().await;
                }
                Err(Stopped::Diverged(reason)) => self.read_again(&reason),
            }
        }
    }

    /// Waits before the next try; what has happened has been said.
    async fn wait(&mut self) {
        self.resume.pause(Ok::<_, Infallible>(())).await;
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
                (self.latest.caught_up, self.latest.health) = (true, ViewHealth::Following);
                self.resume.follows();
                let back = [self.reaching.recovered(), self.reading.recovered()];
                if back.contains(&true) {
                    tracing::info!(position = %self.latest.position(), "the fleet log is followed again");
                }
            }
            // What was read stays, as in any other case of a log out of reach.
            Step::Interrupted { reason } => self.out_of_reach(reason),
            Step::Parked { at, reason } => {
                if let Some(left_out) = self.reading.failed(&reason) {
                    tracing::error!(position = %at, reason, left_out, "the fleet stands before a record that cannot be read");
                }
                self.stand(ViewHealth::Parked { at, reason });
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
            Arc::make_mut(&mut self.latest.ruled).insert(read.record.cause.clone(), read.entry.position, read.record.time);
        }
        self.latest.point = batch.after;
        self.latest.proof = LogProof::of(batch.after.sealing, &self.keys);
    }

    fn read_again(&mut self, reason: &str) {
        if let Some(left_out) = self.reading.failed(reason) {
            tracing::error!(reason, left_out, "the fleet log is not the one that was read before: reading it again");
        }
        let generation = self.latest.generation + 1;
        self.latest = FleetSnapshot { generation, ..FleetSnapshot::at_start(&self.keys) };
        self.stand(ViewHealth::Stale { reason: format!("reading the log again: {reason}") });
    }

    fn out_of_reach(&mut self, reason: String) {
        if let Some(left_out) = self.reaching.failed(&reason) {
            tracing::warn!(reason, left_out, "the fleet log is out of reach; trying again");
        }
        self.stand(ViewHealth::Stale { reason });
    }

    fn stand(&mut self, health: ViewHealth) {
        self.latest.health = health;
        self.publish();
    }

    /// Half a fleet would close the other half's connections: until all has been read, what was shown last stays, and only
    /// how it stands is told.
    fn publish(&self) {
        if self.latest.caught_up {
            self.publisher.send_replace(Arc::new(self.latest.clone()));
            return;
        }
        self.publisher.send_if_modified(|shown| {
            let changed = shown.health != self.latest.health;
            if changed {
                Arc::make_mut(shown).health = self.latest.health.clone();
            }
            changed
        });
    }
}
