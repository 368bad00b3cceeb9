//! Deletes documents of wills.

use std::time::Duration;

use rollcall_log::{
    BackboneError,
    documents::{DocumentKey, PutError, Revision},
};

use super::{
    will::KeptWill,
    work::{Next, RETRY_DELAY, Work},
};
use crate::instance::Instance;

/// How often it is tried again at once when somebody else writes the document meanwhile.
const TRIES_MAX: usize = 5;
/// Between two looks for a document: longer than a write that was reported as failed is on its way.
pub(super) const LOOKUP_DELAY: Duration = Duration::from_secs(6);

/// Deletes a will's document, whatever has become of it.
///
/// # Errors
/// [`BackboneError`]: it is to be tried again.
pub(super) async fn discard(
    instance: &Instance,
    key: &DocumentKey,
    revision: Option<Revision>,
    looks: u8,
) -> Result<Next, BackboneError> {
    let documents = &instance.backbone.documents;
    let mut expected = revision.unwrap_or(Revision::NONE);
    for _ in 0..TRIES_MAX {
        match documents.delete(&instance.log, key, expected).await {
            Ok(()) if expected == Revision::NONE && looks > 1 => {
                return Ok(Next::Then(LOOKUP_DELAY, Work::Discard { revision: None, looks: looks - 1 }));
            }
            Ok(()) => return Ok(Next::Nothing),
            Err(PutError::Conflict) => {}
            Err(PutError::Backbone(error)) => return Err(error),
        }
        expected = documents.get(&instance.log, key).await?.map_or(Revision::NONE, |found| found.revision);
    }
    Ok(Next::Later(RETRY_DELAY))
}

/// Deletes the document of a will that has been published in this revision. One that has been written since is another's: a
/// connector has claimed it again, or the one whose session it is of has come back with it.
///
/// # Errors
/// [`BackboneError`]: it is to be tried again.
pub(super) async fn delete(instance: &Instance, key: &DocumentKey, revision: Revision) -> Result<Next, BackboneError> {
    match instance.backbone.documents.delete(&instance.log, key, revision).await {
        Ok(()) => Ok(Next::Nothing),
        Err(PutError::Conflict) => {
            let found = instance.backbone.documents.get(&instance.log, key).await?;
            let is_there = found.is_some_and(|found| found.revision == revision);
            Ok(if is_there { Next::Later(RETRY_DELAY) } else { Next::Nothing })
        }
        Err(PutError::Backbone(error)) => Err(error),
    }
}

/// Deletes a will's document if it waits for a delay: its session goes on (MQTT 5 §3.1.3.2.2). A will without a delay is
/// published, because its connection is over.
///
/// # Errors
/// [`BackboneError`]: it is to be tried again.
pub(super) async fn withdraw(instance: &Instance, key: &DocumentKey) -> Result<Next, BackboneError> {
    let documents = &instance.backbone.documents;
    for _ in 0..TRIES_MAX {
        let Some(found) = documents.get(&instance.log, key).await? else { return Ok(Next::Nothing) };
        match KeptWill::read(&found.body) {
            // One that has been claimed is being published.
            Ok(will) if will.delay() > Duration::ZERO && !will.is_claimed() => {}
            Ok(_) | Err(_) => return Ok(Next::Nothing),
        }
        match documents.delete(&instance.log, key, found.revision).await {
            Ok(()) => return Ok(Next::Nothing),
            Err(PutError::Conflict) => {}
            Err(PutError::Backbone(error)) => return Err(error),
        }
    }
    Ok(Next::Later(RETRY_DELAY))
}
