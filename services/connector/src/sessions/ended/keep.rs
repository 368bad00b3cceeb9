//! Writes wills down, and takes back those of a session that goes on.

use std::time::Duration;

use bytes::Bytes;
use rollcall_domain::ids::DeviceId;
use rollcall_log::{
    BackboneError,
    documents::{DocumentKey, PutError, Revision},
    presence::Session as PresenceSession,
};
use tokio::time::Instant;

use super::will::{KeptWill, SessionWill};
use crate::{instance::Instance, sessions::session::Session};

/// A device is let in also while documents cannot be written, as it would be without a will.
pub(super) async fn keep(instance: &Instance, session: &Session, will: KeptWill) -> SessionWill {
    let of = PresenceSession { connector: instance.connector.clone(), number: session.number };
    let key = DocumentKey::Will(session.device.device.clone(), of);
    match put(instance, &key, Revision::NONE, will.write()).await {
        Ok(revision) => SessionWill::Stored { revision, delay: Duration::from_secs(will.delay_s.into()) },
        Err(error) => {
            if let Some(left_out) = instance.will_repeats.failed(&error) {
                tracing::warn!(
                    instance = %instance.id, %error, left_out, "a will could not be stored: it does not outlive this connector"
                );
            }
            SessionWill::Unstored(Box::new(will))
        }
    }
}

/// Puts a document, after opening documents if that has not been done.
pub(crate) async fn put(
    instance: &Instance,
    key: &DocumentKey,
    expected: Revision,
    body: Bytes,
) -> Result<Revision, PutError> {
    match instance.backbone.documents.put(&instance.id, key, expected, body.clone()).await {
        Err(PutError::Backbone(BackboneError::StreamDiffers { .. })) => {
            instance.backbone.documents.open_sessions(&instance.id).await?;
            instance.backbone.documents.put(&instance.id, key, expected, body).await
        }
        other => other,
    }
}

/// The session goes on of which `before` was the last connection: a will of that one that waits for its delay is not
/// published (MQTT 5 §3.1.3.2.2). One without a delay is, because that connection is over.
pub(crate) async fn discard_delayed_will(instance: &Instance, device: &DeviceId, before: PresenceSession) {
    instance.schedule.cancel_delayed(device, Instant::now());
    let key = DocumentKey::Will(device.clone(), before);
    let discarded = async {
        let Some(found) = instance.backbone.documents.get(&instance.id, &key).await? else { return Ok(()) };
        match KeptWill::read(&found.body) {
            Ok(will) if will.is_delayed() => instance.backbone.documents.delete(&instance.id, &key, found.revision).await,
            Ok(_) | Err(_) => Ok(()),
        }
    };
    // A conflict: it has just been claimed, and is published.
    if let Err(PutError::Backbone(error)) = discarded.await
        && let Some(left_out) = instance.will_repeats.failed(&error)
    {
        tracing::warn!(instance = %instance.id, %error, left_out, "a will whose session goes on may be published");
    }
}
