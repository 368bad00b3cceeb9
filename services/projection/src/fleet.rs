//! The fleet in memory: small, folded from the start at every start, published as one immutable snapshot.
//!
//! Not in sled: a fleet has a few instances, and a process that cannot reach the log at its start has nothing to serve
//! anyway. Invariant: a published snapshot is the fleet's log at its position; while the log is out of reach, or holds
//! a record that cannot be read, the last one stays.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rollcall_backbone::{
    BackboneError,
    codec::{AnyEvent, decode_record},
    log::{Entry, Followed, RegistryLog, StreamIdentity},
};
use rollcall_domain::{
    fleet::Fleet,
    ids::{LogId, Position, RequestId},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// First wait before following is tried again.
const RETRY_MIN: Duration = Duration::from_millis(100);
/// Longest wait before following is tried again.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The fleet at one position.
#[derive(Clone, Debug, Default)]
pub struct FleetSnapshot {
    /// How far the fleet log has been read.
    pub position: Position,
    /// The instances, operators and access keys.
    pub fleet: Fleet,
    /// Where each request came to a record: how a request seen again gets its earlier ruling.
    pub ruled: Arc<BTreeMap<RequestId, Position>>,
    /// Whether everything that the log held when following began has been read.
    pub caught_up: bool,
}

/// Follows the fleet log until `shutdown`; reconnects by itself. The receiver always holds the latest snapshot.
pub fn follow(log: Arc<dyn RegistryLog>, shutdown: CancellationToken) -> watch::Receiver<Arc<FleetSnapshot>> {
    let (publisher, snapshots) = watch::channel(Arc::default());
    let follower = Follower { log, publisher, stream: None, latest: FleetSnapshot::default(), retry: RETRY_MIN };
    tokio::spawn(async move { shutdown.run_until_cancelled(follower.run()).await });
    snapshots
}

struct Follower {
    log: Arc<dyn RegistryLog>,
    publisher: watch::Sender<Arc<FleetSnapshot>>,
    /// The stream that `latest` was folded from.
    stream: Option<StreamIdentity>,
    latest: FleetSnapshot,
    retry: Duration,
}

/// Why following stopped.
enum Stopped {
    /// The log went away; try again.
    Lost(String),
    /// A record cannot be read: nothing to do but to wait for an upgrade.
    Parked(Position, String),
}

impl From<BackboneError> for Stopped {
    fn from(error: BackboneError) -> Self {
        Self::Lost(error.to_string())
    }
}

impl Follower {
    async fn run(mut self) {
        loop {
            match self.follow().await {
                Ok(never) => match never {},
                Err(Stopped::Lost(reason)) => {
                    tracing::warn!(reason, "the fleet log is out of reach; trying again");
                    tokio::time::sleep(self.retry).await;
                    self.retry = (self.retry * 2).min(RETRY_MAX);
                }
                Err(Stopped::Parked(at, reason)) => {
                    tracing::error!(position = %at, reason, "the fleet stands before a record that cannot be read");
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, Stopped> {
        let stream = self.log.open(&LogId::Fleet).await?;
        let last = self.log.last(&LogId::Fleet).await?;
        if self.stream.as_ref().is_some_and(|known| *known != stream) || self.latest.position > last {
            tracing::error!("the fleet log is not the one that was read before, or has lost records: reading it again");
            self.latest = FleetSnapshot::default();
        }
        self.stream = Some(stream);
        let mut entries = self.log.follow(&LogId::Fleet, self.latest.position).await?;
        while let Some(followed) = entries.recv().await {
            match followed? {
                Followed::Entry(entry) => self.fold(&entry)?,
                Followed::CaughtUp(_) => {
                    self.latest.caught_up = true;
                    self.retry = RETRY_MIN;
                }
                // What was read stays, as in any other case of a log out of reach.
                Followed::Interrupted { reason } => {
                    tracing::warn!(reason, "the fleet log is out of reach; following goes on by itself");
                    continue;
                }
            }
            // Half a fleet would close the other half's connections: nothing is shown until all has been read.
            if self.latest.caught_up {
                self.publisher.send_replace(Arc::new(self.latest.clone()));
            }
        }
        Err(Stopped::Lost("following the fleet log has ended".into()))
    }

    fn fold(&mut self, entry: &Entry) -> Result<(), Stopped> {
        let expected = self.latest.position.next();
        if entry.position != expected {
            return Err(Stopped::Lost(format!("the log went on with record {} instead of {expected}", entry.position)));
        }
        let record =
            decode_record(&LogId::Fleet, &entry.record).map_err(|error| Stopped::Parked(expected, error.to_string()))?;
        match &record.event {
            AnyEvent::Fleet(event) => self.latest.fleet.evolve(event, record.time),
            // The codec refuses a registry event in the fleet's log; were there one, it would mean nothing here. What is
            // about the log itself changes nothing of the fleet.
            AnyEvent::Registry(_) | AnyEvent::Log(_) => {}
        }
        self.latest.position = entry.position;
        Arc::make_mut(&mut self.latest.ruled).insert(record.cause, entry.position);
        Ok(())
    }
}
