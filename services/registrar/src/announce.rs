//! Announces, signed, how far this registrar's views are, the fleet's among them, so that readers can tell a quiet log from one
//! they have lost.
//!
//! Not a record, and nothing that a decision waits for. Invariant: only a view that follows its log and has all of it is
//! announced: one that is behind would make readers fresh that are no further.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::join_all;
use rollcall_chassis::{clock::Clock, entropy::Entropy};
use rollcall_domain::ids::{LogId, RegistrarId};
use rollcall_log::{
    BackboneError,
    heartbeat::{Announcement, Heartbeats, INTERVAL, LogPosition, Source, shard_of},
    repeats::Repeats,
    signing::SigningKey,
};
use rollcall_projection::admission::{ViewHealth, ViewStatus};
use tokio::time::MissedTickBehavior;

use crate::parts::Parts;

/// How a view stands now.
type Look = Box<dyn Fn() -> ViewStatus + Send>;

/// The views that are announced. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Served(Arc<Mutex<BTreeMap<LogId, Look>>>);

impl Served {
    /// From now on this view is what is announced of the log, until it ends.
    pub(crate) fn put(&self, log: LogId, view: impl Fn() -> ViewStatus + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(log, Box::new(view));
    }

    /// What can be announced now, by shard.
    fn positions(&self) -> BTreeMap<u32, Vec<LogPosition>> {
        let mut shards: BTreeMap<u32, Vec<LogPosition>> = BTreeMap::new();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|log, view| {
            let ViewStatus { position, digest, caught_up, health, .. } = view();
            if caught_up && health == ViewHealth::Following {
                shards.entry(shard_of(log)).or_default().push(LogPosition { log: log.clone(), position, digest });
            }
            health != ViewHealth::Ended
        });
        shards
    }
}

/// One registrar's life.
struct Announcer {
    heartbeats: Arc<dyn Heartbeats>,
    key: Arc<SigningKey>,
    clock: Arc<dyn Clock>,
    registrar: RegistrarId,
    served: Served,
    /// Rises also from one life to the next: it begins with the clock and never falls behind it.
    counter: u64,
    told: Repeats,
}

/// Announces until the future is dropped.
pub(crate) async fn announce(parts: &Parts, served: Served) {
    let announcer = Announcer {
        heartbeats: Arc::clone(&parts.backbone.heartbeats),
        key: Arc::clone(&parts.key),
        clock: Arc::clone(&parts.clock),
        registrar: registrar_id(&*parts.entropy),
        served,
        counter: 0,
        told: Repeats::default(),
    };
    announcer.run().await;
}

impl Announcer {
    async fn run(mut self) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = false;
        loop {
            interval.tick().await;
            let opened = match open {
                true => Ok(()),
                false => self.heartbeats.open().await,
            };
            open = opened.is_ok();
            let outcome = match opened {
                Ok(()) => self.announce_once().await,
                Err(error) => Err(error),
            };
            self.report(outcome);
        }
    }

    async fn announce_once(&mut self) -> Result<(), BackboneError> {
        let now_ms = u64::try_from(self.clock.unix_ms()).unwrap_or_default();
        self.counter = now_ms.max(self.counter + 1);
        let announced = self.served.positions().into_iter().map(|(shard, logs)| {
            let source = Source { registrar: self.registrar.clone(), shard };
            let announcement = Announcement { source, counter: self.counter, logs };
            let (bytes, heartbeats) = (announcement.sign(&self.key), &self.heartbeats);
            async move { heartbeats.announce(&announcement.source, bytes).await }
        });
        // All at once: what is not answered takes its time, and the others are not to wait for it.
        join_all(announced).await.into_iter().collect()
    }

    fn report(&self, outcome: Result<(), BackboneError>) {
        match outcome {
            Err(error) => {
                if let Some(left_out) = self.told.failed(&error) {
                    tracing::warn!(registrar = %self.registrar, %error, left_out,
                        "this registrar cannot be announced; readers' views seem to grow old");
                }
            }
            Ok(()) => {
                if self.told.recovered() {
                    tracing::info!(registrar = %self.registrar, "this registrar is announced again");
                }
            }
        }
    }
}

fn registrar_id(entropy: &dyn Entropy) -> RegistrarId {
    RegistrarId::parse(&entropy.uuid_v4().to_string()).expect("a UUID is hexadecimal digits and '-'")
}
