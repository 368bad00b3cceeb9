//! The instances that this connector serves, by access domain: follows the fleet.
//!
//! Owner and reader: the owner publishes one immutable map, every handshake reads the latest.

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
use rollcall_projection::fleet::FleetSnapshot;
use tokio::sync::watch;

use crate::instance::{Instance, Surroundings};

/// How long to wait before a view that could not be opened is opened again.
const OPEN_AGAIN: Duration = Duration::from_secs(1);

type ByDomain = HashMap<Box<str>, Arc<Instance>>;

/// The reader's side.
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

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Instance>> {
        self.by_domain.load().values().cloned().collect()
    }

    /// Follows the fleet until its sender is gone or the future is dropped.
    pub(crate) async fn follow(&self, mut fleet: watch::Receiver<Arc<FleetSnapshot>>, around: &Surroundings) {
        let mut running: HashMap<InstanceId, Arc<Instance>> = HashMap::new();
        loop {
            let snapshot = fleet.borrow_and_update().clone();
            let complete = update(&mut running, &snapshot.fleet, around);
            let by_domain = running.values().map(|instance| (domain(&instance.profile.load()), instance.clone()));
            self.by_domain.store(Arc::new(by_domain.collect()));
            self.complete.store(complete && snapshot.caught_up, Ordering::SeqCst);
            let changed = async {
                if complete {
                    fleet.changed().await
                } else {
                    tokio::time::timeout(OPEN_AGAIN, fleet.changed()).await.unwrap_or(Ok(()))
                }
            };
            if changed.await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

/// Starts, changes and retires instances; `false` if one could not be started.
fn update(running: &mut HashMap<InstanceId, Arc<Instance>>, fleet: &fleet::Fleet, around: &Surroundings) -> bool {
    let mut complete = true;
    for profile in fleet.instances.values() {
        match running.get(&profile.id) {
            Some(instance) => instance.profile.store(Arc::new(profile.clone())),
            None => match Instance::start(profile.clone(), around) {
                Ok(instance) => {
                    tracing::info!(instance = %profile.id, access_domain = %profile.access_domain, "instance served");
                    running.insert(profile.id.clone(), instance);
                }
                Err(error) => {
                    tracing::error!(instance = %profile.id, %error, "the instance cannot be served; trying again");
                    complete = false;
                }
            },
        }
    }
    running.retain(|id, instance| {
        let served = fleet.instances.contains_key(id);
        if !served {
            tracing::info!(instance = %id, "instance no longer served");
            tokio::spawn(retire(instance.clone(), around.config.limits.drain()));
        }
        served
    });
    complete
}

/// Closes what is open, says so to presence, ends the tasks.
pub(crate) async fn retire(instance: Arc<Instance>, drain: Duration) {
    instance.close_all(&Refusal::ShuttingDown);
    let goodbye = async {
        while instance.sessions.count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        instance.announcements.announced().await;
    };
    if tokio::time::timeout(drain, goodbye).await.is_err() {
        tracing::warn!(instance = %instance.id, "stopped before every session had said goodbye");
    }
    instance.stop();
}

fn domain(profile: &fleet::Instance) -> Box<str> {
    profile.access_domain.to_ascii_lowercase().into()
}
