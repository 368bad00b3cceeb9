//! Announces sessions that open and end.

use std::sync::atomic::Ordering;

use futures_util::{StreamExt, stream};
use rollcall_log::{presence::PresenceChange, repeats::Repeats};

use super::announcements::ANNOUNCING_MAX;
use crate::instance::Instance;

/// Announces until the future is dropped.
pub(crate) async fn announce(instance: &Instance) {
    let (announcements, repeats, mut retry) = (&instance.announcements, Repeats::default(), instance.retry());
    loop {
        let batch = announcements.batch();
        if batch.is_empty() {
            announcements.waiting().await;
            continue;
        }
        let announced = stream::iter(batch).map(|change| async move {
            let outcome = instance.backbone.presence.announce(&instance.id, change.clone()).await;
            outcome.map(|()| {
                acknowledge(instance, &change);
                announcements.settle(&change);
            })
        });
        let outcomes: Vec<_> = announced.buffer_unordered(ANNOUNCING_MAX).collect().await;
        if let Some(error) = outcomes.into_iter().find_map(Result::err) {
            if let Some(left_out) = repeats.failed(&error) {
                tracing::warn!(instance = %instance.id, %error, left_out, "presence cannot be announced; trying again");
            }
            retry.pause().await;
            continue;
        }
        retry.succeeded();
        if repeats.recovered() {
            tracing::info!(instance = %instance.id, "presence is announced again");
        }
    }
}

/// Presence has stored the announcement. Its place in the order of all changes is seen only by watching.
fn acknowledge(instance: &Instance, change: &PresenceChange) {
    if let PresenceChange::Online { device, session, .. } = change
        && let Some(own) = instance.sessions.of(device)
        && own.number == session.number
    {
        own.acknowledged.store(true, Ordering::SeqCst);
    }
}
