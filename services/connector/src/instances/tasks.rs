//! The tasks of one instance. Each runs until the instance stops; one that panics fails the instance.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use rollcall_domain::{fleet, ids::InstanceId};
use rollcall_log::{BackboneError, repeats::Repeats};
use rollcall_projection::admission::ViewError;

use crate::{
    admission::attempts,
    instance::{BACKBONE_RETRY_DELAY, Instance, InstanceParts},
    sessions::{downlinks, ended, persistent, presence, reauthorize},
    transport::trust::TrustPublisher,
};

/// Opens an instance and starts its tasks.
///
/// # Errors
/// [`ViewError`]: the view cannot be opened.
pub(super) fn start(profile: fleet::Instance, parts: &InstanceParts) -> Result<Arc<Instance>, ViewError> {
    let (instance, recorded) = Instance::open(profile, parts)?;
    let (config, clock) = (parts.config.clone(), parts.clock.clone());
    let publisher =
        TrustPublisher::new(instance.id.clone(), instance.view.clone(), clock, config.limits.clone(), &config.tls_folder);
    spawn(&instance, "trust", async move |instance| publisher.run(&instance.trust).await);
    spawn(&instance, "reauthorize", async |instance| reauthorize::run(&instance).await);
    spawn(&instance, "downlinks", async |instance| downlinks::run(&instance).await);
    spawn(&instance, "presence announcements", async |instance| presence::announce::announce(&instance).await);
    spawn(&instance, "presence watch", async |instance| presence::watch::watch(&instance).await);
    spawn(&instance, "replay", async |instance| persistent::replay::run(&instance).await);
    spawn(&instance, "kept sessions", async |instance| persistent::save::run(&instance).await);
    spawn(&instance, "ended sessions", async |instance| ended::finish::run(&instance).await);
    spawn(&instance, "sessions of lost connectors", async |instance| ended::orphans::run(&instance).await);
    spawn(&instance, "presence lease", async |instance| presence::lease::renew(&instance).await);
    spawn(&instance, "attempts", async move |instance| {
        attempts::write_attempts(&instance.id, &*instance.backbone.attempts, recorded).await
    });
    spawn(&instance, "request queue", async |instance| open_queue(&instance).await);
    spawn(&instance, "view", async |instance| {
        instance.view.ended().await;
        instance.fail("its view no longer follows the log");
    });
    Ok(instance)
}

/// Runs a task of the instance. Its panic fails the instance: otherwise it would go unnoticed until the task was needed.
fn spawn<F>(instance: &Arc<Instance>, part: &'static str, task: impl FnOnce(Arc<Instance>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (instance, running) = (instance.clone(), AssertUnwindSafe(task(instance.clone())).catch_unwind());
    tokio::spawn(async move {
        if let Some(Err(_panic)) = instance.stop.run_until_cancelled(running).await {
            instance.fail(&format!("its part \"{part}\" has panicked"));
        }
    });
}

async fn open_queue(instance: &Instance) {
    let repeats = Repeats::default();
    while let Err(error) = instance.backbone.requests.open(&instance.log).await {
        if let Some(left_out) = repeats.failed(&error) {
            report(&instance.id, &error, left_out);
        }
        tokio::time::sleep(BACKBONE_RETRY_DELAY).await;
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
