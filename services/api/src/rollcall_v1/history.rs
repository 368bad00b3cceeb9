//! The history of a device, as far as the caller may see it: also of a device that was deleted.
//!
//! Invariant: a caller who is limited to some resource spaces sees what happened since the device was registered in one of
//! them, and nothing before.

use std::sync::Arc;

use rollcall_domain::{
    fleet::Scope,
    ids::{DeviceId, Position, SpaceId},
    registry::Event,
};

use crate::{
    context::device_not_found,
    http::error::ApiError,
    instances::{
        records::{self, StoredRecord},
        served::ServedInstance,
    },
};

/// Records of a device that are read to find its registration.
const HISTORY_MAX: usize = 1000;

/// The position from which on the caller may see the history of a device.
///
/// # Errors
/// [`Code::DeviceNotFound`](crate::http::codes::Code::DeviceNotFound) for a device that never was, or that is out of scope.
pub(super) async fn visible_since(
    instance: &Arc<ServedInstance>,
    scope: &Scope,
    device: &DeviceId,
) -> Result<Position, ApiError> {
    let id = device.clone();
    let lookup =
        move |instance: &ServedInstance| Some((instance.view.show(&id)?, instance.view.history(&id, None, HISTORY_MAX)?));
    let (live, history) = instance.lookup(lookup).await?;
    if live.is_none() && history.is_empty() {
        return Err(device_not_found(device.as_str()));
    }
    if scope.spaces.is_none() {
        return Ok(Position::START);
    }
    let registration = match live {
        Some(listed) => Some((listed.created, listed.device.space)),
        None => last_registration(instance, &history).await?,
    };
    let seen = registration.filter(|(_, space)| scope.holds_space(space));
    seen.map(|(from, _)| from).ok_or_else(|| device_not_found(device.as_str()))
}

/// The last record of a history, latest first, that registered the device, and its resource space.
async fn last_registration(
    instance: &ServedInstance,
    history: &[Position],
) -> Result<Option<(Position, SpaceId)>, ApiError> {
    for position in history {
        let stored = records::at(instance, *position).await?;
        let event = stored.as_ref().and_then(StoredRecord::event);
        if let Some(Event::DeviceRegistered { profile, .. } | Event::DevicePreRegistered { profile, .. }) = event {
            return Ok(Some((*position, profile.space.clone())));
        }
    }
    Ok(None)
}
