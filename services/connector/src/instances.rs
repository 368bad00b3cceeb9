//! The instances that this connector serves, by access domain: follows the fleet.
//!
//! Owner and reader: the owner publishes one immutable map, every handshake reads the latest. Invariant: of one instance,
//! nothing is started before what was retired has ended: two of them could have a session of one device each.

mod tasks;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use rollcall_domain::{fleet, ids::InstanceId, refusal::Refusal};
use rollcall_log::{repeats::Repeats, seal::SealedLog};
use rollcall_projection::fleet::FleetSnapshot;
use tokio::{sync::watch, task::JoinHandle};

use crate::instance::{Instance, InstanceParts};

/// Before an instance that could not be started, or that failed, is started again.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Between two checks whether the last session has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

type ByDomain = HashMap<Box<str>, Arc<Instance>>;

/// What the follower of the fleet owns.
#[derive(Default)]
struct Owned {
    running: HashMap<InstanceId, Arc<Instance>>,
    /// No longer served, but not yet ended.
    leaving: HashMap<InstanceId, JoinHandle<()>>,
    /// What has been said of instances that could not be started.
    repeats: Repeats,
}

/// What handshakes read.
#[derive(Default)]
pub(crate) struct Instances {
    by_domain: ArcSwap<ByDomain>,
    complete: AtomicBool,
}

impl Instances {
    /// The instance whose access domain is this lower-case name.
    pub(crate) fn of(&self, server_name: &str) -> Option<Arc<Instance>> {
        self.by_domain.load().get(server_name).cloned()
    }

    /// Whether these are all that the fleet has.
    pub(crate) fn complete(&self) -> bool {
        self.complete.load(Ordering::SeqCst)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Instance>> {
        self.by_domain.load().values().cloned().collect()
    }

    /// Follows the fleet until its sender is gone or the future is dropped.
    pub(crate) async fn follow(&self, mut fleet: watch::Receiver<Arc<FleetSnapshot>>, parts: &InstanceParts) {
        let mut owned = Owned::default();
        loop {
            let snapshot = fleet.borrow_and_update().clone();
            let complete = owned.update(&snapshot.fleet, parts);
            let by_domain = owned.running.values().map(|instance| (domain(&instance.profile.load()), instance.clone()));
            self.by_domain.store(Arc::new(by_domain.collect()));
            self.complete.store(complete && snapshot.caught_up, Ordering::SeqCst);
            tokio::select! {
                changed = fleet.changed() => if changed.is_err() {
                    return std::future::pending().await;
                },
                () = parts.failed.notified() => {}
                () = tokio::time::sleep(RETRY_DELAY), if !complete => {}
            }
        }
    }
}

impl Owned {
    /// Retires, starts and changes instances; `false` if not all that the fleet has are served.
    fn update(&mut self, fleet: &fleet::Fleet, parts: &InstanceParts) -> bool {
        self.leaving.retain(|_, retiring| !retiring.is_finished());
        // An instance deleted and created again under its id is another, though no snapshot lacked the id.
        let is_served = |instance: &Instance| {
            fleet.instances.get(&instance.id).is_some_and(|profile| SealedLog::of(profile) == instance.sealed)
        };
        let gone = self.running.extract_if(|_, instance| instance.is_broken() || !is_served(instance));
        for (id, instance) in gone {
            tracing::info!(instance = %id, "instance no longer served");
            self.leaving.insert(id, tokio::spawn(retire(instance, parts.config.limits.drain())));
        }
        let mut complete = true;
        for profile in fleet.instances.values() {
            match self.running.get(&profile.id) {
                Some(instance) => instance.profile.store(Arc::new(profile.clone())),
                None => complete &= !self.leaving.contains_key(&profile.id) && self.start(profile, parts),
            }
        }
        complete
    }

    fn start(&mut self, profile: &fleet::Instance, parts: &InstanceParts) -> bool {
        match tasks::start(profile.clone(), parts) {
            Ok(instance) => {
                tracing::info!(instance = %profile.id, access_domain = %profile.access_domain, "instance served");
                self.running.insert(profile.id.clone(), instance);
                true
            }
            Err(error) => {
                if let Some(left_out) = self.repeats.failed(format_args!("{}: {error}", profile.id)) {
                    tracing::error!(instance = %profile.id, %error, left_out, "the instance cannot be served; trying again");
                }
                false
            }
        }
    }
}

/// Closes the sessions, announces their end, ends the tasks and the view. From the call on, polled or not, no device is
/// accepted: a session that opened while the others are closed would not be reauthorized.
pub(crate) fn retire(instance: Arc<Instance>, drain: Duration) -> impl Future<Output = ()> {
    instance.retiring.cancel();
    async move {
        // Also when this future is dropped.
        let _stop = instance.stop_guard();
        instance.close_all(&Refusal::ShuttingDown);
        if tokio::time::timeout(drain, drained(&instance)).await.is_err() {
            tracing::warn!(instance = %instance.id, "stopped before every session had ended");
        }
    }
}

async fn drained(instance: &Instance) {
    while instance.sessions.count() > 0 {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    // In an instance that has failed no task may announce any more; its successor announces what is missing.
    if !instance.is_broken() {
        instance.announcements.announced().await;
        instance.schedule.settled().await;
    }
}

fn domain(profile: &fleet::Instance) -> Box<str> {
    profile.access_domain.to_ascii_lowercase().into()
}
