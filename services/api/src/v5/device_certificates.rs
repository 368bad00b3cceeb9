//! Certificates that devices have shown and that are pinned to them.
//!
//! CA certificates are in `certificates`. Invariant: only what has been proven is listed: a fingerprint that an operator typed is
//! a certificate once a device has connected with it.

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::Role,
    ids::Fingerprint,
    registry::{Command, Device},
};
use rollcall_projection::directory::{CertificateFilter, CertificateQuery, ListedCertificate};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::devices::fingerprint;
use crate::{
    context::InstanceContext,
    http::{
        codes::Code,
        error::ApiError,
        errors::Errors,
        extract::{Body, Query},
        paging::{self, Page, PageQuery, PageRequest, marker_of},
        pem,
        responses::NoContent,
        route::Routes,
        times,
    },
    instances::records,
};

/// Characters of a common name that are looked for.
const COMMON_NAME_CHARS_MAX: usize = 32;

/// Whether a certificate may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum CertificateStatus {
    /// It may.
    Active,
    /// An operator has said that it may not.
    Inactive,
}

/// A device certificate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceCertificate {
    /// Its id.
    certificate_id: String,
    /// Subject CN; empty if there is no usable one.
    common_name: String,
    /// The last instant of its validity, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry_date: Option<String>,
    /// SHA-256, hex digits.
    fingerprint: String,
    /// Whether it may be used.
    status: CertificateStatus,
    /// The certificate as PEM; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_pem: Option<String>,
}

/// One page of device certificates.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceCertificates {
    /// Newest first.
    device_certificates: Vec<DeviceCertificate>,
    /// Which page it is.
    page: Page,
}

/// Which device certificates to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Those whose common name begins so.
    #[param(max_length = 32)]
    common_name: Option<String>,
    /// The one with this fingerprint: SHA-1 (40) or SHA-256 (64 hex digits).
    #[param(pattern = "^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$")]
    fingerprint: Option<String>,
}

/// What is to change of a device certificate.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct StatusChange {
    /// Whether it may be used.
    status: CertificateStatus,
}

/// A device that has a certificate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceOfCertificate {
    /// The resource space that it belongs to.
    app_id: String,
    /// Its id.
    device_id: String,
    /// What its owner calls it.
    node_id: String,
    /// Its own id.
    gateway_id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_name: Option<String>,
    /// Its product.
    product_id: String,
}

/// The devices that have a certificate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DevicesOfCertificate {
    /// One: a certificate is of one device.
    devices: Vec<DeviceOfCertificate>,
    /// Which page it is.
    page: Page,
}

/// Which page of the devices that have a certificate.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct PageBody {
    /// Entries of the page; 10 when absent.
    #[schema(minimum = 1, maximum = 50)]
    #[serde(default, deserialize_with = "crate::http::json_integer::optional")]
    limit: Option<i64>,
    /// The `marker` of the page before; 24 hex digits.
    #[schema(pattern = "^[0-9a-fA-F]{24}$")]
    marker: Option<String>,
    /// Entries to skip after the marker; 0 when absent.
    #[schema(minimum = 0, maximum = 500)]
    #[serde(default, deserialize_with = "crate::http::json_integer::optional")]
    offset: Option<i64>,
}

impl From<&ListedCertificate> for DeviceCertificate {
    fn from(listed: &ListedCertificate) -> Self {
        Self {
            certificate_id: paging::certificate_text(&listed.id),
            common_name: listed.common_name.to_string(),
            expiry_date: listed.not_after.map(times::basic),
            fingerprint: hex::encode(listed.sha256),
            status: if listed.active { CertificateStatus::Active } else { CertificateStatus::Inactive },
            certificate_pem: None,
        }
    }
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Viewer, routes!(list))
        .operation(Role::Viewer, routes!(show))
        .operation(Role::Operator, routes!(update))
        .operation(Role::Operator, routes!(delete))
        .operation(Role::Viewer, routes!(list_device))
}

/// List device certificates
#[utoipa::path(get, path = "/v5/iot/{project_id}/device-certificates", tag = "Device certificates",
    params(("project_id" = String, Path), PageQuery, Filter), responses((status = 200, body = DeviceCertificates), Errors))]
async fn list(
    context: InstanceContext,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<DeviceCertificates>, ApiError> {
    let wanted = page.wanted()?;
    let prefix = filter.common_name.filter(|prefix| !prefix.is_empty());
    if prefix.as_ref().is_some_and(|prefix| prefix.chars().count() > COMMON_NAME_CHARS_MAX) {
        return Err(ApiError::invalid("common_name", format!("give at most {COMMON_NAME_CHARS_MAX} characters")));
    }
    let fingerprint = filter.fingerprint.filter(|text| !text.is_empty());
    let fingerprint = fingerprint.map(|text| fingerprint::read("fingerprint", &text)).transpose()?;
    let (device_certificates, page) = match (fingerprint, prefix) {
        (Some(fingerprint), prefix) => with_fingerprint(&context, fingerprint, prefix, &wanted).await?,
        (None, Some(prefix)) => found(&context, CertificateFilter::CommonNamePrefix(prefix.into()), &wanted).await?,
        (None, None) => found(&context, CertificateFilter::All, &wanted).await?,
    };
    Ok(Json(DeviceCertificates { device_certificates, page }))
}

/// Show a device certificate
#[utoipa::path(get, path = "/v5/iot/{project_id}/device-certificates/{certificate_id}", tag = "Device certificates",
    params(("project_id" = String, Path), ("certificate_id" = String, Path)),
    responses((status = 200, body = DeviceCertificate), Errors))]
async fn show(
    context: InstanceContext,
    Path((_, certificate_id)): Path<(String, String)>,
) -> Result<Json<DeviceCertificate>, ApiError> {
    shown(&context, &certificate_id).await.map(Json)
}

/// Make a device certificate active or inactive
#[utoipa::path(put, path = "/v5/iot/{project_id}/device-certificates/{certificate_id}", tag = "Device certificates",
    params(("project_id" = String, Path), ("certificate_id" = String, Path)), request_body = StatusChange,
    responses((status = 200, body = DeviceCertificate), Errors))]
async fn update(
    context: InstanceContext,
    Path((_, certificate_id)): Path<(String, String)>,
    Body(change): Body<StatusChange>,
) -> Result<Json<DeviceCertificate>, ApiError> {
    let (listed, device) = pinned(&context, &certificate_id).await?;
    let fingerprints = pins_of(&listed, &device);
    if fingerprints.is_empty() {
        return Err(not_found(&certificate_id));
    }
    let active = change.status == CertificateStatus::Active;
    for fingerprint in fingerprints {
        let n = change_number(&fingerprint);
        context.nth_command(n, Command::SwitchCertificate { device: device.id.clone(), fingerprint, active }).await?;
    }
    shown(&context, &certificate_id).await.map(Json)
}

/// Delete a device certificate: no device comes back with it until it is readmitted
#[utoipa::path(delete, path = "/v5/iot/{project_id}/device-certificates/{certificate_id}", tag = "Device certificates",
    params(("project_id" = String, Path), ("certificate_id" = String, Path)), responses((status = 204), Errors))]
async fn delete(context: InstanceContext, Path((_, certificate_id)): Path<(String, String)>) -> Result<NoContent, ApiError> {
    let (listed, device) = pinned(&context, &certificate_id).await?;
    let fingerprints = pins_of(&listed, &device);
    if fingerprints.is_empty() {
        return Err(not_found(&certificate_id));
    }
    // A device may have it by both digests: each is a change of its own. Asked again after a failure between them, the device has
    // one digest left, which is deleted then.
    for fingerprint in fingerprints {
        let n = change_number(&fingerprint);
        context.nth_command(n, Command::DeleteCertificate { device: device.id.clone(), fingerprint }).await?;
    }
    Ok(NoContent)
}

/// List the devices that have a certificate
#[utoipa::path(post, path = "/v5/iot/{project_id}/device-certificates/{certificate_id}/list-device",
    tag = "Device certificates",
    params(("project_id" = String, Path), ("certificate_id" = String, Path)), request_body = PageBody,
    responses((status = 200, body = DevicesOfCertificate), Errors))]
async fn list_device(
    context: InstanceContext,
    Path((_, certificate_id)): Path<(String, String)>,
    Body(page): Body<PageBody>,
) -> Result<Json<DevicesOfCertificate>, ApiError> {
    let wanted = PageQuery { limit: page.limit, marker: page.marker, offset: page.offset }.wanted()?;
    let (_, device) = pinned(&context, &certificate_id).await?;
    let listed = context.device(device.id.as_str())?;
    let key = marker_of(listed.created);
    let (devices, page) = crate::http::paging::page(vec![device], &wanted, |_| key.clone());
    let devices = devices.into_iter().map(|device| DeviceOfCertificate {
        app_id: device.space.to_string(),
        device_id: device.id.to_string(),
        node_id: device.node_id.to_string(),
        gateway_id: device.id.to_string(),
        device_name: device.name.as_deref().map(str::to_owned),
        product_id: device.product.to_string(),
    });
    Ok(Json(DevicesOfCertificate { devices: devices.collect(), page }))
}

async fn found(
    context: &InstanceContext,
    filter: CertificateFilter,
    wanted: &PageRequest,
) -> Result<(Vec<DeviceCertificate>, Page), ApiError> {
    let query = CertificateQuery {
        filter,
        spaces: context.caller.scope.spaces.clone(),
        after: wanted.marker.as_deref().and_then(paging::certificate_of),
        offset: wanted.offset,
        limit: wanted.limit,
    };
    let found = context.instance.lookup(move |instance| instance.view.certificates(&query)).await?;
    let marker = found.certificates.last().map(|listed| paging::certificate_text(&listed.id));
    Ok((found.certificates.iter().map(DeviceCertificate::from).collect(), Page { count: found.count, marker }))
}

/// At most one certificate has it, so the prefix of its name is checked here.
async fn with_fingerprint(
    context: &InstanceContext,
    fingerprint: Fingerprint,
    prefix: Option<String>,
    wanted: &PageRequest,
) -> Result<(Vec<DeviceCertificate>, Page), ApiError> {
    let all = PageRequest { limit: crate::http::paging::LIMIT_MAX, marker: None, offset: 0 };
    let (mut certificates, _) = found(context, CertificateFilter::Fingerprint(fingerprint), &all).await?;
    certificates.retain(|found| prefix.as_ref().is_none_or(|prefix| found.common_name.starts_with(prefix.as_str())));
    Ok(crate::http::paging::page(certificates, wanted, |found| found.certificate_id.clone()))
}

/// As the view has it now, with the certificate itself from the log.
async fn shown(context: &InstanceContext, certificate_id: &str) -> Result<DeviceCertificate, ApiError> {
    let listed = listed(context, certificate_id).await?;
    let stored = records::at(&context.instance, listed.id.position).await?;
    let presented = stored.as_ref().and_then(|stored| records::presented(stored.event()?));
    let certificate_pem = presented.map(|presented| pem::write(&presented.der));
    Ok(DeviceCertificate { certificate_pem, ..DeviceCertificate::from(&listed) })
}

async fn listed(context: &InstanceContext, certificate_id: &str) -> Result<ListedCertificate, ApiError> {
    let id = paging::certificate_of(certificate_id).ok_or_else(|| not_found(certificate_id))?;
    let found = context.instance.lookup(move |instance| instance.view.certificate(&id)).await?;
    found.filter(|found| context.caller.scope.holds_space(&found.space)).ok_or_else(|| not_found(certificate_id))
}

/// A certificate and the device that has it.
async fn pinned(context: &InstanceContext, certificate_id: &str) -> Result<(ListedCertificate, Device), ApiError> {
    let listed = listed(context, certificate_id).await?;
    let device = context.device(listed.device.as_str()).map_err(|error| match error.code {
        // Deleted meanwhile, and its certificates with it.
        Code::DeviceNotFound => not_found(certificate_id),
        _ => error,
    })?;
    Ok((listed, device.device))
}

/// By which of its fingerprints a device has a certificate: one, or both.
fn pins_of(listed: &ListedCertificate, device: &Device) -> Vec<Fingerprint> {
    let is_of = |fingerprint: &Fingerprint| match fingerprint {
        Fingerprint::Sha256(digest) => *digest == listed.sha256,
        Fingerprint::Sha1(digest) => Some(*digest) == listed.sha1,
    };
    device.credential.pins().map(|pin| pin.fingerprint).filter(is_of).collect()
}

/// Which change of a request concerns the certificate by this kind of digest. Not its place among those that the device has: it
/// moves up when the other is gone, and would be taken for the change that was made already when the request is sent again.
const fn change_number(fingerprint: &Fingerprint) -> usize {
    match fingerprint {
        Fingerprint::Sha256(_) => 0,
        Fingerprint::Sha1(_) => 1,
    }
}

fn not_found(certificate_id: &str) -> ApiError {
    let text = format!("The device certificate does not exist: {certificate_id:?}");
    ApiError::new(Code::DeviceCertificateNotFound, text)
}
