//! What is desired of a device's properties: changed by callers, sent to the device.
//!
//! Merging is [`rollcall_device_model::shadow`]'s. It is sent when it changes while the device is online, when the device
//! comes online and something is not as desired, and when it reports, something is not as desired, and its report before did not
//! show the same. Invariant: one process at a time sends to a device, and looks afterwards whether it was the latest.

use std::sync::Arc;

use rollcall_device_model::{
    claim::Claim,
    shadow::{DesiredChange, KeyUse, KeyedRequest, Properties, Shadow},
    topics::DeviceRequest,
};
use rollcall_domain::{ids::DeviceId, session::Session};
use rollcall_log::{documents::DocumentKey, messages::MessageProperties};
use rollcall_projection::directory::Listed;
use serde_json::json;

use crate::{
    documents::{self, Edit},
    error::DevicesError,
    instance::Devices,
};

/// Writes the first shadow of a device that has just been created; one of which something is desired already keeps it.
///
/// # Errors
/// [`DevicesError::DocumentTooLarge`]; [`DevicesError::Backbone`].
pub async fn begin(devices: &Arc<Devices>, listed: &Listed, desired: Vec<(String, Properties)>) -> Result<(), DevicesError> {
    if desired.is_empty() {
        return Ok(());
    }
    let change = |(service_id, desired)| DesiredChange { service_id, desired, version: None };
    let changes: Vec<DesiredChange> = desired.into_iter().map(change).collect();
    let now_ms = devices.now_ms();
    let key = key(listed);
    let writing = documents::change::<Shadow, _>(devices, &key, listed.created.0, |shadow| {
        if shadow.has_desired() {
            return Ok(Edit::Unchanged(()));
        }
        apply(shadow, &changes, None, now_ms).map(Edit::Changed)
    });
    writing.await?;
    send_in_background(devices, listed);
    Ok(())
}

/// The shadow of a device.
///
/// # Errors
/// [`DevicesError::Backbone`].
pub async fn show(devices: &Devices, listed: &Listed) -> Result<Shadow, DevicesError> {
    Ok(documents::of_device(devices, &key(listed), listed.created.0).await?.value)
}

/// Changes what is desired; a request that is remembered as applied to this device changes nothing.
///
/// # Errors
/// [`DevicesError::KeyUsed`], [`DevicesError::ShadowVersion`], [`DevicesError::DocumentTooLarge`]; [`DevicesError::Backbone`]: it
/// may have been changed.
pub async fn change(
    devices: &Arc<Devices>,
    listed: &Listed,
    changes: &[DesiredChange],
    keyed: Option<&KeyedRequest>,
) -> Result<Shadow, DevicesError> {
    let now_ms = devices.now_ms();
    let key = key(listed);
    let changing = documents::change::<Shadow, _>(devices, &key, listed.created.0, |shadow| {
        match keyed.map_or(KeyUse::Unused, |keyed| shadow.key_use(keyed)) {
            KeyUse::Unused => apply(shadow, changes, keyed, now_ms).map(Edit::Changed),
            KeyUse::SameRequest => Ok(Edit::Unchanged(())),
            KeyUse::OtherRequest => Err(DevicesError::KeyUsed),
        }
    });
    let (shadow, ()) = changing.await?;
    send_in_background(devices, listed);
    Ok(shadow)
}

/// Takes away all that is desired of a device.
///
/// # Errors
/// [`DevicesError::Backbone`]: it may have been changed.
pub async fn clear(devices: &Devices, listed: &Listed) -> Result<(), DevicesError> {
    let now_ms = devices.now_ms();
    let key = key(listed);
    let clearing = documents::change::<Shadow, _>(devices, &key, listed.created.0, |shadow| {
        Ok(if shadow.clear_desired(now_ms) { Edit::Changed(()) } else { Edit::Unchanged(()) })
    });
    clearing.await.map(drop)
}

/// Deletes the shadow of a device that has been deleted.
///
/// # Errors
/// [`DevicesError::Backbone`].
pub(crate) async fn forget(devices: &Devices, device: &DeviceId) -> Result<(), DevicesError> {
    let key = DocumentKey::Shadow(device.clone());
    match devices.backbone.documents.get(&devices.log(), &key).await? {
        Some(document) => documents::remove(devices, &key, document.revision).await,
        None => Ok(()),
    }
}

/// Whether a device that is online is to be sent what is desired, so that it is worth looking the device up.
///
/// # Errors
/// [`DevicesError::Backbone`].
pub(crate) async fn is_pending(devices: &Devices, device: &DeviceId) -> Result<bool, DevicesError> {
    let Some(presence) = devices.presence().of(device) else { return Ok(false) };
    let held = documents::read::<Shadow>(devices, &DocumentKey::Shadow(device.clone())).await?;
    Ok(held.is_some_and(|held| held.value.is_pending_for(&presence.session)))
}

/// Sends a device that is online what is desired, unless its session has been sent it. While another process is sending, the
/// device is checked again later.
///
/// # Errors
/// [`DevicesError::Backbone`]: it may have been sent.
pub(crate) async fn send(devices: &Devices, listed: &Listed) -> Result<(), DevicesError> {
    // Each round sends what was desired when it began; there is another one only if that has changed meanwhile.
    while let Some(presence) = devices.presence().of(&listed.device.id) {
        let by = devices.new_claim();
        let now_ms = devices.now_ms();
        let key = key(listed);
        let claiming = documents::change::<Shadow, _>(devices, &key, listed.created.0, |shadow| {
            if !shadow.is_pending_for(&presence.session) {
                return Ok(Edit::Unchanged(Turn::Nothing));
            }
            if shadow.claim.as_ref().is_some_and(|claim| claim.holds(now_ms)) {
                return Ok(Edit::Unchanged(Turn::Others));
            }
            shadow.claim = Some(Claim::new(&by, now_ms));
            Ok(Edit::Changed(Turn::Ours))
        });
        let (shadow, turn) = claiming.await?;
        match turn {
            Turn::Nothing => return Ok(()),
            Turn::Others => {
                devices.recheck.put(&listed.device.id);
                return Ok(());
            }
            Turn::Ours => send_once(devices, listed, &shadow, &presence.session, &by).await?,
        }
    }
    Ok(())
}

/// Which process is to send.
enum Turn {
    Nothing,
    Others,
    Ours,
}

async fn send_once(
    devices: &Devices,
    listed: &Listed,
    shadow: &Shadow,
    session: &Session,
    by: &str,
) -> Result<(), DevicesError> {
    let device = &listed.device;
    let services: Vec<_> = shadow
        .delta()
        .into_iter()
        .map(|(service_id, properties)| json!({"service_id": service_id, "properties": properties}))
        .collect();
    let payload = json!({"object_device_id": device.id.as_str(), "services": services});
    let topic = DeviceRequest::SetProperties.topic(&device.id, by);
    devices.publish(device, topic, payload.to_string().into(), MessageProperties::default()).await?;
    let sent = shadow.desired_changes();
    let key = key(listed);
    let noting = documents::change::<Shadow, _>(devices, &key, listed.created.0, |shadow| {
        if shadow.claim.as_ref().is_none_or(|claim| claim.by != by) {
            return Ok(Edit::Unchanged(()));
        }
        shadow.claim = None;
        shadow.mark_sent(session, sent);
        Ok(Edit::Changed(()))
    });
    noting.await.map(drop)
}

/// Sends without keeping the caller waiting, and also if the caller goes away.
fn send_in_background(devices: &Arc<Devices>, listed: &Listed) {
    if !devices.presence().is_online(&listed.device.id) {
        return;
    }
    let (tasks, devices, listed) = (devices.tasks.clone(), Arc::clone(devices), listed.clone());
    tasks.spawn(async move {
        if let Err(error) = send(&devices, &listed).await {
            let device = &listed.device.id;
            if let Some(left_out) = devices.told.failed(&error) {
                tracing::warn!(instance = %devices.instance, %device, %error, left_out, "a device could not be sent what is desired of it");
            }
            devices.recheck.put(device);
        }
    });
}

fn apply(
    shadow: &mut Shadow,
    changes: &[DesiredChange],
    keyed: Option<&KeyedRequest>,
    now_ms: i64,
) -> Result<(), DevicesError> {
    let applied = shadow.apply(changes, keyed, now_ms);
    applied.map_err(|other| DevicesError::ShadowVersion { service_id: other.service_id, found: other.found })
}

fn key(listed: &Listed) -> DocumentKey {
    DocumentKey::Shadow(listed.device.id.clone())
}
