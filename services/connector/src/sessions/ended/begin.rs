//! Before CONNACK: what of the session is to outlive its connection is written down.

use std::sync::Arc;

use bytes::Bytes;
use rollcall_log::{
    BackboneError,
    documents::{DocumentKey, PutError, Revision},
    presence::Session as PresenceSession,
};

use super::{schedule::SessionWill, will::KeptWill};
use crate::{
    instance::Instance,
    mqtt::{Connect, SessionGrant},
    sessions::{holder::Holder, session::Session},
};

/// Keeps the will of a session that has just opened. To be called before presence hears of the session.
pub(crate) async fn begin(instance: &Instance, session: &Arc<Session>, connect: &Connect) -> SessionGrant {
    let grant = SessionGrant::default();
    if let Some(will) = &connect.will
        && let Some(holder) = Holder::of(session, &instance.view)
    {
        session.set_will(keep(instance, session, KeptWill::new(holder, will, grant.expiry_s)).await);
    }
    grant
}

/// A device is let in also while documents cannot be written, as it would be without a will.
async fn keep(instance: &Instance, session: &Session, will: KeptWill) -> SessionWill {
    let of = PresenceSession { connector: instance.connector.clone(), number: session.number };
    let key = DocumentKey::Will(session.device.device.clone(), of);
    match put(instance, &key, Revision::NONE, will.write()).await {
        Ok(revision) => SessionWill::Stored { revision, delay: std::time::Duration::from_secs(will.delay_s.into()) },
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
async fn put(instance: &Instance, key: &DocumentKey, expected: Revision, body: Bytes) -> Result<Revision, PutError> {
    match instance.backbone.documents.put(&instance.id, key, expected, body.clone()).await {
        Err(PutError::Backbone(BackboneError::StreamDiffers { .. })) => {
            instance.backbone.documents.open_sessions(&instance.id).await?;
            instance.backbone.documents.put(&instance.id, key, expected, body).await
        }
        other => other,
    }
}
