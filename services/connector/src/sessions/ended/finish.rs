//! Does what is due for ended sessions.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use rollcall_domain::ids::DeviceId;
use rollcall_log::{
    BackboneError,
    documents::{DocumentKey, PutError, Revision},
    repeats::Repeats,
};
use tokio::time::Instant;

use super::{
    schedule::Work,
    will::{CLAIM_MS, KeptWill},
};
use crate::{admission::view_ready::view_ready, instance::Instance, metrics::metrics, sessions::persistent::save};

/// Done at a time.
const AT_ONCE: usize = 64;
/// Before what has failed is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What became of a thing to do.
enum Outcome {
    Done,
    /// To be done again, after this time.
    Again(Duration, Work),
}

/// Does what is due until the future is dropped.
pub(crate) async fn run(instance: &Instance) {
    let mut retry = instance.retry();
    while let Err(error) = instance.backbone.documents.open_sessions(&instance.id).await {
        if let Some(left_out) = instance.will_repeats.failed(&error) {
            tracing::warn!(instance = %instance.id, %error, left_out, "wills and sessions cannot be stored; trying again");
        }
        retry.pause().await;
    }
    let repeats = Repeats::default();
    loop {
        let due = instance.schedule.take(AT_ONCE, Instant::now());
        if due.is_empty() {
            instance.schedule.due().await;
            continue;
        }
        let count = due.len();
        let doing = due.into_iter().map(|(key, work)| async { (finish(instance, &repeats, &key, work).await, key) });
        let outcomes: Vec<_> = stream::iter(doing).buffer_unordered(AT_ONCE).collect().await;
        for (outcome, key) in outcomes {
            if let Outcome::Again(after, work) = outcome {
                instance.schedule.again(key, Instant::now() + after, work);
            }
        }
        instance.schedule.done(count);
    }
}

async fn finish(instance: &Instance, repeats: &Repeats, key: &DocumentKey, work: Work) -> Outcome {
    let tried = match (&work, key) {
        (Work::Publish(None), DocumentKey::Will(device, _)) => publish_stored(instance, key, device).await,
        (Work::Publish(Some(will)), DocumentKey::Will(device, _)) => {
            publish(instance, device, will).await.map(|published| published.err())
        }
        (Work::Discard(revision), _) => discard(instance, key, *revision).await.map(|()| None),
        (Work::Keep(session), _) => save::finish(instance, session).await.map(|()| None),
        (Work::Check(superseded), DocumentKey::Session(device)) => {
            save::check(instance, key, device, superseded.as_ref()).await
        }
        (Work::Publish(_) | Work::Check(_), _) => Ok(None),
    };
    match tried {
        Ok(None) => Outcome::Done,
        Ok(Some(after)) => Outcome::Again(after, work),
        Err(error) => {
            if let Some(left_out) = repeats.failed(&error) {
                tracing::warn!(instance = %instance.id, %error, left_out, "a session's will or state cannot be stored yet; trying again");
            }
            Outcome::Again(RETRY_DELAY, work)
        }
    }
}

/// Claims a will, publishes it, and deletes it; `Some`: to be looked at again after this time. It is looked at again also
/// when another has claimed it: that one may die before it publishes.
async fn publish_stored(
    instance: &Instance,
    key: &DocumentKey,
    device: &DeviceId,
) -> Result<Option<Duration>, BackboneError> {
    let documents = &instance.backbone.documents;
    let Some(found) = documents.get(&instance.id, key).await? else { return Ok(None) };
    let mut will = match KeptWill::read(&found.body) {
        Ok(will) => will,
        Err(reason) => {
            tracing::error!(instance = %instance.id, %device, reason, "a will cannot be read; it is not published");
            return discard(instance, key, found.revision).await.map(|()| None);
        }
    };
    if let Err(left_ms) = will.claim(instance.clock.unix_ms()) {
        return Ok(Some(Duration::from_millis(left_ms.unsigned_abs())));
    }
    let claimed = match documents.put(&instance.id, key, found.revision, will.write()).await {
        Ok(revision) => revision,
        Err(PutError::Conflict) => return Ok(Some(Duration::from_millis(CLAIM_MS.unsigned_abs()))),
        Err(PutError::Backbone(error)) => return Err(error),
    };
    match publish(instance, device, &will).await? {
        Ok(()) => discard(instance, key, claimed).await.map(|()| None),
        Err(after) => Ok(Some(after)),
    }
}

/// Publishes a will through the device's policies as they are now; `Err`: not before this time has passed.
async fn publish(instance: &Instance, device: &DeviceId, will: &KeptWill) -> Result<Result<(), Duration>, BackboneError> {
    if !view_ready(&instance.status.borrow()) {
        return Ok(Err(RETRY_DELAY));
    }
    let damaged = instance.view.lookups_damaged();
    let message = will.message(device, &instance.view.configuration(), &instance.view, instance.now());
    match message {
        Ok(message) => match instance.backbone.messages.publish(&instance.id, message).await {
            Ok(_) => metrics().will("published"),
            Err(error @ BackboneError::LimitReached { .. }) => {
                tracing::warn!(instance = %instance.id, %device, %error, "a will is not published");
                metrics().will("not_published");
            }
            Err(error) => return Err(error),
        },
        // A lookup that met damage found nothing, which says nothing of the device.
        Err(_) if instance.view.lookups_damaged() != damaged => return Ok(Err(RETRY_DELAY)),
        Err(reason) => {
            tracing::info!(instance = %instance.id, %device, reason, "a will is not published");
            metrics().will("not_published");
        }
    }
    Ok(Ok(()))
}

/// Deletes a will; one that has been claimed, or is gone, is somebody else's to delete.
async fn discard(instance: &Instance, key: &DocumentKey, revision: Revision) -> Result<(), BackboneError> {
    match instance.backbone.documents.delete(&instance.id, key, revision).await {
        Ok(()) | Err(PutError::Conflict) => Ok(()),
        Err(PutError::Backbone(error)) => Err(error),
    }
}
