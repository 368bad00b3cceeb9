//! What would stop working if a template, a product, a policy or a resource space were deleted.

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::Role,
    ids::{PolicyId, ProductId, SpaceId},
    registry::{BoundPolicy, Ca, Command, Configuration, Device, Product, Template},
    template::Value,
};
use rollcall_projection::directory::{Condition, DeviceQuery, DeviceStatus, TextTest, ValueTest};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::devices_below::DevicesBelow;
use crate::{
    context::InstanceContext,
    dry_run,
    http::{error::ApiError, errors::Errors, route::Routes},
    instances::served::ServedInstance,
    rollcall_v1::inspection::CertificateProblem,
    v5::{policies, products, templates},
};

/// What depends on something. All of it is of the caller's scope.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletionImpact {
    /// Why it would be refused to delete it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<CertificateProblem>,
    /// Devices that are concerned.
    devices: u64,
    /// How many of them are online.
    online: u64,
    /// Whether every device was counted.
    complete: bool,
    /// What names it or belongs to it.
    users: Vec<ImpactUser>,
}

/// Something that depends on what would be deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImpactUser {
    kind: UserKind,
    id: String,
    /// Its name for people.
    name: String,
    /// Its resource space, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<String>,
}

/// What kind of thing depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum UserKind {
    Certificate,
    Template,
    Product,
    Policy,
    Space,
}

/// The operations, each with the least role that may do it.
pub(super) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Viewer, routes!(of_template))
        .operation(Role::Viewer, routes!(of_product))
        .operation(Role::Viewer, routes!(of_policy))
        .operation(Role::Viewer, routes!(of_space))
}

/// Show what depends on a template: the CA certificates that it is bound to, and their devices
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/templates/{template_id}/impact", tag = "Provisioning templates",
    params(("instance_id" = String, Path), ("template_id" = String, Path)),
    responses((status = 200, body = DeletionImpact), Errors))]
async fn of_template(
    context: InstanceContext,
    Path((_instance, template_id)): Path<(String, String)>,
) -> Result<Json<DeletionImpact>, ApiError> {
    let template = templates::found(&context, &template_id)?;
    let _permit = dry_run::permit(&context)?;
    let configuration = context.configuration();
    let bound = configuration.cas.values().filter(|ca| ca.template.as_ref() == Some(&template.id));
    let bound: Vec<&Ca> = bound.filter(|ca| context.caller.scope.holds_space(&ca.space)).collect();
    let now = context.now();
    let mut below = DevicesBelow::new(&context.instance, &context.caller.scope, now..=now);
    let mut cas: Vec<_> = bound.iter().map(|ca| ca.name_and_key_sha256).collect();
    cas.sort_unstable();
    cas.dedup();
    for ca in cas {
        below.count(ca).await?;
    }
    // Its text would name a CA certificate that may be out of scope, and a limited caller may not delete a template.
    let rejection = match context.require_whole_instance() {
        Ok(()) => rejection(&context, Command::DeleteTemplate { template: template.id }).await?,
        Err(_) => None,
    };
    Ok(Json(DeletionImpact {
        rejection,
        devices: below.devices.len() as u64,
        online: below.online(),
        complete: below.complete,
        users: bound.into_iter().map(ImpactUser::from).collect(),
    }))
}

/// Show what depends on a product: its devices, and the templates that name it
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/apps/{app_id}/products/{product_id}/impact", tag = "Products",
    params(("instance_id" = String, Path), ("app_id" = String, Path), ("product_id" = String, Path)),
    responses((status = 200, body = DeletionImpact), Errors))]
async fn of_product(
    context: InstanceContext,
    Path((_instance, app_id, product_id)): Path<(String, String, String)>,
) -> Result<Json<DeletionImpact>, ApiError> {
    let space = context.space(Some(&app_id))?;
    let configuration = context.configuration();
    let product =
        ProductId::parse(&product_id).ok().filter(|id| configuration.products.contains_key(&(space.clone(), id.clone())));
    let product = product.ok_or_else(|| products::not_found(&product_id))?;
    let devices = vec![vec![of_space_condition(&space), of_product_condition(&product)]];
    let names =
        |template: &&Template| matches!(&template.body.product_id, Value::Static(named) if **named == *product.as_str());
    let users = naming_templates(&context, &configuration, names);
    let command = Command::DeleteProduct { space, product: product.clone() };
    impact(&context, command, devices, users).await.map(Json)
}

/// Show what depends on a policy: the devices that it applies to, and what it is bound to or named by
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/policies/{policy_id}/impact", tag = "Device policies",
    params(("instance_id" = String, Path), ("policy_id" = String, Path)),
    responses((status = 200, body = DeletionImpact), Errors))]
async fn of_policy(
    context: InstanceContext,
    Path((_instance, policy_id)): Path<(String, String)>,
) -> Result<Json<DeletionImpact>, ApiError> {
    let policy = policies::found(&context, &policy_id)?;
    let _permit = dry_run::permit(&context)?;
    let configuration = context.configuration();
    let binds = |bound: &[PolicyId]| bound.contains(&policy.id);
    let space = configuration.spaces.get(&policy.space).filter(|space| binds(&space.policies));
    let products = configuration.products.values().filter(|product| product.space == policy.space);
    let products: Vec<&Product> = products.filter(|product| binds(&product.policies)).collect();
    let devices = match space {
        Some(space) => vec![vec![of_space_condition(&space.id)]],
        None => {
            let by_product = products.iter();
            let by_product =
                by_product.map(|product| vec![of_space_condition(&product.space), of_product_condition(&product.id)]);
            let bound = BoundPolicy { policy: policy.id.clone(), made: policy.made };
            by_product.chain([vec![Condition::Policy(policy.space.clone(), bound)]]).collect()
        }
    };
    let space = space.map(|space| ImpactUser {
        kind: UserKind::Space,
        id: space.id.to_string(),
        name: space.name.to_string(),
        app_id: Some(space.id.to_string()),
    });
    let names = |template: &&Template| template.body.policy_ids.contains(&policy.id);
    let templates = naming_templates(&context, &configuration, names);
    let users = space.into_iter().chain(products.into_iter().map(ImpactUser::from)).chain(templates).collect();
    impact(&context, Command::DeletePolicy { policy: policy.id.clone() }, devices, users).await.map(Json)
}

/// Show what depends on a resource space: its devices, products, policies and CA certificates
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/apps/{app_id}/impact", tag = "Resource spaces",
    params(("instance_id" = String, Path), ("app_id" = String, Path)),
    responses((status = 200, body = DeletionImpact), Errors))]
async fn of_space(
    context: InstanceContext,
    Path((_instance, app_id)): Path<(String, String)>,
) -> Result<Json<DeletionImpact>, ApiError> {
    let space = context.space(Some(&app_id))?;
    let configuration = context.configuration();
    let products = configuration.products.values().filter(|product| product.space == space).map(ImpactUser::from);
    let cas = configuration.cas.values().filter(|ca| ca.space == space).map(ImpactUser::from);
    let policies = configuration.policies.values().filter(|policy| policy.space == space).map(|policy| ImpactUser {
        kind: UserKind::Policy,
        id: policy.id.to_string(),
        name: policy.name.to_string(),
        app_id: Some(policy.space.to_string()),
    });
    let users = products.chain(cas).chain(policies).collect();
    let devices = vec![vec![of_space_condition(&space)]];
    impact(&context, Command::DeleteSpace { space }, devices, users).await.map(Json)
}

async fn impact(
    context: &InstanceContext,
    command: Command,
    any_of: Vec<Vec<Condition>>,
    users: Vec<ImpactUser>,
) -> Result<DeletionImpact, ApiError> {
    let rejection = rejection(context, command).await?;
    let look =
        move |instance: &ServedInstance| Some((count(instance, any_of.clone(), false)?, count(instance, any_of, true)?));
    let (devices, online) = context.instance.lookup(look).await?;
    Ok(DeletionImpact { rejection, devices, online, complete: true, users })
}

/// How many devices any of these conditions means; of those online, if so asked.
fn count(instance: &ServedInstance, any_of: Vec<Vec<Condition>>, online: bool) -> Option<u64> {
    let status = |device: &Device| instance.status_of(device);
    let mut query = DeviceQuery { any_of, online: Some(instance.devices.presence()), ..DeviceQuery::all(0, &status) };
    if online {
        query.narrow(&Condition::Status(ValueTest::Eq(DeviceStatus::Online)));
    }
    instance.view.count(&query)
}

async fn rejection(context: &InstanceContext, command: Command) -> Result<Option<CertificateProblem>, ApiError> {
    let ruling = dry_run::ruling(context, None, command).await?;
    Ok(ruling.err().map(|rejection| CertificateProblem::from(&rejection)))
}

/// The templates that concern the caller and name something.
fn naming_templates(
    context: &InstanceContext,
    configuration: &Configuration,
    names: impl Fn(&&Template) -> bool,
) -> Vec<ImpactUser> {
    let naming = configuration.templates.values().filter(names);
    let naming = naming.filter(|template| templates::found(context, template.id.as_str()).is_ok());
    naming.map(ImpactUser::from).collect()
}

fn of_space_condition(space: &SpaceId) -> Condition {
    Condition::Space(TextTest::Eq(space.as_str().into()))
}

fn of_product_condition(product: &ProductId) -> Condition {
    Condition::Product(TextTest::Eq(product.as_str().into()))
}

impl From<&Ca> for ImpactUser {
    fn from(ca: &Ca) -> Self {
        let (id, name, app_id) = (ca.id.to_string(), ca.cn_name.to_string(), Some(ca.space.to_string()));
        Self { kind: UserKind::Certificate, id, name, app_id }
    }
}

impl From<&Template> for ImpactUser {
    fn from(template: &Template) -> Self {
        Self { kind: UserKind::Template, id: template.id.to_string(), name: template.name.to_string(), app_id: None }
    }
}

impl From<&Product> for ImpactUser {
    fn from(product: &Product) -> Self {
        let (id, name) = (product.id.to_string(), product.details.name.to_string());
        Self { kind: UserKind::Product, id, name, app_id: Some(product.space.to_string()) }
    }
}
