//! The instances that this connector serves, by access domain: one run for each instance of the fleet.
//!
//! Which runs there are is the [supervisor](rollcall_projection::supervisor)'s; what one consists of is in `tasks`.
//! Invariant: of one instance, nothing is started before what was retired has ended: two of them could have a session of one
//! device each. The supervisor waits for the end of a run, and a run ends once its sessions have, or the limit for that is over.

mod tasks;

use std::{sync::Arc, time::Duration};

use rollcall_chassis::retry::Backoff;
use rollcall_domain::refusal::Refusal;
use rollcall_log::seal::SealedLog;
use rollcall_projection::{
    fleet::FleetSnapshot,
    supervisor::{RetryDelay, Run, Running, supervise},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::tasks::Failure;
use crate::instance::{Instance, InstanceParts};

/// How long to wait before an instance that could not be opened, or that failed, is started again.
const RETRY: Backoff = Backoff { min: Duration::from_millis(500), max: Duration::from_secs(5) };
/// Between two checks whether the last session has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What handshakes read.
pub(crate) struct Instances {
    fleet: watch::Receiver<Arc<FleetSnapshot>>,
    running: Running<Instance>,
}

impl Instances {
    pub(crate) fn new(fleet: watch::Receiver<Arc<FleetSnapshot>>) -> Self {
        Self { fleet, running: Running::default() }
    }

    /// The instance whose access domain is this name, also while its sessions are closed: a device that connects then is
    /// refused with the reason, which a handshake that fails would not tell it.
    pub(crate) fn of(&self, server_name: &str) -> Option<Arc<Instance>> {
        let (id, sealed) = {
            let snapshot = self.fleet.borrow();
            let instance = snapshot.fleet.by_access_domain(server_name)?;
            (instance.id.clone(), SealedLog::of(instance))
        };
        self.running.get_ending(&id).filter(|instance| instance.sealed == sealed)
    }

    /// Whether these are all that the fleet has.
    pub(crate) fn complete(&self) -> bool {
        let snapshot = self.fleet.borrow();
        snapshot.caught_up && self.running.has_all(&snapshot.fleet)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Instance>> {
        self.running.all()
    }

    /// Serves every instance of the fleet until `shutdown`, then waits until the sessions of all have ended.
    pub(crate) async fn follow(&self, parts: InstanceParts, shutdown: CancellationToken) {
        let entropy = parts.entropy.clone();
        let delay: RetryDelay = Arc::new(move |failures| RETRY.delay(failures, &*entropy));
        let parts = Arc::new(parts);
        supervise(self.fleet.clone(), delay, shutdown, |_| {
            let (parts, running) = (parts.clone(), self.running.clone());
            move |run| serve(run, parts.clone(), running.clone())
        })
        .await;
    }
}

/// Serves an instance until it is told to stop or fails; then closes the sessions, announces their end, ends the tasks and
/// the view.
async fn serve(run: Run, parts: Arc<InstanceParts>, running: Running<Instance>) -> Result<(), Failure> {
    let tasks = TaskTracker::new();
    let (instance, mut failures) = tasks::start(&run, &parts, &tasks)?;
    // Also when this future is dropped.
    let stop = instance.stop.clone().drop_guard();
    let _showing = running.show(&run, instance.clone());
    tracing::info!(instance = %instance.id, access_domain = %run.instance.access_domain, "instance served");
    let failure = run.stop.run_until_cancelled(failures.recv()).await.flatten();
    // From here on no device is accepted: a session that opened while the others are closed would not be reauthorized.
    run.stop.cancel();
    tracing::info!(instance = %instance.id, "instance no longer served");
    drain(&instance, failure.is_some(), parts.config.limits.drain()).await;
    drop(stop);
    tasks.close();
    tasks.wait().await;
    failure.map_or(Ok(()), Err)
}

async fn drain(instance: &Instance, has_failed: bool, limit: Duration) {
    instance.close_all(&Refusal::ShuttingDown);
    let drained = async {
        while instance.sessions.count() > 0 {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        // In an instance that has failed no task may announce any more; its successor announces what is missing.
        if !has_failed {
            instance.announcements.announced().await;
            instance.schedule.settled().await;
        }
    };
    if tokio::time::timeout(limit, drained).await.is_err() {
        tracing::warn!(instance = %instance.id, "stopped before every session had ended");
    }
}
