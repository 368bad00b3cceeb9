//! One watcher of presence: what is online now, then every change, and the connectors whose lease runs out.
//!
//! What is online now is read from the shard, which holds the last change of each device. Changes come from where the
//! server repeats what it stores: see `presence::tap`, which ends watching when one is missing.
//!
//! Leases are kept by each watcher on its own clock, counted from when a heartbeat arrived, so that no two machines have
//! to agree on the time. What is online at the start is held back until all of it is there: only then is it known which
//! connectors have a heartbeat.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_nats::jetstream;
use rollcall_domain::{
    ids::{ConnectorId, InstanceId},
    time::Timestamp,
};
use rollcall_log::{
    BackboneError,
    online::{OnlineDevices, OnlineSession},
    presence::PresenceChange,
};
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    connection::{Connection, link::lost},
    presence::{
        message::{Change, Said, said},
        reaper::{Reaper, Stale},
        tap::{Repeated, Taps},
    },
    streams::{self, held::Held, replay::Stored},
    subjects,
};

/// Changes that wait for a slow watcher.
const WATCHED_WAITING_MAX: usize = 4096;
/// How many looks at the leases there are in one lease.
const LOOKS_PER_LEASE: u32 = 8;
/// Says of a repeated message when it was stored (RFC 3339).
const TIME_STAMP: &str = "Nats-Time-Stamp";

pub(super) async fn watch(
    connection: &Arc<Connection>,
    taps: &Taps,
    instance: &InstanceId,
) -> Result<mpsc::Receiver<PresenceChange>, BackboneError> {
    let shard = connection.shards().await?.of_instance(instance);
    let stream = subjects::presence_stream(shard);
    let attempted = || format!("watching presence on instance {instance}");
    let now_ns = server_time_ns(connection, &stream, attempted).await?;
    let epoch = connection.link().borrow().epoch;
    let repeated = taps.listen(connection, shard, instance).await?;
    let info = streams::existing(connection, &stream, attempted).await?;
    let filter = subjects::presence_of_instance(shard, instance);
    let held = Held::open(connection, info, filter, 0).await?;
    let (sender, receiver) = mpsc::channel(WATCHED_WAITING_MAX);
    let watch = Watch {
        connection: connection.clone(),
        instance: instance.clone(),
        lease: connection.config.limits.presence_lease,
        now_ns,
        last: held.last(),
        online: OnlineDevices::default(),
        connectors: HashMap::new(),
        reaper: Reaper::default(),
        sender,
    };
    tokio::spawn(watch.run(held, repeated, epoch));
    Ok(receiver)
}

/// The server's clock, by which it dates messages.
pub(super) async fn server_time_ns(
    connection: &Connection,
    stream: &str,
    attempted: impl Fn() -> String,
) -> Result<i128, BackboneError> {
    #[derive(Deserialize)]
    struct StreamInfo {
        #[serde(with = "time::serde::rfc3339")]
        ts: OffsetDateTime,
    }
    let asking = connection.jetstream.request(format!("STREAM.INFO.{stream}"), &());
    match connection.within(&attempted, asking).await? {
        jetstream::response::Response::Ok::<StreamInfo>(info) => Ok(info.ts.unix_timestamp_nanos()),
        jetstream::response::Response::Err { error } => {
            Err(BackboneError::Unavailable { attempted: attempted(), reason: error.to_string() })
        }
    }
}

/// Where the `Online` of a device stands in the stream, and under which lease it was said.
struct Stands {
    lease: String,
    sequence: u64,
}

/// A connector that has devices online or has sent a heartbeat.
struct Lease {
    /// As its last heartbeat says; `None` before the first.
    name: Option<String>,
    until: Instant,
    /// When it was last heard of, by the server's clock.
    heard: Timestamp,
}

struct Watch {
    connection: Arc<Connection>,
    instance: InstanceId,
    lease: Duration,
    /// The server's time when watching began.
    now_ns: i128,
    /// The last sequence that has been seen.
    last: u64,
    online: OnlineDevices<Stands>,
    connectors: HashMap<ConnectorId, Lease>,
    reaper: Reaper,
    sender: mpsc::Sender<PresenceChange>,
}

/// The watcher has gone, or watching has to begin anew.
struct Unwatched;

pub(super) fn timestamp(unix_ns: i128) -> Timestamp {
    Timestamp::from_unix_ms(i64::try_from(unix_ns / 1_000_000).unwrap_or(i64::MAX))
}

impl Watch {
    async fn run(mut self, held: Held, mut repeated: mpsc::Receiver<Repeated>, epoch: u64) {
        let Ok(held) = Box::pin(self.collect(held)).await else { return };
        if self.begin(held).await.is_err() {
            return;
        }
        let mut looks = interval((self.lease / LOOKS_PER_LEASE).max(Duration::from_millis(1)));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                () = self.sender.closed() => return,
                () = lost(self.connection.link(), epoch) => return,
                message = repeated.recv() => match message {
                    Some(message) => self.follow(&message).await,
                    None => return,
                },
                _now = looks.tick() => self.look().await,
            };
            if done.is_err() {
                return;
            }
        }
    }

    /// Everything that the stream held when watching began. What is replaced or expires meanwhile does not come.
    async fn collect(&mut self, mut held: Held) -> Result<Vec<Stored>, Unwatched> {
        let mut collected = Vec::new();
        loop {
            let stored = tokio::select! {
                () = self.sender.closed() => return Err(Unwatched),
                stored = held.next() => stored,
            };
            match stored {
                Ok(Some(stored)) => collected.push(stored),
                Ok(None) => return Ok(collected),
                Err(end) => {
                    tracing::debug!(instance = %self.instance, ?end, "watching of presence ends");
                    return Err(Unwatched);
                }
            }
        }
    }

    /// Says what is online of what the stream held.
    async fn begin(&mut self, held: Vec<Stored>) -> Result<(), Unwatched> {
        let mut online = Vec::new();
        for Stored { sequence, stored_at_ns, message, .. } in held {
            let (heard, age_ns) = (timestamp(stored_at_ns), self.now_ns - stored_at_ns);
            match said(&message) {
                // The server forgets a heartbeat when its time is up, give or take a second.
                Ok(Said::Alive { connector, lease }) if age_ns <= self.lease_ns() => {
                    self.renew(connector, Some(lease), heard)
                }
                Ok(Said::Change(change)) if change.online => online.push((sequence, change, age_ns)),
                Ok(Said::Alive { .. } | Said::Change(_)) => {}
                Err(reason) => self.unreadable(sequence, &reason),
            }
        }
        for (sequence, change, age_ns) in online {
            let connector = &change.session.connector;
            let void = match self.connectors.get(connector) {
                Some(lease) => lease.name.as_ref().is_some_and(|name| *name != change.lease),
                None => age_ns > self.lease_ns(),
            };
            if void {
                self.reaper.add(Stale { change, sequence, due: Instant::now() });
                continue;
            }
            if !self.connectors.contains_key(connector) {
                self.renew(connector.clone(), None, change.at);
            }
            self.keep(&change, sequence);
            self.say(change.shown()).await?;
        }
        self.say(PresenceChange::CaughtUp).await
    }

    /// Takes what the server repeats. That none is missing is the tap's to see.
    async fn follow(&mut self, Repeated { sequence, message }: &Repeated) -> Result<(), Unwatched> {
        let sequence = *sequence;
        if sequence <= self.last {
            return Ok(());
        }
        let header = |name: &str| message.headers.as_ref()?.get(name).map(|value| value.as_str());
        let stored_at = header(TIME_STAMP).and_then(|time| OffsetDateTime::parse(time, &Rfc3339).ok());
        let heard = timestamp(stored_at.map_or(self.now_ns, OffsetDateTime::unix_timestamp_nanos));
        match said(message) {
            Ok(Said::Alive { connector, lease }) => self.renew(connector, Some(lease), heard),
            Ok(Said::Change(change)) => return self.change(change, sequence, heard).await,
            Err(reason) => self.unreadable(sequence, &reason),
        }
        Ok(())
    }

    fn keep(&mut self, change: &Change, sequence: u64) {
        let (session, kept) = (change.session.clone(), Stands { lease: change.lease.clone(), sequence });
        self.online.online(change.device.clone(), OnlineSession { session, since: change.at, kept });
    }

    fn unreadable(&self, sequence: u64, reason: &str) {
        if let Some(left_out) = self.connection.repeats("presence").failed(reason) {
            tracing::warn!(instance = %self.instance, sequence, reason, left_out, "presence cannot be read");
        }
    }

    fn renew(&mut self, connector: ConnectorId, name: Option<String>, heard: Timestamp) {
        self.connectors.insert(connector, Lease { name, until: Instant::now() + self.lease, heard });
    }

    fn lease_ns(&self) -> i128 {
        i128::try_from(self.lease.as_nanos()).unwrap_or(i128::MAX)
    }

    async fn change(&mut self, change: Change, sequence: u64, heard: Timestamp) -> Result<(), Unwatched> {
        if change.online {
            // A connector is alive when it says something, whatever it says.
            self.renew(change.session.connector.clone(), Some(change.lease.clone()), heard);
            self.keep(&change, sequence);
            return self.say(change.shown()).await;
        }
        let ended = self.online.offline(&change.device, &change.session);
        if ended.is_none() && !self.connectors.contains_key(&change.session.connector) {
            // A lost connector's device, made offline by another watcher: its loss was the news.
            return Ok(());
        }
        self.say(change.shown()).await
    }

    /// Looks for leases that have run out.
    async fn look(&mut self) -> Result<(), Unwatched> {
        let now = Instant::now();
        let lost: Vec<_> = self.connectors.extract_if(|_, lease| lease.until <= now).collect();
        for (connector, lease) in lost {
            for (device, OnlineSession { session, kept: Stands { lease: name, sequence }, .. }) in
                self.online.connector_lost(&connector)
            {
                let change = Change { online: false, device, session, lease: name, at: lease.heard };
                self.reaper.add(Stale { change, sequence, due: now + self.lease });
            }
            self.say(PresenceChange::ConnectorLost { connector }).await?;
        }
        self.reaper.go_on(&self.connection, &self.instance);
        Ok(())
    }

    async fn say(&self, change: PresenceChange) -> Result<(), Unwatched> {
        self.sender.send(change).await.map_err(|_| Unwatched)
    }
}
