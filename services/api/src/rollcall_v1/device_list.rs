//! Listing devices by how they stand: state, when they registered, when their certificates end, whether they were refused lately.
//!
//! The list by fields is `v5::devices::list`, the search by a prefix [`devices`](super::devices). Invariant: as in the former, a
//! device out of the caller's scope is neither listed nor counted.

use std::collections::BTreeMap;

use axum::Json;
use rollcall_domain::{
    fleet::Role,
    ids::{DeviceId, Fingerprint},
    registry::{Device, Devices as _, PinKey},
    time::Timestamp,
};
use rollcall_projection::directory::{Condition, DeviceStatus, TextTest, ValueTest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    context::InstanceContext,
    http::{
        error::ApiError,
        errors::Errors,
        extract::Query,
        paging::{Page, PageQuery},
        route::Routes,
        times,
    },
    instances::served::ServedInstance,
    v5::devices::{list, object::DeviceSummary},
};

/// How a device stands.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    Online,
    Offline,
    /// It has never connected.
    Inactive,
    Frozen,
}

/// Which devices to list. All that is given must hold. Times are `20151212T121212Z`, and their seconds are within.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Standing {
    /// Of this resource space.
    #[param(max_length = 36)]
    app_id: Option<String>,
    /// Of this product.
    #[param(max_length = 36)]
    product_id: Option<String>,
    /// How they stand.
    #[param(inline)]
    status: Option<Status>,
    /// Registered at this time or later.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    registered_since: Option<String>,
    /// Registered at this time or earlier.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    registered_until: Option<String>,
    /// With a certificate that ends at this time or later.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    certificate_ends_since: Option<String>,
    /// With a certificate that ends at this time or earlier.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    certificate_ends_until: Option<String>,
    /// Refused at this time or later, by their certificate or under their id, as far as attempts are kept.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    refused_since: Option<String>,
}

/// A device and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceStanding {
    #[serde(flatten)]
    summary: DeviceSummary,
    /// When it was registered, UTC.
    create_time: String,
    /// When the first of its certificates ends, UTC; absent where no certificate of it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_end: Option<String>,
    /// When it was last refused; only with `refused_since`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_at: Option<String>,
}

/// A page of devices.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DevicesStanding {
    /// Newest first.
    devices: Vec<DeviceStanding>,
    /// Which page it is.
    page: Page,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(show))
}

/// List devices by how they stand
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/device-list", tag = "Devices",
    params(("instance_id" = String, Path), PageQuery, Standing), responses((status = 200, body = DevicesStanding), Errors))]
async fn show(
    context: InstanceContext,
    Query(page): Query<PageQuery>,
    Query(standing): Query<Standing>,
) -> Result<Json<DevicesStanding>, ApiError> {
    let wanted = page.wanted()?;
    let refused = match &standing.refused_since {
        Some(text) => Some(refused_since(&context, times::read("refused_since", text)?).await?),
        None => None,
    };
    let mut conditions = standing.conditions(&context)?;
    let named = |refused: &BTreeMap<DeviceId, Timestamp>| refused.keys().map(|id| id.as_str().into()).collect();
    conditions.extend(refused.as_ref().map(|refused| Condition::DeviceId(TextTest::In(named(refused)))));
    let refused = refused.unwrap_or_default();
    let shown = move |instance: &ServedInstance, configuration: &_, device: &Device| DeviceStanding {
        summary: DeviceSummary::of(instance, configuration, device),
        create_time: times::basic(device.registered_at),
        certificate_end: device.credential.pins().filter_map(|pin| pin.not_after).min().map(times::basic),
        refused_at: refused.get(&device.id).copied().map(times::basic),
    };
    let (devices, page) = list::page_of(&context, vec![conditions], wanted, shown).await?;
    Ok(Json(DevicesStanding { devices, page }))
}

impl Standing {
    fn conditions(self, context: &InstanceContext) -> Result<Vec<Condition>, ApiError> {
        let equal = |text: String| TextTest::Eq(text.into());
        let mut conditions = Vec::new();
        let space = context.space_filter(self.app_id.as_deref())?;
        conditions.extend(space.map(|space| Condition::Space(equal(space.to_string()))));
        let product = self.product_id.filter(|id| !id.is_empty());
        conditions.extend(product.map(|product| Condition::Product(equal(product))));
        conditions.extend(self.status.map(|status| {
            Condition::Status(ValueTest::Eq(match status {
                Status::Online => DeviceStatus::Online,
                Status::Offline => DeviceStatus::Offline,
                Status::Inactive => DeviceStatus::Inactive,
                Status::Frozen => DeviceStatus::Frozen,
            }))
        }));
        let registered = [("registered_since", self.registered_since), ("registered_until", self.registered_until)];
        conditions.extend(list::period(registered, Condition::CreateTime)?);
        let ends = [
            ("certificate_ends_since", self.certificate_ends_since),
            ("certificate_ends_until", self.certificate_ends_until),
        ];
        conditions.extend(list::period(ends, Condition::CertificateEnd)?);
        Ok(conditions)
    }
}

/// The devices that were refused, each with the last time: the one that the attempt says the certificate was of, else the one
/// that has the certificate now, else the one that was claimed.
async fn refused_since(context: &InstanceContext, since: Timestamp) -> Result<BTreeMap<DeviceId, Timestamp>, ApiError> {
    let (instance, log) = (&context.instance, context.instance.log());
    let refusals = instance.attempts.refusals_since(&*instance.backbone.attempts, &log, since).await?;
    let look = move |instance: &ServedInstance| {
        let view = instance.view.admission();
        let mut refused = BTreeMap::new();
        for refusal in &refusals {
            let key = refusal.certificate.map(|sha256| PinKey::proven(Fingerprint::Sha256(sha256)));
            let holder = || key.and_then(|key| view.holder(&key));
            let device = refusal.attributed.clone().or_else(holder).or_else(|| refusal.device.clone());
            refused.extend(device.map(|device| (device, refusal.time)));
        }
        Some(refused)
    };
    instance.lookup(look).await
}
