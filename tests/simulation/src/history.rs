//! The log of the simulated instance as a reader of its own has it: what all other readers are held against.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, bail};
use rollcall_domain::{
    ids::{DeviceId, Position, RequestId},
    registry::{Event, Registry},
    time::Timestamp,
};

use crate::memory_log::{AnyEvent, Digest, LogFollower, Point, RegistryLog, SealKeys, SealedLog, Step};

/// A record of the registry.
struct Recorded {
    position: Position,
    cause: RequestId,
    at: Timestamp,
    event: Event,
}

/// See the file.
pub(crate) struct History {
    log: Arc<dyn RegistryLog>,
    sealed: SealedLog,
    keys: SealKeys,
    point: Point,
    records: Vec<Recorded>,
    digests: BTreeMap<Position, Digest>,
}

impl History {
    /// Of a log that has not been read yet.
    pub(crate) fn new(log: Arc<dyn RegistryLog>, sealed: SealedLog, keys: SealKeys) -> Self {
        let point = Point::start(&sealed, &keys);
        Self { log, sealed, keys, point, records: Vec::new(), digests: BTreeMap::new() }
    }

    /// Reads on to the end of the log.
    pub(crate) async fn read(&mut self) -> anyhow::Result<()> {
        let mut follower = LogFollower::new(self.log.clone(), self.sealed.clone(), self.keys.clone(), self.point);
        loop {
            for step in follower.next().await.context("reading the log")? {
                match step {
                    Step::Batch(batch) => {
                        self.records.extend(batch.records.iter().filter_map(|read| match &read.record.event {
                            AnyEvent::Registry(event) => {
                                let (position, at) = (read.entry.position, read.record.time);
                                Some(Recorded { position, cause: read.record.cause.clone(), at, event: event.clone() })
                            }
                            AnyEvent::Fleet(_) | AnyEvent::Log(_) => None,
                        }));
                        self.reached(batch.after);
                    }
                    Step::Foreign { after, .. } => self.reached(after),
                    Step::CaughtUp(_) => return Ok(()),
                    step @ (Step::Interrupted { .. } | Step::Parked { .. }) => bail!("reading the log: {step:?}"),
                }
            }
        }
    }

    fn reached(&mut self, point: Point) {
        self.digests.insert(point.position, point.digest);
        self.point = point;
    }

    /// Where the log ends, its foreign records included.
    pub(crate) const fn end(&self) -> Position {
        self.point.position
    }

    /// The digest at a position where a batch or a foreign record ends.
    pub(crate) fn digest(&self, position: Position) -> Option<&Digest> {
        self.digests.get(&position)
    }

    /// The registry as of a position.
    pub(crate) fn registry(&self, position: Position) -> Registry {
        let mut registry = Registry::default();
        for record in self.records.iter().take_while(|record| record.position <= position) {
            registry.evolve(&record.event, record.at);
        }
        registry
    }

    /// What has happened up to a position.
    pub(crate) fn events(&self, position: Position) -> impl Iterator<Item = &Event> {
        self.records.iter().take_while(move |record| record.position <= position).map(|record| &record.event)
    }

    /// Where a request came to a record, if it did.
    pub(crate) fn caused_by<'a>(&'a self, request: &'a RequestId) -> impl Iterator<Item = Position> + 'a {
        self.records.iter().filter(move |record| record.cause == *request).map(|record| record.position)
    }

    /// Every registration: its position, its device and the SHA-256 of the certificate.
    pub(crate) fn registrations(&self) -> impl Iterator<Item = (Position, &DeviceId, &[u8; 32])> {
        self.records.iter().filter_map(|record| match &record.event {
            Event::DeviceRegistered { profile, certificate, .. } => {
                Some((record.position, &profile.device, &certificate.sha256))
            }
            _ => None,
        })
    }
}
