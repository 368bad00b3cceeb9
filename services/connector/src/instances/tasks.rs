//! The tasks of one instance. Each runs until the instance stops; one that panics fails the instance.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use rollcall_domain::ids::InstanceId;
use rollcall_log::{BackboneError, repeats::Repeats};
use rollcall_projection::{admission::ViewError, supervisor::Run};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::{
    admission::attempts,
    instance::{Instance, InstanceParts},
    sessions::{downlinks, ended, persistent, presence, reauthorize},
    transport::trust::TrustPublisher,
};

/// Why an instance cannot be served, or no longer: it is not repaired, another has to replace it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("its view cannot be opened: {0}")]
    Unopened(#[from] ViewError),
    #[error("its view no longer follows the log")]
    ViewEnded,
    #[error("its part {0:?} has panicked")]
    Panicked(&'static str),
}

/// Where tasks send how they failed: the first failure counts.
type Failures = mpsc::Sender<Failure>;

/// Opens an instance and starts its tasks in `tracker`. What is received is a failure after which it has to be replaced.
///
/// # Errors
/// [`Failure::Unopened`].
pub(super) fn start(
    run: &Run,
    parts: &InstanceParts,
    tracker: &TaskTracker,
) -> Result<(Arc<Instance>, mpsc::Receiver<Failure>), Failure> {
    let (instance, recorded) = Instance::open(run, parts, tracker)?;
    let (failures, failed) = mpsc::channel(1);
    let tasks = Tasks { instance: &instance, tracker, failures: &failures };
    let (config, clock) = (parts.config.clone(), parts.clock.clone());
    let publisher = TrustPublisher::new(instance.id.clone(), instance.view.clone(), clock, config);
    tasks.spawn("trust", async move |instance| publisher.run(&instance.trust).await);
    tasks.spawn("reauthorize", async |instance| reauthorize::run(&instance).await);
    tasks.spawn("downlinks", async |instance| downlinks::run(&instance).await);
    tasks.spawn("presence announcements", async |instance| presence::announce::announce(&instance).await);
    tasks.spawn("presence watch", async |instance| presence::watch::watch(&instance).await);
    tasks.spawn("replay", async |instance| persistent::replay::run(&instance).await);
    tasks.spawn("kept sessions", async |instance| persistent::save::run(&instance).await);
    tasks.spawn("ended sessions", async |instance| ended::finish::run(&instance).await);
    tasks.spawn("sessions of lost connectors", async |instance| ended::orphans::run(&instance).await);
    tasks.spawn("presence lease", async |instance| presence::lease::renew(&instance).await);
    tasks.spawn("attempts", async move |instance| {
        attempts::write_attempts(&instance.id, &*instance.backbone.attempts, recorded).await
    });
    tasks.spawn("request queue", async |instance| open_queue(&instance).await);
    let ended = failures.clone();
    tasks.spawn("view", async move |instance| {
        instance.view.ended().await;
        fail(&ended, Failure::ViewEnded);
    });
    Ok((instance, failed))
}

struct Tasks<'a> {
    instance: &'a Arc<Instance>,
    tracker: &'a TaskTracker,
    failures: &'a Failures,
}

impl Tasks<'_> {
    /// Runs a task of the instance. Its panic fails the instance: otherwise it would go unnoticed until the task was needed.
    fn spawn<F>(&self, part: &'static str, task: impl FnOnce(Arc<Instance>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (instance, failures) = (self.instance.clone(), self.failures.clone());
        let running = AssertUnwindSafe(task(instance.clone())).catch_unwind();
        self.tracker.spawn(async move {
            if let Some(Err(_panic)) = instance.stop.run_until_cancelled(running).await {
                tracing::error!(instance = %instance.id, part, "a part of the instance has panicked");
                fail(&failures, Failure::Panicked(part));
            }
        });
    }
}

fn fail(failures: &Failures, failure: Failure) {
    // Full: one failure is enough for the instance to be replaced. Closed: it is being replaced.
    let _ = failures.try_send(failure);
}

async fn open_queue(instance: &Instance) {
    let (repeats, mut retry) = (Repeats::default(), instance.retry());
    while let Err(error) = instance.backbone.requests.open(&instance.log).await {
        if let Some(left_out) = repeats.failed(&error) {
            report(&instance.id, &error, left_out);
        }
        retry.pause().await;
    }
}

fn report(instance: &InstanceId, error: &BackboneError, left_out: u64) {
    match error {
        BackboneError::StreamDiffers { .. } | BackboneError::Full { .. } | BackboneError::Damaged { .. } => {
            tracing::error!(%instance, %error, left_out, "the request queue cannot be used until an operator has looked");
        }
        BackboneError::Unavailable { .. }
        | BackboneError::Unwritable { .. }
        | BackboneError::LimitReached { .. }
        | BackboneError::Closed => {
            tracing::warn!(%instance, %error, left_out, "the request queue cannot be opened; trying again");
        }
    }
}
