//! What would stop working if a CA certificate were deleted, and who else trusts the same CA.

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::Role,
    registry::{Ca, Command, Configuration, Decision, Event, command::Distrust},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::devices_below::DevicesBelow;
use crate::{
    context::InstanceContext,
    dry_run,
    http::{error::ApiError, errors::Errors, route::Routes},
    v5::certificates,
};

/// How long before its end a device certificate is counted as ending, seconds.
const ENDING_S: i64 = 30 * 24 * 3600;

/// What depends on a CA certificate. All of it is of the caller's scope.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CertificateImpact {
    /// Devices whose certificates were proven by its CA, whichever of the CA's certificates proved them.
    devices: u64,
    /// How many of them are online.
    online: u64,
    /// Certificates of these devices that end within 30 days.
    certificates_ending_30_days: u64,
    /// Devices that another CA certificate vouches for, and whose chain has the CA in between: they lose access if it is
    /// distrusted.
    devices_through_it: u64,
    /// Whether every device certificate was counted: at most 100,000, for at most 10 seconds.
    complete: bool,
    /// Whether deleting it without saying so distrusts the CA: then no chain with it holds any more.
    would_be_distrusted: bool,
    /// CA certificates of the same instance that would still let some of these devices in, as far as is recorded.
    still_vouching: Vec<String>,
    /// Where else the same CA, by name and key, is trusted: another resource space, another instance, or another certificate of
    /// it.
    instances: Vec<SameCa>,
    /// Instances that could not be asked at the moment.
    instances_not_ready: Vec<String>,
}

/// A CA certificate of the same CA.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SameCa {
    instance_id: String,
    /// Its resource space.
    app_id: String,
    certificate_id: String,
    /// Its name for people.
    name: String,
    /// Whether its owner has proven to hold the key.
    verified: bool,
}

/// The operations, each with the least role that may do it.
pub(super) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(show))
}

/// Show what depends on a CA certificate: its devices, and who else trusts the same CA
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/certificates/{certificate_id}/impact", tag = "CA certificates",
    params(("instance_id" = String, Path), ("certificate_id" = String, Path)),
    responses((status = 200, body = CertificateImpact), Errors))]
async fn show(
    context: InstanceContext,
    Path((_instance, certificate_id)): Path<(String, String)>,
) -> Result<Json<CertificateImpact>, ApiError> {
    let ca = certificates::found(&context, &certificate_id)?;
    let _permit = dry_run::permit(&context)?;
    let now = context.now();
    let mut below = DevicesBelow::new(&context.instance, &context.caller.scope, now..=now.plus_s(ENDING_S));
    below.count(ca.name_and_key_sha256).await?;
    let delete = Command::DeleteCa { ca: ca.id.clone(), distrust: Distrust::UnlessRenewed };
    let deleted = match dry_run::ruling(&context, None, delete).await? {
        Ok(Decision::Record(event)) => Some(event),
        Ok(Decision::AlreadySo) | Err(_) => None,
    };
    let mut after = Configuration::clone(&context.configuration());
    if let Some(event) = &deleted {
        after.evolve(event, now);
    }
    let in_scope = |id: &_| after.cas.get(id).is_some_and(|ca| context.caller.scope.holds_space(&ca.space));
    let still_vouching = after.still_vouching(&ca, &below.paths).into_iter().filter(in_scope);
    let (instances, instances_not_ready) = same_cas(&context, &ca);
    Ok(Json(CertificateImpact {
        devices: below.devices.len() as u64,
        online: below.online(),
        certificates_ending_30_days: below.certificates_ending,
        devices_through_it: below.through.difference(&below.devices).count() as u64,
        complete: below.complete,
        would_be_distrusted: matches!(deleted, Some(Event::CaDeleted { distrust: true, .. })),
        still_vouching: still_vouching.map(|id| id.to_string()).collect(),
        instances,
        instances_not_ready,
    }))
}

/// The other certificates of the same CA in scope, and the instances that are not served yet.
fn same_cas(context: &InstanceContext, ca: &Ca) -> (Vec<SameCa>, Vec<String>) {
    let (scope, fleet) = (&context.caller.scope, context.api.fleet());
    let (mut found, mut not_ready) = (Vec::new(), Vec::new());
    for id in fleet.fleet.instances.keys().filter(|id| scope.holds_instance(id)) {
        let Ok(instance) = context.api.instances.ready(id) else {
            not_ready.push(id.to_string());
            continue;
        };
        let configuration = instance.configuration();
        let others = configuration.cas.values().filter(|other| scope.holds_space(&other.space));
        let others = others.filter(|other| other.name_and_key_sha256 == ca.name_and_key_sha256);
        let others = others.filter(|other| *id != context.instance.id || other.id != ca.id);
        found.extend(others.map(|other| SameCa {
            instance_id: id.to_string(),
            app_id: other.space.to_string(),
            certificate_id: other.id.to_string(),
            name: other.cn_name.to_string(),
            verified: other.is_verified(),
        }));
    }
    (found, not_ready)
}
