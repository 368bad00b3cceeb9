//! What is desired of a device's properties: changed by callers, told to the device.
//!
//! Not for merging (`shadow`). A device is told when what is desired changes while it is online, and when it comes online
//! and something is not as desired. Invariant: one at a time tells a device, and looks afterwards whether it was the latest.

use std::sync::Arc;

use rollcall_backbone::{documents::DocumentKey, messages::MessageProperties, presence::Session};
use rollcall_domain::ids::DeviceId;
use rollcall_projection::directory::Listed;
use serde_json::json;

use super::{
    claim::Claim,
    documents::{self, Outcome},
    shadow::{Properties, Shadow, Wish},
    topics::Asked,
};
use crate::{codes::Code, error::ApiError, realm::Realm};

/// Writes the first shadow of a device that has just been created; one that has got wishes since keeps them.
///
/// # Errors
/// [`Code::LimitReached`]; the backbone's.
pub(crate) async fn begin(realm: &Arc<Realm>, listed: &Listed, desired: Vec<(String, Properties)>) -> Result<(), ApiError> {
    if desired.is_empty() {
        return Ok(());
    }
    let wish = |(service_id, desired)| Wish { service_id, desired, version: None };
    let wishes: Vec<Wish> = desired.into_iter().map(wish).collect();
    let now_ms = realm.devices.now_ms();
    let key = key(listed);
    let writing = documents::change::<Shadow, _>(realm, &key, listed.created.0, |shadow| {
        if shadow.has_wishes() {
            return Ok(Outcome::Unchanged(()));
        }
        desire(shadow, &wishes, None, now_ms).map(Outcome::Changed)
    });
    writing.await?;
    tell_apart(realm, listed);
    Ok(())
}

/// The shadow of a device.
///
/// # Errors
/// The backbone's.
pub(crate) async fn show(realm: &Realm, listed: &Listed) -> Result<Shadow, ApiError> {
    Ok(documents::of_device(realm, &key(listed), listed.created.0).await?.value)
}

/// Changes what is desired; with a key that has been used for a change of this device, nothing.
///
/// # Errors
/// [`Code::ShadowVersion`]; [`Code::LimitReached`]; the backbone's: it may have been changed.
pub(crate) async fn change(
    realm: &Arc<Realm>,
    listed: &Listed,
    wishes: &[Wish],
    granted: Option<&str>,
) -> Result<Shadow, ApiError> {
    let now_ms = realm.devices.now_ms();
    let key = key(listed);
    let changing = documents::change::<Shadow, _>(realm, &key, listed.created.0, |shadow| {
        if granted.is_some_and(|granted| shadow.has_granted(granted)) {
            return Ok(Outcome::Unchanged(()));
        }
        desire(shadow, wishes, granted, now_ms).map(Outcome::Changed)
    });
    let (shadow, ()) = changing.await?;
    tell_apart(realm, listed);
    Ok(shadow)
}

/// Desires nothing of a device any more.
///
/// # Errors
/// The backbone's: it may have been changed.
pub(crate) async fn clear(realm: &Realm, listed: &Listed) -> Result<(), ApiError> {
    let now_ms = realm.devices.now_ms();
    let key = key(listed);
    let clearing = documents::change::<Shadow, _>(realm, &key, listed.created.0, |shadow| {
        Ok(if shadow.clear(now_ms) { Outcome::Changed(()) } else { Outcome::Unchanged(()) })
    });
    clearing.await.map(drop)
}

/// Deletes the shadow of a device that has been deleted.
///
/// # Errors
/// The backbone's.
pub(crate) async fn forget(realm: &Realm, device: &DeviceId) -> Result<(), ApiError> {
    let key = DocumentKey::Shadow(device.clone());
    match realm.backbone.documents.get(&realm.id, &key).await? {
        Some(document) => documents::remove(realm, &key, document.revision).await,
        None => Ok(()),
    }
}

/// Whether a device that is online is to be told something, so that it is worth finding out more.
///
/// # Errors
/// The backbone's.
pub(crate) async fn is_owed(realm: &Realm, device: &DeviceId) -> Result<bool, ApiError> {
    let Some(presence) = realm.online.of(device) else { return Ok(false) };
    let held = documents::read::<Shadow>(realm, &DocumentKey::Shadow(device.clone())).await?;
    Ok(held.is_some_and(|held| held.value.is_owed_to(&presence.session)))
}

/// Tells a device that is online what is desired, if it has not been told; if somebody else is at it, it is looked at
/// again.
///
/// # Errors
/// The backbone's: it may have been told.
pub(crate) async fn tell(realm: &Realm, listed: &Listed) -> Result<(), ApiError> {
    // Each round tells what was desired when it began; there is another one only if that has changed meanwhile.
    while let Some(presence) = realm.online.of(&listed.device.id) {
        let by = realm.devices.new_claim();
        let now_ms = realm.devices.now_ms();
        let key = key(listed);
        let claiming = documents::change::<Shadow, _>(realm, &key, listed.created.0, |shadow| {
            if !shadow.is_owed_to(&presence.session) {
                return Ok(Outcome::Unchanged(Turn::Nothing));
            }
            if shadow.claim.as_ref().is_some_and(|claim| claim.holds(now_ms)) {
                return Ok(Outcome::Unchanged(Turn::Others));
            }
            shadow.claim = Some(Claim::new(&by, now_ms));
            Ok(Outcome::Changed(Turn::Ours))
        });
        let (shadow, turn) = claiming.await?;
        match turn {
            Turn::Nothing => return Ok(()),
            Turn::Others => {
                realm.devices.look_again(&listed.device.id);
                return Ok(());
            }
            Turn::Ours => tell_once(realm, listed, &shadow, &presence.session, &by).await?,
        }
    }
    Ok(())
}

/// Whose turn it is to tell a device.
enum Turn {
    Nothing,
    Others,
    Ours,
}

async fn tell_once(realm: &Realm, listed: &Listed, shadow: &Shadow, session: &Session, by: &str) -> Result<(), ApiError> {
    let device = &listed.device;
    let services: Vec<_> = shadow
        .differences()
        .into_iter()
        .map(|(service_id, properties)| json!({"service_id": service_id, "properties": properties}))
        .collect();
    let payload = json!({"object_device_id": device.id.as_str(), "services": services});
    let topic = Asked::SetProperties.topic(&device.id, by);
    super::send(realm, device, topic, payload.to_string().into(), MessageProperties::default()).await?;
    let told = shadow.desired_changes();
    let key = key(listed);
    let noting = documents::change::<Shadow, _>(realm, &key, listed.created.0, |shadow| {
        if shadow.claim.as_ref().is_none_or(|claim| claim.by != by) {
            return Ok(Outcome::Unchanged(()));
        }
        shadow.claim = None;
        shadow.has_told(session, told);
        Ok(Outcome::Changed(()))
    });
    noting.await.map(drop)
}

/// Tells a device even if whoever has changed what is desired goes away, and without keeping them waiting.
fn tell_apart(realm: &Arc<Realm>, listed: &Listed) {
    if !realm.online.is_online(&listed.device.id) {
        return;
    }
    let (realm, listed) = (Arc::clone(realm), listed.clone());
    tokio::spawn(async move {
        if let Err(error) = tell(&realm, &listed).await {
            let device = &listed.device.id;
            if let Some(left_out) = realm.devices.told.failed(&error.message) {
                tracing::warn!(instance = %realm.id, %device, error = error.message, left_out, "a device could not be told its wishes");
            }
            realm.devices.look_again(device);
        }
    });
}

fn desire(shadow: &mut Shadow, wishes: &[Wish], granted: Option<&str>, now_ms: i64) -> Result<(), ApiError> {
    shadow.desire(wishes, granted, now_ms).map_err(|other| {
        let text =
            format!("version: the shadow of service {:?} has version {}: read it again", other.service_id, other.found);
        ApiError::new(Code::ShadowVersion, text)
    })
}

fn key(listed: &Listed) -> DocumentKey {
    DocumentKey::Shadow(listed.device.id.clone())
}
