//! Renews the presence lease of this connector.

use rollcall_domain::ids::LogId;
use rollcall_log::{
    presence::{Beat, HEARTBEAT},
    repeats::Repeats,
};
use tokio::time::MissedTickBehavior;

use crate::instance::Instance;

/// Renews the lease, with position, sessions and age of the view, until the future is dropped.
pub(crate) async fn renew(instance: &Instance) {
    let mut retry = instance.retry();
    // The watch task reports the error.
    while instance.backbone.presence.open(&instance.id).await.is_err() {
        retry.pause().await;
    }
    let repeats = Repeats::default();
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        heartbeat.tick().await;
        let age = instance.freshness.of_log(&instance.log).age;
        let age_ms = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let (position, digest) = {
            let status = instance.status.borrow();
            (status.position, Some(status.digest))
        };
        let fleet = instance.freshness.of_log(&LogId::Fleet).fleet_beat();
        let beat = Beat { position, sessions: instance.sessions.count() as u64, digest, age_ms, fleet };
        match instance.backbone.presence.heartbeat(&instance.id, &instance.connector, beat).await {
            Ok(()) => {
                if repeats.recovered() {
                    tracing::info!(instance = %instance.id, "the presence lease is renewed again");
                }
            }
            Err(error) => {
                if let Some(left_out) = repeats.failed(&error) {
                    tracing::warn!(instance = %instance.id, %error, left_out, "the presence lease cannot be renewed; trying again");
                }
            }
        }
    }
}
