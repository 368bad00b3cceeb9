//! One watcher of presence: what is online now, then every change, and the connectors whose lease runs out.
//!
//! Leases are kept by each watcher on its own clock, counted from when a heartbeat arrived, so that no two machines have
//! to agree on the time. What is online at the start is held back until all of it is there: only then is it known which
//! connectors have a heartbeat.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_nats::jetstream;
use rollcall_domain::{
    ids::{ConnectorId, DeviceId, InstanceId},
    time::Timestamp,
};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    connection::Connection,
    presence::{Change, offline_over},
    replay::{Replay, Stored},
    streams, subjects,
};
use crate::{BackboneError, presence::PresenceChange};

/// Changes that wait for a slow watcher.
const WATCHED_WAITING_MAX: usize = 4096;
/// How many looks at the leases there are in one lease.
const LOOKS_PER_LEASE: u32 = 8;
/// Looks without a message after which a start that still waits for some has waited enough: they have expired meanwhile.
const QUIET_LOOKS_MAX: u32 = 2;
/// Devices of lost connectors that are made offline at a time.
const BURIED_AT_ONCE: usize = 256;

/// Starts watching.
pub(super) async fn watch(
    connection: &Arc<Connection>,
    instance: &InstanceId,
) -> Result<mpsc::Receiver<PresenceChange>, BackboneError> {
    let stream = subjects::presence_stream(instance);
    let now_ns = server_time_ns(connection, &stream).await?;
    let info = streams::existing(connection, &stream, || format!("watching stream {stream}")).await?;
    let replay = Replay::open(connection, info, &subjects::presence_all(instance), 0).await?;
    let (sender, receiver) = mpsc::channel(WATCHED_WAITING_MAX);
    let watch = Watch {
        connection: connection.clone(),
        instance: instance.clone(),
        lease: connection.config.limits.presence_lease,
        now_ns,
        start: Some(BTreeMap::new()),
        online: HashMap::new(),
        connectors: HashMap::new(),
        dead: VecDeque::new(),
        burial: None,
        sender,
    };
    tokio::spawn(watch.run(replay));
    Ok(receiver)
}

/// The server's clock, by which it dates messages.
async fn server_time_ns(connection: &Connection, stream: &str) -> Result<i128, BackboneError> {
    #[derive(Deserialize)]
    struct StreamInfo {
        #[serde(with = "time::serde::rfc3339")]
        ts: OffsetDateTime,
    }
    let attempted = || format!("watching stream {stream}");
    let asking = connection.jetstream.request(format!("STREAM.INFO.{stream}"), &());
    match connection.within(attempted, asking).await? {
        jetstream::response::Response::Ok::<StreamInfo>(info) => Ok(info.ts.unix_timestamp_nanos()),
        jetstream::response::Response::Err { error } => {
            Err(BackboneError::Unavailable { attempted: attempted(), reason: error.to_string() })
        }
    }
}

/// A device that is online.
struct Online {
    change: Change,
    sequence: u64,
}

/// A connector that has devices online or has sent a heartbeat.
struct Lease {
    until: Instant,
    /// When it was last heard of, by the server's clock.
    heard: Timestamp,
}

/// A device that a lost connector has left online in the stream.
struct Dead {
    change: Change,
    sequence: u64,
    /// Not before: by then every other watcher has seen the lease run out too, and hears of no device twice.
    bury_at: Instant,
}

struct Watch {
    connection: Arc<Connection>,
    instance: InstanceId,
    lease: Duration,
    /// The server's time when watching began.
    now_ns: i128,
    /// What was online when watching began, by sequence, until all of it is here.
    start: Option<BTreeMap<u64, (Change, i128)>>,
    online: HashMap<DeviceId, Online>,
    connectors: HashMap<ConnectorId, Lease>,
    dead: VecDeque<Dead>,
    burial: Option<JoinHandle<()>>,
    sender: mpsc::Sender<PresenceChange>,
}

/// Nobody is watching any more.
struct Unwatched;

impl Watch {
    async fn run(mut self, mut replay: Replay) {
        let end = replay.info.state.last_sequence;
        let mut looks = interval((self.lease / LOOKS_PER_LEASE).max(Duration::from_millis(1)));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut caught_up = replay.pending == 0;
        let mut quiet_looks = 0;
        loop {
            if caught_up && self.begin().await.is_err() {
                return;
            }
            let done = tokio::select! {
                () = self.sender.closed() => return,
                stored = replay.next() => match stored {
                    Ok(stored) => {
                        quiet_looks = 0;
                        caught_up = stored.pending == 0 || stored.sequence >= end;
                        self.take(&stored).await
                    }
                    Err(end) => {
                        tracing::debug!(instance = %self.instance, ?end, "watching of presence ends");
                        return;
                    }
                },
                _now = looks.tick() => {
                    quiet_looks += 1;
                    caught_up = caught_up || quiet_looks > QUIET_LOOKS_MAX;
                    self.look().await
                }
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn take(&mut self, stored: &Stored) -> Result<(), Unwatched> {
        let heard = Timestamp::from_unix_ms(i64::try_from(stored.stored_at_ns / 1_000_000).unwrap_or(i64::MAX));
        // presence.<instance>.<device|connector>.<id>
        let mut tokens = stored.message.subject.as_str().split('.').skip(2);
        match (tokens.next(), tokens.next()) {
            (Some("connector"), Some(id)) => {
                if let Ok(connector) = ConnectorId::parse(id) {
                    self.renew(connector, heard);
                }
                Ok(())
            }
            (Some("device"), Some(_)) => match Change::read(&stored.message.payload) {
                Ok(change) => self.change(change, stored, heard).await,
                Err(reason) => {
                    tracing::warn!(instance = %self.instance, sequence = stored.sequence, reason, "presence cannot be read");
                    Ok(())
                }
            },
            _ => Ok(()),
        }
    }

    fn renew(&mut self, connector: ConnectorId, heard: Timestamp) {
        self.connectors.insert(connector, Lease { until: Instant::now() + self.lease, heard });
    }

    async fn change(&mut self, change: Change, stored: &Stored, heard: Timestamp) -> Result<(), Unwatched> {
        if let Some(start) = &mut self.start {
            if change.online {
                start.insert(stored.sequence, (change, stored.stored_at_ns));
            } else {
                start.retain(|_, (online, _)| online.device != change.device);
            }
            return Ok(());
        }
        if change.online {
            // A connector is alive when it says something, whatever it says.
            self.renew(change.session.connector.clone(), heard);
            self.online.insert(change.device.clone(), Online { change: change.clone(), sequence: stored.sequence });
        } else {
            let known = self.online.get(&change.device).is_some_and(|online| online.change.session == change.session);
            if known {
                self.online.remove(&change.device);
            } else if !self.connectors.contains_key(&change.session.connector) {
                // A lost connector's device, buried by another watcher: its loss was the news.
                return Ok(());
            }
        }
        self.say(change.shown()).await
    }

    /// All that was there when watching began is here.
    async fn begin(&mut self) -> Result<(), Unwatched> {
        let Some(start) = self.start.take() else { return Ok(()) };
        let lease_ns = i128::try_from(self.lease.as_nanos()).unwrap_or(i128::MAX);
        for (sequence, (change, stored_at_ns)) in start {
            let connector = &change.session.connector;
            if !self.connectors.contains_key(connector) {
                if self.now_ns - stored_at_ns > lease_ns {
                    self.dead.push_back(Dead { change, sequence, bury_at: Instant::now() });
                    continue;
                }
                self.renew(connector.clone(), change.at);
            }
            self.online.insert(change.device.clone(), Online { change: change.clone(), sequence });
            self.say(change.shown()).await?;
        }
        self.say(PresenceChange::CaughtUp).await
    }

    /// Looks for leases that have run out.
    async fn look(&mut self) -> Result<(), Unwatched> {
        let now = Instant::now();
        let lost: Vec<_> = self.connectors.extract_if(|_, lease| lease.until <= now).collect();
        for (connector, lease) in lost {
            let theirs = self.online.extract_if(|_, online| online.change.session.connector == connector);
            for (_, Online { change, sequence }) in theirs {
                let change = Change { online: false, at: lease.heard, ..change };
                self.dead.push_back(Dead { change, sequence, bury_at: now + self.lease });
            }
            if self.start.is_none() {
                self.say(PresenceChange::ConnectorLost { connector }).await?;
            }
        }
        self.bury();
        Ok(())
    }

    /// Makes some devices of lost connectors offline for those that watch later. Each only over the message that is
    /// known to be stale: when several watchers do it, or the device is back, nothing happens.
    fn bury(&mut self) {
        let now = Instant::now();
        let due = self.dead.iter().take(BURIED_AT_ONCE).take_while(|dead| dead.bury_at <= now).count();
        if due == 0 || self.burial.as_ref().is_some_and(|burial| !burial.is_finished()) {
            return;
        }
        let some: Vec<_> = self.dead.drain(..due).collect();
        let (connection, instance) = (self.connection.clone(), self.instance.clone());
        self.burial = Some(tokio::spawn(async move {
            for Dead { change, sequence, .. } in some {
                let change = Change { online: false, ..change };
                if let Err(super::atomic::StoreError::Backbone(error)) =
                    offline_over(&connection, &instance, &change, sequence).await
                {
                    // An account that may only watch, or no connection: others do it, or a later watcher.
                    tracing::debug!(%instance, %error, "devices of a lost connector are left as they are");
                    return;
                }
            }
        }));
    }

    async fn say(&self, change: PresenceChange) -> Result<(), Unwatched> {
        self.sender.send(change).await.map_err(|_| Unwatched)
    }
}
