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

use super::{
    discard::withdraw,
    will::{KeptWill, SessionWill},
    work::{Next, RETRY_DELAY, Work},
};
use crate::{instance::Instance, sessions::session::Session};

/// Before a will is put again that could not be: there may be as many as sessions.
const KEEP_AGAIN_DELAY: Duration = Duration::from_secs(10);

/// A device is let in also while documents cannot be written, as it would be without a will.
pub(super) async fn keep(instance: &Instance, session: &Session, will: KeptWill) -> SessionWill {
    let of = PresenceSession { connector: instance.connector.clone(), number: session.number };
    let key = DocumentKey::Will(session.device.device.clone(), of);
    let stored = put(instance, &key, Revision::NONE, will.write()).await.inspect_err(|error| report(instance, error)).ok();
    SessionWill { will: Box::new(will), stored }
}

/// Puts the will of a live session once more, after it may not have been stored, or another connector may have published it. To
/// be called when presence has shown the session: from then on nobody takes the document for one that was left.
///
/// # Errors
/// [`BackboneError`]: it is to be tried again.
pub(super) async fn keep_again(instance: &Instance, key: &DocumentKey, session: &Session) -> Result<Next, BackboneError> {
    let Some(will) = session.unkept_will() else { return Ok(Next::Nothing) };
    let kept = async {
        let found = instance.backbone.documents.get(&instance.log, key).await?;
        if let Some(found) = &found
            && let Ok(mut found) = KeptWill::read(&found.body)
            && let Err(left_ms) = found.claim(instance.clock.unix_ms())
        {
            // It is being published, and deleted then.
            return Ok(Next::Later(Duration::from_millis(left_ms.unsigned_abs())));
        }
        // Written also if it is there: who has only listed it then finds that it is not what was left.
        let revision = found.map_or(Revision::NONE, |found| found.revision);
        session.note_will_kept(put(instance, key, revision, will.write()).await?);
        Ok(Next::Nothing)
    };
    match kept.await {
        Err(PutError::Conflict) => Ok(Next::Later(RETRY_DELAY)),
        Err(error) => {
            report(instance, &error);
            Ok(Next::Later(KEEP_AGAIN_DELAY))
        }
        Ok(next) => Ok(next),
    }
}

fn report(instance: &Instance, error: &PutError) {
    if let Some(left_out) = instance.will_repeats.failed(error) {
        tracing::warn!(
            instance = %instance.id, %error, left_out, "a will could not be stored yet: it does not outlive this connector"
        );
    }
}

/// Puts a document, after opening documents if that has not been done.
pub(crate) async fn put(
    instance: &Instance,
    key: &DocumentKey,
    expected: Revision,
    body: Bytes,
) -> Result<Revision, PutError> {
    match instance.backbone.documents.put(&instance.log, key, expected, body.clone()).await {
        Err(PutError::Backbone(BackboneError::StreamDiffers { .. })) => {
            instance.backbone.documents.open_sessions(&instance.log).await?;
            instance.backbone.documents.put(&instance.log, key, expected, body).await
        }
        other => other,
    }
}

/// The session goes on of which `before` was the last connection: a will of that one that waits for its delay is not
/// published.
pub(crate) async fn discard_delayed_will(instance: &Instance, device: &DeviceId, before: PresenceSession) {
    let now = Instant::now();
    instance.schedule.cancel_delayed(device, now);
    let key = DocumentKey::Will(device.clone(), before);
    match withdraw(instance, &key).await {
        Ok(Next::Nothing) => {}
        Ok(_) => instance.schedule.again(key, now, Work::Withdraw),
        Err(error) => {
            if let Some(left_out) = instance.will_repeats.failed(&error) {
                tracing::warn!(instance = %instance.id, %error, left_out, "a will whose session goes on may be published");
            }
            instance.schedule.again(key, now, Work::Withdraw);
        }
    }
}
