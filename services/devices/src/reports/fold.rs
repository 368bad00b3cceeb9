//! Takes what one device has said into its shadow: one write however much it was.
//!
//! Invariant: the process that writes a message into a shadow is the one that answers it, so a device gets one shadow for
//! asking once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rollcall_device_model::{
    event::{self, DeviceEvent, TimeRequest},
    shadow::Shadow,
    topics,
};
use rollcall_domain::ids::DeviceId;
use rollcall_log::{documents::DocumentKey, messages::MessageProperties};
use rollcall_projection::directory::Listed;
use serde_json::{Value, json};

use super::{CLOCKS_APART_MS_MAX, Item, Said};
use crate::{
    documents::{self, Edit},
    error::DevicesError,
    instance::Devices,
    metrics::report_dropped,
};

/// How long the view may take to reach the end of its log.
const CATCH_UP_MAX: Duration = Duration::from_secs(10);
/// Older requests are not answered, milliseconds: the device has stopped waiting.
const REQUEST_MS_MAX: i64 = 60_000;

/// What a device has asked for.
enum PlatformRequest {
    Shadow { request: String, service_id: Option<String> },
    Time(TimeRequest),
}

/// Those of the devices that exist. One that the view does not have yet is waited for: it could not have said anything
/// before its record was in the log.
pub(super) async fn existing(
    devices: &Arc<Devices>,
    mut ids: Vec<DeviceId>,
) -> Result<BTreeMap<DeviceId, Listed>, DevicesError> {
    let mut found = look(devices, ids.clone()).await?;
    ids.retain(|id| !found.contains_key(id));
    if !ids.is_empty() {
        let end = devices.backbone.log.last(&devices.log()).await?;
        let caught_up = tokio::time::timeout(CATCH_UP_MAX, devices.view.admission().reached(end)).await;
        caught_up.map_err(|_| DevicesError::NotReady)??;
        found.append(&mut look(devices, ids).await?);
    }
    Ok(found)
}

async fn look(devices: &Arc<Devices>, ids: Vec<DeviceId>) -> Result<BTreeMap<DeviceId, Listed>, DevicesError> {
    devices
        .look(move |view| {
            let mut found = BTreeMap::new();
            for id in ids {
                if let Some(listed) = view.show(&id)? {
                    found.insert(id, listed);
                }
            }
            Some(found)
        })
        .await
}

/// Takes what a device has said into its shadow, and answers it.
pub(super) async fn fold(devices: &Arc<Devices>, listed: &Listed, items: &[Item]) -> Result<(), DevicesError> {
    // What an earlier device of this id has said is not this one's.
    let began_ms = listed.device.registered_at.unix_ms();
    let own = |item: &&Item| item.stored_at_ms.saturating_add(CLOCKS_APART_MS_MAX) >= began_ms;
    let own: Vec<&Item> = items.iter().filter(own).collect();
    match fold_items(devices, listed, &own, true).await {
        // Something of it is too much, or the shadow cannot be read: the stream must go on for the others.
        Err(error) if error.is_of_one_document() => {
            for item in &own {
                fold_singly(devices, listed, item).await?;
            }
            Ok(())
        }
        other => other,
    }
}

/// Takes one message in, without its values if they are too much.
async fn fold_singly(devices: &Arc<Devices>, listed: &Listed, item: &Item) -> Result<(), DevicesError> {
    match fold_items(devices, listed, &[item], true).await {
        Err(error) if error.is_of_one_document() => {
            let device = &listed.device.id;
            tracing::debug!(instance = %devices.instance, %device, %error, "a report cannot be put into a shadow");
            report_dropped("not_storable");
        }
        other => return other,
    }
    match fold_items(devices, listed, &[item], false).await {
        Err(error) if error.is_of_one_document() => Ok(()),
        other => other,
    }
}

async fn fold_items(devices: &Devices, listed: &Listed, items: &[&Item], with_values: bool) -> Result<(), DevicesError> {
    let key = DocumentKey::Shadow(listed.device.id.clone());
    let folding = documents::change::<Shadow, _>(devices, &key, listed.created.0, |shadow| {
        let mut asked = Vec::new();
        // The last of all: an answer to an earlier one says nothing more, and one message can hold hundreds.
        let mut time = None;
        let (mut news, mut differs) = (false, false);
        for item in items {
            if !shadow.is_new(item.mark) {
                continue;
            }
            news = true;
            match &item.said {
                Said::Reported(reports) => differs |= shadow.fold(item.mark, if with_values { reports } else { &[] }),
                Said::ShadowWanted { request, service_id } => {
                    shadow.fold(item.mark, &[]);
                    let (request, service_id) = (request.clone(), service_id.clone());
                    asked.push((item.stored_at_ms, PlatformRequest::Shadow { request, service_id }));
                }
                Said::Events(events) => {
                    shadow.fold(item.mark, &[]);
                    for event in events {
                        match event {
                            DeviceEvent::TimeRequested(request) => {
                                time = Some((item.stored_at_ms, PlatformRequest::Time(request.clone())));
                            }
                            DeviceEvent::InfoReported(info) => shadow.info.get_or_insert_default().update(info),
                        }
                    }
                }
            }
        }
        asked.extend(time);
        let then = (asked, differs);
        Ok(if news { Edit::Changed(then) } else { Edit::Unchanged(then) })
    });
    let (shadow, (asked, differs)) = folding.await?;
    // Not at once: what a device goes on reporting is answered once for a while.
    if differs && devices.presence().is_online(&listed.device.id) {
        devices.recheck.put(&listed.device.id);
    }
    for (asked_ms, request) in asked {
        if asked_ms.saturating_add(REQUEST_MS_MAX) < devices.now_ms() || !devices.presence().is_online(&listed.device.id) {
            continue;
        }
        answer(devices, listed, &shadow, asked_ms, request).await;
    }
    Ok(())
}

/// Answers a device. An answer that is lost is asked for again, as any lost answer is.
async fn answer(devices: &Devices, listed: &Listed, shadow: &Shadow, asked_ms: i64, request: PlatformRequest) {
    let device = &listed.device;
    let (topic, payload) = match request {
        PlatformRequest::Shadow { request, service_id } => {
            let services = shadow.services.iter().filter(|(id, _)| service_id.as_ref().is_none_or(|wanted| wanted == *id));
            let shadow: Vec<Value> = services.map(|(id, service)| service.to_json(id)).collect();
            let payload = json!({"object_device_id": device.id.as_str(), "shadow": shadow});
            (topics::shadow_answer(&device.id, &request), payload)
        }
        PlatformRequest::Time(request) => {
            let payload = event::time_answer(&device.id, &request, asked_ms, devices.now_ms());
            (topics::events_down(&device.id), payload)
        }
    };
    let sent = devices.publish(device, topic, payload.to_string().into(), MessageProperties::default()).await;
    if let Err(error) = sent
        && let Some(left_out) = devices.told.failed(&error)
    {
        tracing::warn!(instance = %devices.instance, device = %device.id, %error, left_out, "a device could not be answered");
    }
}
