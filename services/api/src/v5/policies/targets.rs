//! The bindings of a policy: to resource spaces (`app`), products and devices.
//!
//! Invariant: each target of one request is a change of its own, accepted or rejected by itself; where no registrar rules, the
//! request fails as a whole and may be sent again, since targets that are bound stay bound.

use std::collections::HashSet;

use axum::{Json, extract::Path};
use futures_util::{StreamExt as _, stream};
use rollcall_domain::{
    fleet::Role,
    ids::ProductId,
    policy::Policy,
    registry::{BoundPolicy, Command, Device, event::PolicyTarget},
};
use rollcall_projection::directory::{Condition, DeviceQuery, DeviceStatus, Order};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::found;
use crate::{
    context::InstanceContext,
    http::{
        codes::Code,
        error::ApiError,
        errors::Errors,
        extract::Body,
        paging::{self, Page, PageQuery, PageRequest, marker_of, position_of},
        route::Routes,
    },
};

/// Targets of one request.
const TARGETS_MAX: usize = 100;
/// Changes of one request that are under way at a time.
const TARGETS_AT_A_TIME: usize = 8;

/// What kind of thing a policy is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum TargetType {
    /// One device.
    Device,
    /// Every device of a product.
    Product,
    /// Every device of a resource space.
    App,
}

/// What a policy is to be bound to, or unbound from.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Targets {
    /// What kind of thing all of them are.
    target_type: TargetType,
    /// Their ids, 1 to 100.
    #[schema(min_items = 1, max_items = 100)]
    target_ids: Vec<String>,
}

/// How it went for each target.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TargetsChanged {
    /// The policy.
    policy_id: String,
    /// What kind of thing the targets are.
    target_type: TargetType,
    /// Those that are as was asked for.
    success_targets: Vec<String>,
    /// Those that are not.
    failure_targets: Vec<FailedTarget>,
}

/// A target that was refused.
#[derive(Debug, Serialize, ToSchema)]
struct FailedTarget {
    /// Its id.
    target_id: String,
    /// As an error of its own would have it.
    error_code: String,
    /// Why, and what to do.
    error_msg: String,
}

/// Which targets to list.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TargetQuery {
    /// Only those of this kind.
    target_type: Option<TargetType>,
    /// Entries of the page, 1 to 50; 10 when absent.
    #[schema(minimum = 1, maximum = 50)]
    #[serde(default, deserialize_with = "crate::http::json_integer::optional")]
    limit: Option<i64>,
    /// The `marker` of the page before; 24 hex digits.
    #[schema(pattern = "^[0-9a-fA-F]{24}$")]
    marker: Option<String>,
    /// Entries to skip after the marker, 0 to 500; 0 when absent.
    #[schema(minimum = 0, maximum = 500)]
    #[serde(default, deserialize_with = "crate::http::json_integer::optional")]
    offset: Option<i64>,
}

/// One thing that a policy is bound to.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct TargetShown {
    /// What kind of thing.
    target_type: TargetType,
    /// Its id.
    target_id: String,
}

/// A page of what a policy is bound to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TargetPage {
    /// Resource spaces and products, then devices; each the newest first.
    targets: Vec<TargetShown>,
    /// Which page it is.
    page: Page,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Operator, routes!(bind))
        .operation(Role::Operator, routes!(unbind))
        .operation(Role::Viewer, routes!(list))
}

/// Bind a policy
#[utoipa::path(post, path = "/v5/iot/{project_id}/device-policies/{policy_id}/bind", tag = "Device policies",
    params(("project_id" = String, Path), ("policy_id" = String, Path)), request_body = Targets, responses((status = 200, body = TargetsChanged), Errors))]
async fn bind(
    context: InstanceContext,
    Path((_project, policy_id)): Path<(String, String)>,
    Body(wanted): Body<Targets>,
) -> Result<Json<TargetsChanged>, ApiError> {
    let policy = found(&context, &policy_id)?;
    let id = policy.id.clone();
    change(&context, &policy, wanted, |target| Command::BindPolicy { policy: id.clone(), target }).await.map(Json)
}

/// Unbind a policy
#[utoipa::path(post, path = "/v5/iot/{project_id}/device-policies/{policy_id}/unbind", tag = "Device policies",
    params(("project_id" = String, Path), ("policy_id" = String, Path)), request_body = Targets, responses((status = 200, body = TargetsChanged), Errors))]
async fn unbind(
    context: InstanceContext,
    Path((_project, policy_id)): Path<(String, String)>,
    Body(wanted): Body<Targets>,
) -> Result<Json<TargetsChanged>, ApiError> {
    let policy = found(&context, &policy_id)?;
    let id = policy.id.clone();
    change(&context, &policy, wanted, |target| Command::UnbindPolicy { policy: id.clone(), target }).await.map(Json)
}

/// List what a policy is bound to
#[utoipa::path(post, path = "/v5/iot/{project_id}/device-policies/{policy_id}/list-targets", tag = "Device policies",
    params(("project_id" = String, Path), ("policy_id" = String, Path)), request_body = TargetQuery, responses((status = 200, body = TargetPage), Errors))]
async fn list(
    context: InstanceContext,
    Path((_project, policy_id)): Path<(String, String)>,
    Body(query): Body<TargetQuery>,
) -> Result<Json<TargetPage>, ApiError> {
    let policy = found(&context, &policy_id)?;
    let TargetQuery { target_type, limit, marker, offset } = query;
    let wanted = PageQuery { limit, marker, offset }.wanted()?;
    let of_kind = |kind| target_type.is_none_or(|only| only == kind);
    let mut configured = configured(&context, &policy);
    configured.retain(|(_, target)| of_kind(target.target_type));
    let mut count = configured.len() as u64;
    // Their keys begin with a time, which is greater than any position: so they stand before every device.
    configured.sort_by(|(a, _), (b, _)| b.cmp(a));
    configured.retain(|(key, _)| wanted.marker.as_ref().is_none_or(|marker| key < marker));
    let skipped = wanted.offset.min(configured.len());
    let mut shown: Vec<(String, TargetShown)> = configured.into_iter().skip(skipped).take(wanted.limit).collect();
    if of_kind(TargetType::Device) {
        let (limit, offset) = (wanted.limit - shown.len(), wanted.offset - skipped);
        let (devices, bound) = devices(&context, &policy, PageRequest { limit, offset, ..wanted }).await?;
        shown.extend(devices);
        count += bound;
    }
    let marker = shown.last().map(|(key, _)| key.clone());
    Ok(Json(TargetPage { targets: shown.into_iter().map(|(_, target)| target).collect(), page: Page { count, marker } }))
}

async fn change(
    context: &InstanceContext,
    policy: &Policy,
    wanted: Targets,
    command: impl Fn(PolicyTarget) -> Command,
) -> Result<TargetsChanged, ApiError> {
    let Targets { target_type, target_ids } = wanted;
    if !(1..=TARGETS_MAX).contains(&target_ids.len()) {
        let rule = format!("has {} entries: give 1 to {TARGETS_MAX}", target_ids.len());
        return Err(ApiError::invalid("target_ids", rule));
    }
    let mut known = HashSet::new();
    let ids = target_ids.iter().filter(|id| known.insert(id.as_str())).cloned();
    let asked: Vec<_> = ids.enumerate().map(|(n, id)| one(context, policy, target_type, n, id, &command)).collect();
    let mut outcomes = stream::iter(asked).buffered(TARGETS_AT_A_TIME);
    let (mut success_targets, mut failure_targets) = (Vec::new(), Vec::new());
    while let Some((id, outcome)) = outcomes.next().await {
        match outcome {
            Ok(()) => success_targets.push(id),
            Err(error) if error.code.status().is_server_error() => return Err(error),
            Err(error) => failure_targets.push(FailedTarget {
                target_id: id,
                error_code: error.code.as_str().to_owned(),
                error_msg: error.message,
            }),
        }
    }
    Ok(TargetsChanged { policy_id: policy.id.to_string(), target_type, success_targets, failure_targets })
}

/// The `n`th target of a request, and how it went.
async fn one(
    context: &InstanceContext,
    policy: &Policy,
    kind: TargetType,
    n: usize,
    id: String,
    command: &impl Fn(PolicyTarget) -> Command,
) -> (String, Result<(), ApiError>) {
    let outcome = match target(context, policy, kind, &id) {
        Ok(target) => context.nth_command(n, command(target)).await.map(drop),
        Err(error) => Err(error),
    };
    (id, outcome)
}

/// The target that an id means, if the caller may touch it.
fn target(context: &InstanceContext, policy: &Policy, kind: TargetType, id: &str) -> Result<PolicyTarget, ApiError> {
    match kind {
        TargetType::Device => Ok(PolicyTarget::Device(context.device(id)?.device.id)),
        TargetType::App => context.space(Some(id)).map(PolicyTarget::Space),
        TargetType::Product => {
            let configuration = context.configuration();
            let product = ProductId::parse(id).ok().map(|product| (policy.space.clone(), product));
            let product = product.filter(|key| configuration.products.contains_key(key));
            product.map(|(space, product)| PolicyTarget::Product(space, product)).ok_or_else(|| {
                let text = format!("The product does not exist in the policy's resource space {}: {id:?}", policy.space);
                ApiError::new(Code::ProductNotFound, text)
            })
        }
    }
}

/// The resource space and the products that a policy is bound to, each with its place in the list.
fn configured(context: &InstanceContext, policy: &Policy) -> Vec<(String, TargetShown)> {
    let configuration = context.configuration();
    // By kind and id: a chosen id alone could stand anywhere in the list, and two of them could be equal.
    let key = |kind: &str, id: &str, at| paging::list_key(&format!("{kind}:{id}"), at);
    let space = configuration.spaces.get(&policy.space).filter(|space| space.policies.contains(&policy.id));
    let space = space.map(|space| {
        let target = TargetShown { target_type: TargetType::App, target_id: space.id.to_string() };
        (key("app", space.id.as_str(), space.created_at), target)
    });
    let products = configuration.products.values().filter(|product| product.space == policy.space);
    let products = products.filter(|product| product.policies.contains(&policy.id)).map(|product| {
        let target = TargetShown { target_type: TargetType::Product, target_id: product.id.to_string() };
        (key("product", product.id.as_str(), product.created_at), target)
    });
    space.into_iter().chain(products).collect()
}

/// A page of the devices that a policy is bound to, and how many there are.
async fn devices(
    context: &InstanceContext,
    policy: &Policy,
    wanted: PageRequest,
) -> Result<(Vec<(String, TargetShown)>, u64), ApiError> {
    let bound = BoundPolicy { policy: policy.id.clone(), made: policy.made };
    let bound_to = vec![Condition::Policy(policy.space.clone(), bound)];
    let after = wanted.marker.as_deref().and_then(position_of);
    let look = context.instance.lookup(move |instance| {
        // No condition asks for it.
        let status = |_: &Device| DeviceStatus::Inactive;
        let query = DeviceQuery {
            any_of: vec![bound_to],
            order: Order::NewestFirst,
            after,
            offset: wanted.offset,
            limit: wanted.limit,
            status: &status,
            online: None,
        };
        Some((instance.view.list(&query)?.devices, instance.view.count(&query)?))
    });
    let (found, count) = look.await?;
    let shown = found.into_iter().map(|listed| {
        let target = TargetShown { target_type: TargetType::Device, target_id: listed.device.id.to_string() };
        (marker_of(listed.created), target)
    });
    Ok((shown.collect(), count))
}
