//! Takes what one device has said into its shadow: one write however much it was.
//!
//! Invariant: whoever writes a message into a shadow is the one who answers it, so a device gets one shadow for asking once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rollcall_backbone::{documents::DocumentKey, messages::MessageProperties};
use rollcall_domain::ids::DeviceId;
use rollcall_projection::directory::Listed;
use serde_json::{Value, json};

use super::{CLOCKS_APART_MS_MAX, Item, Said};
use crate::{
    codes::Code,
    device::{
        documents::{self, Outcome},
        shadow::Shadow,
        topics,
    },
    error::ApiError,
    metrics::metrics,
    realm::Realm,
    v5::shadow::shown,
};

/// How long the view may take to reach the end of its log.
const CATCH_UP_MAX: Duration = Duration::from_secs(10);
/// Older questions are not answered any more, milliseconds: nobody waits for it.
const QUESTION_MS_MAX: i64 = 60_000;

/// Those of the devices that exist. One that the view does not have yet is waited for: it could not have said anything
/// before its record was in the log.
pub(super) async fn existing(realm: &Arc<Realm>, mut ids: Vec<DeviceId>) -> Result<BTreeMap<DeviceId, Listed>, ApiError> {
    let mut found = look(realm, ids.clone()).await?;
    ids.retain(|id| !found.contains_key(id));
    if !ids.is_empty() {
        let end = realm.backbone.log.last(&realm.log()).await?;
        let caught_up = tokio::time::timeout(CATCH_UP_MAX, realm.view.admission().reached(end)).await;
        caught_up.map_err(|_| ApiError::not_ready())??;
        found.append(&mut look(realm, ids).await?);
    }
    Ok(found)
}

async fn look(realm: &Arc<Realm>, ids: Vec<DeviceId>) -> Result<BTreeMap<DeviceId, Listed>, ApiError> {
    realm
        .look(move |realm| {
            let mut found = BTreeMap::new();
            for id in ids {
                if let Some(listed) = realm.view.show(&id)? {
                    found.insert(id, listed);
                }
            }
            Some(found)
        })
        .await
}

/// Takes what a device has said into its shadow, and answers it.
pub(super) async fn fold(realm: &Arc<Realm>, listed: &Listed, items: &[Item]) -> Result<(), ApiError> {
    // What an earlier device of this id has said is not this one's.
    let began_ms = listed.device.registered_at.unix_ms();
    let own = |item: &&Item| item.stored_at_ms.saturating_add(CLOCKS_APART_MS_MAX) >= began_ms;
    let own: Vec<&Item> = items.iter().filter(own).collect();
    match fold_items(realm, listed, &own, true).await {
        // Something of it is too much, or the shadow cannot be read: the stream must go on for the others.
        Err(error) if is_the_devices(&error) => {
            for item in &own {
                fold_singly(realm, listed, item).await?;
            }
            Ok(())
        }
        other => other,
    }
}

/// Takes one message in, without its values if they are too much.
async fn fold_singly(realm: &Arc<Realm>, listed: &Listed, item: &Item) -> Result<(), ApiError> {
    match fold_items(realm, listed, &[item], true).await {
        Err(error) if is_the_devices(&error) => {
            let device = &listed.device.id;
            tracing::debug!(instance = %realm.id, %device, error = error.message, "a report cannot be put into a shadow");
            metrics().report_dropped("not_storable");
        }
        other => return other,
    }
    match fold_items(realm, listed, &[item], false).await {
        Err(error) if is_the_devices(&error) => Ok(()),
        other => other,
    }
}

/// Whether it concerns this device's shadow alone, so that waiting does not help.
fn is_the_devices(error: &ApiError) -> bool {
    matches!(error.code, Code::LimitReached | Code::Internal)
}

async fn fold_items(realm: &Realm, listed: &Listed, items: &[&Item], with_values: bool) -> Result<(), ApiError> {
    let key = DocumentKey::Shadow(listed.device.id.clone());
    let folding = documents::change::<Shadow, _>(realm, &key, listed.created.0, |shadow| {
        let mut asked = Vec::new();
        let mut news = false;
        for item in items {
            if !shadow.is_news(item.mark) {
                continue;
            }
            news = true;
            match &item.said {
                Said::Reported(reports) => shadow.fold(item.mark, if with_values { reports } else { &[] }),
                Said::ShadowWanted { request, service_id } => {
                    shadow.fold(item.mark, &[]);
                    asked.push((request.clone(), service_id.clone(), item.stored_at_ms));
                }
            }
        }
        Ok(if news { Outcome::Changed(asked) } else { Outcome::Unchanged(asked) })
    });
    let (shadow, asked) = folding.await?;
    for (request, service_id, asked_ms) in asked {
        if asked_ms.saturating_add(QUESTION_MS_MAX) < realm.devices.now_ms() || !realm.online.is_online(&listed.device.id) {
            continue;
        }
        answer(realm, listed, &shadow, &request, service_id.as_deref()).await;
    }
    Ok(())
}

/// Answers a device that has asked for its shadow. An answer that is lost is asked for again, as any lost answer is.
async fn answer(realm: &Realm, listed: &Listed, shadow: &Shadow, request: &str, service_id: Option<&str>) {
    let device = &listed.device;
    let services = shown(shadow).into_iter().filter(|service| service_id.is_none_or(|wanted| wanted == service.service_id));
    let shadow: Vec<Value> = services.filter_map(|service| serde_json::to_value(service).ok()).collect();
    let payload = json!({"object_device_id": device.id.as_str(), "shadow": shadow}).to_string();
    let topic = topics::shadow_answer(&device.id, request);
    let sent = crate::device::send(realm, device, topic, payload.into(), MessageProperties::default()).await;
    if let Err(error) = sent
        && let Some(left_out) = realm.devices.told.failed(&error)
    {
        tracing::warn!(instance = %realm.id, device = %device.id, %error, left_out, "a device could not be sent its shadow");
    }
}
