//! Presence in one process: rooms, one per instance, under one lock, so that all watchers see one order.
//!
//! Invariants: a watcher sees every change, or its channel ends (one that is [`BEHIND_MAX`] behind is cut off: it
//! watches again and is told what is current); a connector that was heard of and falls silent loses its devices.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use rollcall_domain::{
    ids::{ConnectorId, InstanceId},
    time::Timestamp,
};
use rollcall_log::{
    BackboneError,
    limits::NowMs,
    online::OnlineDevices,
    presence::{Beat, ConnectorBeat, Presence, PresenceChange},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// Most changes that wait for one watcher, beyond what was online when it began.
const BEHIND_MAX: usize = 65_536;

#[derive(Default)]
struct Room {
    online: OnlineDevices,
    leases: BTreeMap<ConnectorId, Lease>,
    watchers: Vec<mpsc::Sender<PresenceChange>>,
    /// Whether a task waits for the next lease to run out.
    timed: bool,
}

struct Lease {
    until: Instant,
    /// What its connector said last, and when; `None` until its first heartbeat.
    beat: Option<(Beat, Timestamp)>,
}

/// [`Presence`] in memory.
pub(crate) struct PresenceHub {
    lease: Duration,
    now_ms: NowMs,
    rooms: Mutex<BTreeMap<InstanceId, Room>>,
    this: Weak<Self>,
}

impl PresenceHub {
    pub(crate) fn new(lease: Duration, now_ms: NowMs) -> Arc<Self> {
        Arc::new_cyclic(|this| Self { lease, now_ms, rooms: Mutex::default(), this: Weak::clone(this) })
    }

    fn rooms(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew(&self, instance: &InstanceId, connector: &ConnectorId, beat: Option<Beat>, room: &mut Room) {
        let beat = beat.map(|beat| (beat, Timestamp::from_unix_ms((self.now_ms)())));
        room.leases.insert(connector.clone(), Lease { until: Instant::now() + self.lease, beat });
        if !room.timed {
            room.timed = true;
            tokio::spawn(run_out(Weak::clone(&self.this), instance.clone()));
        }
    }
}

#[async_trait]
impl Presence for PresenceHub {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        self.rooms().entry(instance.clone()).or_default();
        Ok(())
    }

    async fn announce(&self, instance: &InstanceId, change: PresenceChange) -> Result<(), BackboneError> {
        let mut rooms = self.rooms();
        let room = rooms.entry(instance.clone()).or_default();
        match &change {
            // The first word from a connector starts its lease; only heartbeats renew it.
            PresenceChange::Online { session, .. } if !room.leases.contains_key(&session.connector) => {
                self.renew(instance, &session.connector, None, room);
            }
            PresenceChange::Online { .. } | PresenceChange::Offline { .. } => {}
            PresenceChange::ConnectorLost { .. } | PresenceChange::CaughtUp => {
                return Err(BackboneError::Unavailable {
                    attempted: format!("announcing {change:?} in instance {instance}"),
                    reason: "only the backbone itself announces it".to_owned(),
                });
            }
        }
        room.online.apply(change.clone());
        room.tell(&change);
        Ok(())
    }

    async fn heartbeat(&self, instance: &InstanceId, connector: &ConnectorId, beat: Beat) -> Result<(), BackboneError> {
        let mut rooms = self.rooms();
        let room = rooms.entry(instance.clone()).or_default();
        self.renew(instance, connector, Some(beat), room);
        Ok(())
    }

    async fn connectors(&self, instance: &InstanceId) -> Result<Vec<ConnectorBeat>, BackboneError> {
        let (rooms, now) = (self.rooms(), Instant::now());
        let leases = rooms.get(instance).into_iter().flat_map(|room| &room.leases);
        let alive = leases.filter(|(_, lease)| lease.until > now).filter_map(|(connector, lease)| {
            let (beat, at) = lease.beat?;
            Some(ConnectorBeat { connector: connector.clone(), beat, at })
        });
        Ok(alive.collect())
    }

    async fn watch(&self, instance: &InstanceId) -> Result<mpsc::Receiver<PresenceChange>, BackboneError> {
        let mut rooms = self.rooms();
        let room = rooms.entry(instance.clone()).or_default();
        let (watcher, changes) = mpsc::channel(room.online.len() + 1 + BEHIND_MAX);
        let current = room.online.iter().map(|(device, online)| PresenceChange::Online {
            device: device.clone(),
            session: online.session.clone(),
            at: online.since,
        });
        for change in current.chain([PresenceChange::CaughtUp]) {
            // The channel has room for all of these, and its receiver is still here.
            let _ = watcher.try_send(change);
        }
        room.watchers.retain(|watcher| !watcher.is_closed());
        room.watchers.push(watcher);
        Ok(changes)
    }
}

impl Room {
    fn tell(&mut self, change: &PresenceChange) {
        self.watchers.retain(|watcher| watcher.try_send(change.clone()).is_ok());
    }

    /// Ends the leases that have run out by `now`; returns when the next one does.
    fn end_leases(&mut self, now: Instant) -> Option<Instant> {
        let silent: Vec<ConnectorId> =
            self.leases.iter().filter(|(_, lease)| lease.until <= now).map(|(connector, _)| connector.clone()).collect();
        for connector in silent {
            self.leases.remove(&connector);
            self.online.connector_lost(&connector);
            self.tell(&PresenceChange::ConnectorLost { connector });
        }
        self.leases.values().map(|lease| lease.until).min()
    }
}

/// Waits for the leases of an instance to run out, one after the other; ends with the last of them or with the hub.
async fn run_out(hub: Weak<PresenceHub>, instance: InstanceId) {
    loop {
        let next = {
            let Some(hub) = hub.upgrade() else { return };
            let mut rooms = hub.rooms();
            let Some(room) = rooms.get_mut(&instance) else { return };
            match room.end_leases(Instant::now()) {
                Some(next) => next,
                None => {
                    room.timed = false;
                    return;
                }
            }
        };
        sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use rollcall_domain::ids::DeviceId;
    use rollcall_log::presence::Session;

    use super::*;

    #[tokio::test]
    async fn a_watcher_that_is_too_far_behind_is_cut_off_and_told_what_is_current_when_it_is_back() {
        let hub = PresenceHub::new(Duration::from_secs(8), Arc::new(|| 0));
        let instance = InstanceId::parse("plant-1").unwrap();
        let online = |number: u64| PresenceChange::Online {
            device: DeviceId::parse("device-1").unwrap(),
            session: Session { connector: ConnectorId::parse("c1").unwrap(), number },
            at: Timestamp::from_unix_ms(0),
        };
        let mut slow = hub.watch(&instance).await.unwrap();
        let last = BEHIND_MAX as u64 + 9;
        for number in 0..=last {
            hub.announce(&instance, online(number)).await.unwrap();
        }
        let mut seen = 0;
        while slow.recv().await.is_some() {
            seen += 1;
        }
        assert_eq!(seen, BEHIND_MAX + 1, "CaughtUp and as many changes as may wait");
        let mut back = hub.watch(&instance).await.unwrap();
        assert_eq!(back.recv().await, Some(online(last)));
        assert_eq!(back.recv().await, Some(PresenceChange::CaughtUp));
    }
}
