//! Publishes a will: claims its document by compare-and-set, stores the message through the device's policies, deletes the
//! document.
//!
//! Invariant: what has been published is only deleted from then on, so no failure of that publishes it again.

use std::time::Duration;

use rollcall_domain::ids::DeviceId;
use rollcall_log::{
    BackboneError,
    documents::{Document, DocumentKey, PutError, Revision},
};

use super::{
    discard::LOOKUP_DELAY,
    keep::put,
    will::KeptWill,
    work::{LOOKS, Next, RETRY_DELAY, Source, Work},
};
use crate::{admission::view_ready::view_ready, instance::Instance, metrics::metrics};

/// A will that this connector is to publish now.
struct Claimed {
    will: KeptWill,
    /// In the place of what was to be done, if publishing it fails.
    again: Option<Work>,
    /// What is to be done after.
    after: Work,
}

/// Claims a will, publishes it, and deletes its document.
///
/// # Errors
/// [`BackboneError`]: it is to be tried again.
pub(super) async fn publish_will(
    instance: &Instance,
    key: &DocumentKey,
    device: &DeviceId,
    source: &Source,
) -> Result<Next, BackboneError> {
    let Claimed { will, again, after } = match claim(instance, key, device, source).await? {
        Ok(claimed) => claimed,
        Err(next) => return Ok(next),
    };
    match (publish(instance, device, &will).await, again) {
        (Ok(Ok(())), _) => {}
        (Ok(Err(after)), Some(again)) => return Ok(Next::Then(after, again)),
        (Ok(Err(after)), None) => return Ok(Next::Later(after)),
        (Err(error), Some(again)) => return Ok(Next::Failed(error, again)),
        (Err(error), None) => return Err(error),
    }
    // A step of its own, tried again by itself: whatever happens to the document, the will has been published.
    Ok(Next::Then(Duration::ZERO, after))
}

/// `Err`: it is not to be published now.
async fn claim(
    instance: &Instance,
    key: &DocumentKey,
    device: &DeviceId,
    source: &Source,
) -> Result<Result<Claimed, Next>, BackboneError> {
    let found = match (instance.backbone.documents.get(&instance.log, key).await, source) {
        (Ok(found), _) => found,
        (Err(_), Source::Here(will)) => return Ok(Ok(Claimed::without_document(will))),
        (Err(error), _) => return Err(error),
    };
    let (expected, mut will) = match found {
        Some(found) => match KeptWill::read(&found.body) {
            Ok(will) if is_alive(source, &found, &will) => return Ok(Err(Next::Nothing)),
            Ok(will) => (found.revision, will),
            Err(reason) => {
                tracing::error!(instance = %instance.id, %device, reason, "a will cannot be read; it is not published");
                return Ok(Err(Next::Then(Duration::ZERO, Work::discard(Some(found.revision)))));
            }
        },
        None => match source {
            Source::Here(will) => (Revision::NONE, (**will).clone()),
            Source::Document { looks } | Source::Left { looks, .. } if *looks > 1 => {
                let looks = looks - 1;
                let source = match source {
                    Source::Left { listed, .. } => Source::Left { listed: *listed, looks },
                    _ => Source::Document { looks },
                };
                return Ok(Err(Next::Then(LOOKUP_DELAY, Work::Publish(source))));
            }
            // Somebody else has published it.
            Source::Document { .. } | Source::Left { .. } | Source::Claimed(_) => return Ok(Err(Next::Nothing)),
        },
    };
    if matches!(source, Source::Claimed(own) if *own == expected) {
        will.release();
    }
    if let Err(left_ms) = will.claim(instance.clock.unix_ms()) {
        // It is looked for again: who has claimed it may die before it publishes.
        let left = Duration::from_millis(left_ms.unsigned_abs());
        return Ok(Err(match source {
            Source::Here(_) => Next::Then(left, Work::Publish(Source::Document { looks: LOOKS })),
            Source::Document { .. } | Source::Left { .. } | Source::Claimed(_) => Next::Later(left),
        }));
    }
    match put(instance, key, expected, will.write()).await {
        Ok(revision) => {
            let again = Some(Work::Publish(Source::Claimed(revision)));
            Ok(Ok(Claimed { will, again, after: Work::Delete(revision) }))
        }
        Err(PutError::Conflict) => Ok(Err(Next::Later(RETRY_DELAY))),
        Err(PutError::Backbone(error)) => match (error, source) {
            (_, Source::Here(here)) => Ok(Ok(Claimed::without_document(here))),
            // There is no room for the claim, but the will is there, and of a session of this connector.
            (BackboneError::LimitReached { .. }, Source::Document { .. }) => {
                Ok(Ok(Claimed { will, again: None, after: Work::Delete(expected) }))
            }
            (BackboneError::LimitReached { .. }, Source::Left { .. } | Source::Claimed(_)) => {
                claim_by_deleting(instance, key, expected, will).await
            }
            (error, _) => Err(error),
        },
    }
}

/// There is no room for the claim to a will that every other connector may publish too: the one that deletes it does.
async fn claim_by_deleting(
    instance: &Instance,
    key: &DocumentKey,
    expected: Revision,
    mut will: KeptWill,
) -> Result<Result<Claimed, Next>, BackboneError> {
    match instance.backbone.documents.delete(&instance.log, key, expected).await {
        Ok(()) => {
            will.release();
            let again = Some(Work::Publish(Source::Here(Box::new(will.clone()))));
            Ok(Ok(Claimed { will, again, after: Work::Delete(expected) }))
        }
        Err(PutError::Conflict) => Ok(Err(Next::Later(RETRY_DELAY))),
        Err(PutError::Backbone(error)) => Err(error),
    }
}

/// Whether the connector that has left the document has written it again since, and so has the session still.
fn is_alive(source: &Source, found: &Document, will: &KeptWill) -> bool {
    match source {
        Source::Left { listed, .. } | Source::Claimed(listed) => found.revision != *listed && !will.is_claimed(),
        Source::Document { .. } | Source::Here(_) => false,
    }
}

impl Claimed {
    /// Documents cannot be written now, or not be read; there may be one nevertheless.
    fn without_document(will: &KeptWill) -> Self {
        Self { will: will.clone(), again: None, after: Work::discard(None) }
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
            Ok(_) => metrics().wills("published", 1),
            Err(error @ BackboneError::LimitReached { .. }) => {
                tracing::warn!(instance = %instance.id, %device, %error, "a will is not published");
                metrics().wills("not_published", 1);
            }
            Err(error) => return Err(error),
        },
        // A lookup that met damage found nothing, which says nothing of the device.
        Err(_) if instance.view.lookups_damaged() != damaged => return Ok(Err(RETRY_DELAY)),
        Err(reason) => {
            tracing::info!(instance = %instance.id, %device, reason, "a will is not published");
            metrics().wills("not_published", 1);
        }
    }
    Ok(Ok(()))
}
