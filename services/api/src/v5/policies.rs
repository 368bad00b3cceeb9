//! Topic policies (`/device-policies`): their statements. Their bindings are in [`targets`].

pub(crate) mod targets;

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::Role,
    ids::PolicyId,
    policy::{Policy, Statement},
    registry::{Command, Event},
};
use rollcall_log::codec::{statements_from_json, statements_to_json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    context::InstanceContext,
    http::{
        codes::Code,
        error::ApiError,
        errors::Errors,
        extract::{Body, Query},
        paging::{self, Page, PageQuery},
        responses::{Created, NoContent},
        route::Routes,
        times,
    },
};

/// Actions of one statement: there are no more.
const ACTIONS_MAX: usize = 2;

/// What a statement does. DENY wins.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum PolicyEffect {
    Allow,
    Deny,
}

/// What a statement is about.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
enum PolicyAction {
    #[serde(rename = "iotda:devices:publish")]
    Publish,
    #[serde(rename = "iotda:devices:subscribe")]
    Subscribe,
}

/// One statement of a policy.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PolicyStatement {
    /// Allow or deny.
    effect: PolicyEffect,
    /// Publish, subscribe or both.
    #[schema(min_items = 1, max_items = 2)]
    actions: Vec<PolicyAction>,
    /// `topic:<pattern>`; `*` is any run of characters, `?` any one (in an ALLOW not `+` or `#`), `+` and `#` are literal.
    /// `${devices.deviceId}`, `${devices.clientId}` and `${devices.productId}` are the connecting device's. In an ALLOW a client id
    /// counts that is the device id, the node id or the standard form; with any other the resource matches nothing.
    #[schema(min_items = 1, max_items = 10)]
    resources: Vec<PolicyResource>,
}

/// A topic pattern.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(
    pattern = "^topic:(([A-Za-z0-9/{}=+#?*:._-]|[$]+[A-Za-z0-9/}=+#?*:._-]|[$]+[{]devices[.](deviceId|clientId|productId)[}])+[$]*|[$]+)$"
)]
struct PolicyResource(String);

/// A policy to be made.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewPolicy {
    /// Its name.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    policy_name: String,
    /// 1 to 10 statements, 10 KB together.
    #[schema(min_items = 1, max_items = 10)]
    statement: Vec<PolicyStatement>,
    /// Its resource space; the default one when absent.
    #[schema(max_length = 36)]
    app_id: Option<String>,
}

impl NewPolicy {
    /// The resource space that it names.
    pub(crate) fn app_id(&self) -> Option<&str> {
        self.app_id.as_deref()
    }

    /// Name and statements.
    ///
    /// # Errors
    /// [`Code::InvalidInput`] for a statement that cannot be read.
    pub(crate) fn content(self) -> Result<(Box<str>, Vec<Statement>), ApiError> {
        let statements = read(&self.statement)?;
        Ok((self.policy_name.into(), statements))
    }
}

/// What is to change of a policy; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PolicyChange {
    /// Its name.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    policy_name: Option<String>,
    /// 1 to 10 statements, 10 KB together.
    #[schema(min_items = 1, max_items = 10)]
    statement: Option<Vec<PolicyStatement>>,
}

/// A policy.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DevicePolicy {
    /// Its resource space.
    app_id: String,
    /// Its id.
    policy_id: String,
    /// Its name.
    policy_name: String,
    /// What it says; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<PolicyStatement>>)]
    statement: Option<serde_json::Value>,
    /// When it was made, UTC.
    create_time: String,
    /// When it was last changed, UTC.
    update_time: String,
}

/// A page of policies.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DevicePolicies {
    /// Newest first.
    policies: Vec<DevicePolicy>,
    /// Which page it is.
    page: Page,
}

/// Which policies to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those of this resource space.
    #[param(max_length = 36)]
    app_id: Option<String>,
    /// Only those with this name.
    #[param(max_length = 128)]
    policy_name: Option<String>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Operator, routes!(create))
        .operation(Role::Viewer, routes!(list))
        .operation(Role::Viewer, routes!(show))
        .operation(Role::Operator, routes!(update))
        .operation(Role::Operator, routes!(delete))
}

/// Create a policy
#[utoipa::path(post, path = "/v5/iot/{project_id}/device-policies", tag = "Device policies", params(("project_id" = String, Path)),
    request_body = NewPolicy, responses((status = 201, body = DevicePolicy), Errors))]
async fn create(context: InstanceContext, Body(wanted): Body<NewPolicy>) -> Result<Created<DevicePolicy>, ApiError> {
    let space = context.space(wanted.app_id.as_deref())?;
    let policy = PolicyId::parse(&context.api.new_id()).map_err(|error| ApiError::invalid("policy_id", error))?;
    let (name, statements) = wanted.content()?;
    let command = Command::CreatePolicy { policy: policy.clone(), space, name, statements };
    let made = match context.command(command).await?.earlier {
        Some(Event::PolicyCreated { policy, .. }) => policy,
        _ => policy,
    };
    found(&context, made.as_str()).map(|policy| Created(shown(&policy)))
}

/// List policies
#[utoipa::path(get, path = "/v5/iot/{project_id}/device-policies", tag = "Device policies", params(("project_id" = String, Path), PageQuery, Filter),
    responses((status = 200, body = DevicePolicies), Errors))]
async fn list(
    context: InstanceContext,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<DevicePolicies>, ApiError> {
    let wanted = page.wanted()?;
    let space = context.space_filter(filter.app_id.as_deref())?;
    let name = filter.policy_name.filter(|name| !name.is_empty());
    let configuration = context.configuration();
    let policies: Vec<&Policy> = configuration
        .policies
        .values()
        .filter(|policy| space.as_ref().is_none_or(|space| policy.space == *space))
        .filter(|policy| context.caller.scope.holds_space(&policy.space))
        .filter(|policy| name.as_ref().is_none_or(|name| *policy.name == **name))
        .collect();
    let (policies, page) = paging::page(policies, &wanted, |policy| paging::list_key(policy.id.as_str(), policy.created_at));
    Ok(Json(DevicePolicies { policies: policies.into_iter().map(summary).collect(), page }))
}

/// Show a policy
#[utoipa::path(get, path = "/v5/iot/{project_id}/device-policies/{policy_id}", tag = "Device policies", params(("project_id" = String, Path), ("policy_id" = String, Path)),
    responses((status = 200, body = DevicePolicy), Errors))]
async fn show(
    context: InstanceContext,
    Path((_project, policy_id)): Path<(String, String)>,
) -> Result<Json<DevicePolicy>, ApiError> {
    found(&context, &policy_id).map(|policy| Json(shown(&policy)))
}

/// Update a policy
#[utoipa::path(put, path = "/v5/iot/{project_id}/device-policies/{policy_id}", tag = "Device policies", params(("project_id" = String, Path), ("policy_id" = String, Path)),
    request_body = PolicyChange, responses((status = 200, body = DevicePolicy), Errors))]
async fn update(
    context: InstanceContext,
    Path((_project, policy_id)): Path<(String, String)>,
    Body(change): Body<PolicyChange>,
) -> Result<Json<DevicePolicy>, ApiError> {
    let policy = found(&context, &policy_id)?.id;
    let statements = change.statement.as_deref().map(read).transpose()?;
    let name = change.policy_name.map(Into::into);
    context.command(Command::UpdatePolicy { policy, name, statements }).await?;
    found(&context, &policy_id).map(|policy| Json(shown(&policy)))
}

/// Delete a policy, which unbinds it from everything
#[utoipa::path(delete, path = "/v5/iot/{project_id}/device-policies/{policy_id}", tag = "Device policies", params(("project_id" = String, Path), ("policy_id" = String, Path)),
    responses((status = 204), Errors))]
async fn delete(
    context: InstanceContext,
    Path((_project, policy_id)): Path<(String, String)>,
) -> Result<NoContent, ApiError> {
    let policy = found(&context, &policy_id)?.id;
    context.command(Command::DeletePolicy { policy }).await?;
    Ok(NoContent)
}

/// A policy that the caller may touch.
pub(crate) fn found(context: &InstanceContext, policy_id: &str) -> Result<Policy, ApiError> {
    let policy = PolicyId::parse(policy_id).ok().and_then(|id| context.configuration().policies.get(&id).cloned());
    let policy = policy.filter(|policy| context.caller.scope.holds_space(&policy.space));
    policy.ok_or_else(|| ApiError::new(Code::PolicyNotFound, format!("The policy does not exist: {policy_id:?}")))
}

/// Through the codec, which has the same names; unknown fields were dropped when the body was read.
fn read(statement: &[PolicyStatement]) -> Result<Vec<Statement>, ApiError> {
    for (index, PolicyStatement { actions, .. }) in statement.iter().enumerate() {
        if actions.len() > ACTIONS_MAX {
            let rule = format!("has {} entries: give 1 to {ACTIONS_MAX}", actions.len());
            return Err(ApiError::invalid(&format!("statement[{index}].actions"), rule));
        }
    }
    let json = serde_json::to_value(statement).map_err(|error| ApiError::invalid("statement", error))?;
    statements_from_json(&json).map_err(|error| ApiError::invalid("statement", error))
}

fn shown(policy: &Policy) -> DevicePolicy {
    DevicePolicy { statement: Some(statements_to_json(&policy.statements)), ..summary(policy) }
}

fn summary(policy: &Policy) -> DevicePolicy {
    DevicePolicy {
        app_id: policy.space.to_string(),
        policy_id: policy.id.to_string(),
        policy_name: policy.name.to_string(),
        statement: None,
        create_time: times::basic(policy.created_at),
        update_time: times::basic(policy.updated_at),
    }
}
