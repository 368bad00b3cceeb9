//! Certificates that were taken away from their device: which they are, and letting one back in.
//!
//! A certificate is taken away with its device (`v5::devices`), by itself (`v5::device_certificates`), or by another in its
//! place. Invariant: a caller with some resource spaces sees and lifts only what was taken away from devices of those.

use std::collections::BTreeSet;

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::Role,
    ids::{DeviceId, Fingerprint, SpaceId},
    registry::{Command, Devices as _, PinKey, Retired},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    context::{InstanceContext, device_not_found},
    http::{
        codes::Code,
        error::ApiError,
        errors::Errors,
        extract::{Body, Query},
        paging,
        responses::NoContent,
        route::Routes,
        times,
    },
    instances::served::ServedInstance,
    v5::devices::fingerprint,
};

/// Of one device that are shown with it.
const OF_DEVICE_MAX: usize = 50;
/// Read for one page, whosever they are.
const READ_MAX: usize = 1000;

/// Which retired certificates to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Those of this device, at most 50, and no further page.
    #[param(max_length = 128)]
    device_id: Option<String>,
    /// The `marker` of the page before.
    #[param(pattern = "^([0-9a-f]{40}|[0-9a-f]{64})(-[A-Za-z0-9_-]{1,36})?$")]
    marker: Option<String>,
    /// Entries of the page, 1 to 50; 10 when absent.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<i64>,
}

/// A certificate that was taken away from its device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetiredCertificate {
    /// SHA-256, or SHA-1 where no more was typed; hex.
    fingerprint: String,
    /// The device that it was of.
    device_id: String,
    /// The resource space of that device.
    app_id: String,
    /// `device_deleted`, `certificate_deleted` or `replaced`.
    #[schema(example = "device_deleted")]
    reason: &'static str,
    /// When, UTC.
    retired_time: String,
    /// The last instant of the certificate's validity, UTC, a day after which it is forgotten. Absent: not known, and it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_date: Option<String>,
    /// The one device that it is readmitted for.
    #[serde(skip_serializing_if = "Option::is_none")]
    readmitted_for: Option<String>,
    /// Whether an operator typed the fingerprint and no CA ever proved the certificate: then it bars only certificates of CAs of this
    /// resource space.
    typed: bool,
    /// The call that lifts it.
    lifted_by: String,
}

/// A page of retired certificates.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetiredCertificates {
    /// In the order of their fingerprints.
    retired_certificates: Vec<RetiredCertificate>,
    /// Where the next page begins; absent when this is the last. A page may be short, even empty, before the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// For which device a certificate is let back in.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct Readmission {
    /// Only for this device; when absent, for whichever it comes to.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    device_id: Option<String>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(list)).operation(Role::Operator, routes!(readmit))
}

/// List the certificates that were taken away from their device
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/retired-certificates", tag = "History",
    params(("instance_id" = String, Path), Which), responses((status = 200, body = RetiredCertificates), Errors))]
async fn list(context: InstanceContext, Query(which): Query<Which>) -> Result<Json<RetiredCertificates>, ApiError> {
    let limit = paging::limit(which.limit)?;
    let spaces = context.caller.scope.spaces.clone();
    let in_scope = move |retired: &Retired| spaces.as_ref().is_none_or(|spaces| spaces.contains(&retired.space));
    if let Some(device) = which.device_id.filter(|device| !device.is_empty()) {
        let device = DeviceId::parse(&device).map_err(|_| device_not_found(&device))?;
        let found = context.instance.lookup(move |instance| instance.view.retired_of(&device, OF_DEVICE_MAX)).await?;
        let found = found.iter().filter(|(_, retired)| in_scope(retired));
        let retired_certificates = found.map(|(key, retired)| shown(&context.instance, key, retired)).collect();
        return Ok(Json(RetiredCertificates { retired_certificates, marker: None }));
    }
    let marker = which.marker.filter(|marker| !marker.is_empty());
    let after = marker.as_deref().map(read_marker).transpose()?;
    let (found, last) = match context.caller.scope.spaces.clone() {
        None => context.instance.lookup(move |instance| of_all(instance, after.as_ref(), limit)).await?,
        Some(spaces) => context.instance.lookup(move |instance| of_spaces(instance, &spaces, after.as_ref(), limit)).await?,
    };
    let retired_certificates = found.iter().map(|(key, retired)| shown(&context.instance, key, retired)).collect();
    Ok(Json(RetiredCertificates { retired_certificates, marker: last.as_ref().map(marker_of) }))
}

/// A page, and the key that the next one comes after.
type Found = (Vec<(PinKey, Retired)>, Option<PinKey>);

/// For a caller who may see all. What was proven is passed over where it stands by its SHA-1.
fn of_all(instance: &ServedInstance, after: Option<&PinKey>, limit: usize) -> Option<Found> {
    let read = instance.view.retired_after(after, READ_MAX)?;
    let (count, mut page) = (read.len(), Vec::new());
    for (nth, (key, retired)) in read.into_iter().enumerate() {
        let last = key.clone();
        if !key.is_second_digest() {
            page.push((key, retired));
        }
        if page.len() == limit || nth + 1 == READ_MAX {
            let is_more = nth + 1 < count || count == READ_MAX;
            return Some((page, is_more.then_some(last)));
        }
    }
    Some((page, None))
}

/// For a caller with some resource spaces: nothing of others is read, so that no marker can name it.
fn of_spaces(instance: &ServedInstance, spaces: &BTreeSet<SpaceId>, after: Option<&PinKey>, limit: usize) -> Option<Found> {
    let mut page = Vec::new();
    for space in spaces {
        page.extend(instance.view.retired_in(space, after, limit + 1)?);
    }
    page.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let is_more = page.len() > limit;
    page.truncate(limit);
    let last = page.last().filter(|_| is_more).map(|(key, _)| key.clone());
    Some((page, last))
}

/// Let a certificate be used again that was taken away from its device
#[utoipa::path(post, path = "/rollcall/v1/instances/{instance_id}/retired-certificates/{fingerprint}/readmit", tag = "History",
    params(("instance_id" = String, Path), ("fingerprint" = String, Path, pattern = "^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$", description = "SHA-1 or SHA-256 over the certificate")), request_body = Readmission,
    responses((status = 204), Errors))]
async fn readmit(
    context: InstanceContext,
    Path((_, text)): Path<(String, String)>,
    Body(wanted): Body<Readmission>,
) -> Result<NoContent, ApiError> {
    let fingerprint = fingerprint::read("fingerprint", &text)?;
    let device = match wanted.device_id {
        None => None,
        Some(named) => Some(DeviceId::parse(&named).map_err(|error| ApiError::invalid("device_id", error))?),
    };
    let retired = in_scope(&context, fingerprint).await?;
    let retired = retired.ok_or_else(|| {
        let text = format!("No certificate with this fingerprint was taken away from a device: {fingerprint}");
        ApiError::new(Code::DeviceCertificateNotFound, text)
    })?;
    // What was only typed is lifted in the resource space of a device: its own, when none is named. One that there is not yet
    // has none, and another space may have had the certificate by proof.
    let only_typed = retired.0.space.is_some();
    let device = device.or_else(|| only_typed.then(|| retired.1.device.clone()));
    if let Some(device) = &device {
        visible(&context, device, only_typed).await?;
    }
    context.command(Command::ReadmitCertificate { fingerprint, device }).await?;
    Ok(NoContent)
}

/// A retirement that the caller may lift.
async fn in_scope(context: &InstanceContext, fingerprint: Fingerprint) -> Result<Option<(PinKey, Retired)>, ApiError> {
    let scope = context.caller.scope.clone();
    let lookup = move |instance: &ServedInstance| {
        let view = instance.view.admission();
        let damaged = view.lookups_damaged();
        let configuration = view.configuration();
        let typed = configuration.spaces.keys().filter(|space| scope.holds_space(space));
        let keys = std::iter::once(PinKey::proven(fingerprint)).chain(typed.map(|space| PinKey::typed(fingerprint, space)));
        let mut found = keys.filter_map(|key| view.retired(&key).map(|retired| (key, retired)));
        let found = found.find(|(_, retired)| scope.holds_space(&retired.space));
        (view.lookups_damaged() == damaged).then_some(found)
    };
    context.instance.lookup(lookup).await
}

/// A device that a certificate may be readmitted for: one that is or was of the caller's resource spaces, or one that there is not
/// yet, unless it must be `known`.
async fn visible(context: &InstanceContext, device: &DeviceId, known: bool) -> Result<(), ApiError> {
    let wanted = device.clone();
    let entry = context.instance.lookup(move |instance| Some(instance.view.admission().entry(&wanted))).await?;
    match entry.map_or(!known, |entry| context.caller.scope.holds_space(entry.space())) {
        true => Ok(()),
        false => Err(device_not_found(device.as_str())),
    }
}

/// Those that a device had and that still bar what it would connect with, as the caller is told of them.
///
/// # Errors
/// [`Code::NotReady`].
pub(crate) async fn of_device(
    context: &InstanceContext,
    device: &DeviceId,
    space: &SpaceId,
) -> Result<Vec<RetiredCertificate>, ApiError> {
    let (device, space) = (device.clone(), space.clone());
    let found = context.instance.lookup(move |instance| instance.view.retired_of(&device, OF_DEVICE_MAX)).await?;
    let barred = found.iter().filter(|(_, retired)| retired.space == space && retired.readmitted_for.is_none());
    Ok(barred.map(|(key, retired)| shown(&context.instance, key, retired)).collect())
}

fn shown(instance: &ServedInstance, key: &PinKey, retired: &Retired) -> RetiredCertificate {
    let fingerprint = key.fingerprint.to_string();
    let lifted_by = format!("POST /rollcall/v1/instances/{}/retired-certificates/{fingerprint}/readmit", instance.id);
    RetiredCertificate {
        fingerprint,
        device_id: retired.device.to_string(),
        app_id: retired.space.to_string(),
        reason: retired.reason.name(),
        retired_time: times::basic(retired.since),
        expiry_date: retired.not_after.map(times::basic),
        readmitted_for: retired.readmitted_for.as_ref().map(ToString::to_string),
        typed: key.space.is_some(),
        lifted_by,
    }
}

fn marker_of(key: &PinKey) -> String {
    match &key.space {
        None => key.fingerprint.to_string(),
        Some(space) => format!("{}-{space}", key.fingerprint),
    }
}

fn read_marker(marker: &str) -> Result<PinKey, ApiError> {
    let refused = || ApiError::new(Code::PageOutOfRange, "marker: give what the page before came with");
    let (digits, space) = marker.split_once('-').map_or((marker, None), |(digits, space)| (digits, Some(space)));
    let fingerprint = Fingerprint::parse(digits).ok_or_else(refused)?;
    let space = space.map(SpaceId::parse).transpose().map_err(|_| refused())?;
    Ok(PinKey { fingerprint, space })
}
