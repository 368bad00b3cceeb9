//! How an instance stands, on one page: its devices, this process's view, what ends or is hardly as it was meant, and how far
//! the procedure of setting it up has come.
//!
//! Everything in it can be asked for by itself too. Invariant: nothing of a resource space out of the caller's scope is told or
//! counted.

mod set_up;
mod warnings;

use std::collections::BTreeSet;

use axum::Json;
use rollcall_domain::{
    fleet::Role,
    ids::SpaceId,
    registry::{Configuration, Device},
    time::Timestamp,
};
use rollcall_projection::directory::{Condition, DeviceQuery, DeviceStatus, TextTest, ValueTest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use self::{
    set_up::SetUp,
    warnings::{InstanceWarning, Standing},
};
use super::log_status::LogStatus;
use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Query, route::Routes},
    instances::served::ServedInstance,
};

/// How long before its end a CA certificate is told of, seconds.
const ENDING_S: i64 = 30 * 24 * 3600;

/// Which part of the instance.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// Only this resource space.
    #[param(max_length = 36)]
    app_id: Option<String>,
}

/// How an instance stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InstanceOverview {
    /// How many devices there are.
    devices: DevicesByStatus,
    /// How this process's view of the instance's log stands.
    view: ViewStanding,
    /// CA certificates that end within 30 days or have ended, the first to end first.
    certificates_ending: Vec<CertificateEnding>,
    /// What is hardly as it was meant.
    warnings: Vec<InstanceWarning>,
    /// What is there of the procedure that lets devices register themselves.
    set_up: SetUp,
}

/// How many devices there are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DevicesByStatus {
    /// The sum of the others.
    total: u64,
    online: u64,
    offline: u64,
    /// Those that have never connected.
    inactive: u64,
    frozen: u64,
}

/// How this process's view of the instance's log stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ViewStanding {
    #[serde(flatten)]
    log: LogStatus,
    /// Whether it agrees with the registrars' at every position that both have had; absent if this process cannot know.
    #[serde(skip_serializing_if = "Option::is_none")]
    agrees: Option<bool>,
}

/// A CA certificate that ends.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CertificateEnding {
    certificate_id: String,
    /// The CN of its Subject, or its whole Subject where there is none.
    cn_name: String,
    /// Its resource space.
    app_id: String,
    /// Its last instant; RFC 3339, UTC.
    not_after: String,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(show))
}

/// Show how an instance stands: devices, view, warnings, and how far it is set up
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/overview", tag = "Fleet",
    params(("instance_id" = String, Path), Part), responses((status = 200, body = InstanceOverview), Errors))]
async fn show(context: InstanceContext, Query(part): Query<Part>) -> Result<Json<InstanceOverview>, ApiError> {
    let mut scope = context.caller.scope.clone();
    if let Some(space) = context.space_filter(part.app_id.as_deref())? {
        scope.spaces = Some(BTreeSet::from([space]));
    }
    let fleet = context.api.fleet();
    let recorded = fleet.fleet.instances.get(&context.instance.id);
    let standing = Standing {
        unready: context.instance.unready(),
        unwritable: context.api.unwritable(),
        may_register: recorded.is_none_or(|recorded| context.api.config.availability().allow(recorded)),
    };
    let now = context.now();
    let look = move |instance: &ServedInstance| {
        let configuration = instance.configuration();
        let seen = instance.seen();
        let log = LogStatus::of(&instance.view.admission().status().borrow(), &seen, standing.unwritable.clone());
        Some(InstanceOverview {
            devices: DevicesByStatus::of(instance, scope.spaces.as_ref())?,
            view: ViewStanding { log, agrees: seen.age.map(|_| seen.diverged.is_none()) },
            certificates_ending: ending(&configuration, scope.spaces.as_ref(), now.plus_s(ENDING_S)),
            warnings: warnings::of(instance, &configuration, scope.spaces.as_ref(), &standing)?,
            set_up: SetUp::of(instance, &configuration, &scope)?,
        })
    };
    context.instance.lookup(look).await.map(Json)
}

impl DevicesByStatus {
    /// Of these resource spaces, or of all.
    fn of(instance: &ServedInstance, spaces: Option<&BTreeSet<SpaceId>>) -> Option<Self> {
        let status = |device: &Device| instance.status_of(device);
        let in_spaces = spaces.map(|spaces| TextTest::In(spaces.iter().map(|space| space.as_str().into()).collect()));
        let count = |wanted: Option<DeviceStatus>| {
            let mut query = DeviceQuery { online: Some(instance.devices.presence()), ..DeviceQuery::all(0, &status) };
            let of_status = wanted.map(|wanted| Condition::Status(ValueTest::Eq(wanted)));
            for condition in in_spaces.clone().map(Condition::Space).into_iter().chain(of_status) {
                query.narrow(&condition);
            }
            instance.view.count(&query)
        };
        let (total, online) = (count(None)?, count(Some(DeviceStatus::Online))?);
        let (inactive, frozen) = (count(Some(DeviceStatus::Inactive))?, count(Some(DeviceStatus::Frozen))?);
        // Devices come and go between two counts: the rest is what leaves the sum right.
        let offline = total.saturating_sub(online + inactive + frozen);
        Some(Self { total, online, offline, inactive, frozen })
    }
}

fn ending(configuration: &Configuration, spaces: Option<&BTreeSet<SpaceId>>, until: Timestamp) -> Vec<CertificateEnding> {
    let in_scope = configuration.cas.values().filter(|ca| spaces.is_none_or(|spaces| spaces.contains(&ca.space)));
    let mut found: Vec<_> = in_scope.filter(|ca| ca.not_after <= until).collect();
    found.sort_by_key(|ca| ca.not_after);
    let shown = |ca: &rollcall_domain::registry::Ca| CertificateEnding {
        certificate_id: ca.id.to_string(),
        cn_name: ca.cn_name.to_string(),
        app_id: ca.space.to_string(),
        not_after: ca.not_after.to_string(),
    };
    found.into_iter().map(shown).collect()
}
