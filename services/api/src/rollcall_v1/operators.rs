//! Operators: their roles and scopes.
//!
//! For administrators of the whole fleet alone: an operator who may make operators can make one with every right. Invariant: a password
//! is in no answer but the one that generated it, and a hash in none.

use std::collections::BTreeSet;

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::{Fleet, FleetCommand, FleetEvent, NewOperator, Operator, OperatorName, ProjectId, Role, Scope},
    ids::{IdError, InstanceId, SpaceId},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    context::FleetContext,
    http::{
        codes::Code,
        error::ApiError,
        errors::Errors,
        extract::Body,
        responses::{Created, NoContent},
        route::Routes,
        times,
    },
    security::password,
};

/// What an operator may do; each may all that the one before may.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoleName {
    /// Read.
    Viewer,
    /// Also change what is in their scope.
    Operator,
    /// Also change instances, operators and access keys.
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Operator => Self::Operator,
            RoleName::Admin => Self::Admin,
        }
    }
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Operator => Self::Operator,
            Role::Admin => Self::Admin,
        }
    }
}

/// The id of an instance or a resource space.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(min_length = 1, max_length = 36, pattern = "^[A-Za-z0-9_-]+$")]
pub(crate) struct ScopeId(String);

/// Where an operator may do it.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
pub(crate) struct ScopeIds {
    /// These instances only; absent: all of them, also those to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 100)]
    instances: Option<Vec<ScopeId>>,
    /// These resource spaces only; absent: all of them, also those to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 100)]
    spaces: Option<Vec<ScopeId>>,
}

impl ScopeIds {
    fn read(self) -> Result<Scope, ApiError> {
        Ok(Scope {
            instances: ids("scope.instances", self.instances, InstanceId::parse)?,
            spaces: ids("scope.spaces", self.spaces, SpaceId::parse)?,
        })
    }
}

impl From<&Scope> for ScopeIds {
    fn from(scope: &Scope) -> Self {
        let instances = scope.instances.as_ref().map(|ids| ids.iter().map(|id| ScopeId(id.to_string())).collect());
        let spaces = scope.spaces.as_ref().map(|ids| ids.iter().map(|id| ScopeId(id.to_string())).collect());
        Self { instances, spaces }
    }
}

fn ids<T: Ord>(
    field: &str,
    texts: Option<Vec<ScopeId>>,
    parse: impl Fn(&str) -> Result<T, IdError>,
) -> Result<Option<BTreeSet<T>>, ApiError> {
    let Some(texts) = texts else { return Ok(None) };
    let parsed: Result<BTreeSet<T>, IdError> = texts.iter().map(|text| parse(&text.0)).collect();
    parsed.map(Some).map_err(|error| ApiError::invalid(field, error))
}

/// An operator who is to be let in.
#[derive(Deserialize, ToSchema)]
pub(crate) struct OperatorWanted {
    /// 1 to 64 of letters, digits, `.`, `_`, `@` and `-`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._@-]+$")]
    name: String,
    /// What they may do.
    role: RoleName,
    /// Where; absent: everywhere.
    scope: Option<ScopeIds>,
    /// Their project; absent: the caller's.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    project_id: Option<String>,
    /// 12 to 128 characters; absent: one is made and shown once.
    #[schema(value_type = Option<String>, min_length = 12, max_length = 128)]
    password: Option<SecretString>,
}

/// What can be changed of an operator; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct OperatorChange {
    /// What they may do.
    role: Option<RoleName>,
    /// Where; `{}` is everywhere.
    scope: Option<ScopeIds>,
    /// Whether they may do anything at all; disabling ends their sessions.
    enabled: Option<bool>,
}

/// Another password.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PasswordWanted {
    /// 12 to 128 characters.
    #[schema(value_type = String, min_length = 12, max_length = 128)]
    password: SecretString,
}

/// An operator.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OperatorShown {
    /// Their name.
    name: String,
    /// What they may do.
    role: RoleName,
    /// Where; `{}` is everywhere.
    scope: ScopeIds,
    /// Their project.
    project_id: String,
    /// Whether they may do anything at all.
    enabled: bool,
    /// Whether they can log in; without a password they use access keys only.
    has_password: bool,
    /// When they were let in, UTC.
    created_at: String,
}

/// An operator who has just been let in.
#[derive(Serialize, ToSchema)]
pub(crate) struct OperatorMade {
    #[serde(flatten)]
    operator: OperatorShown,
    /// The password that was made, shown this once. Absent when one was given, and when the same request was granted
    /// before: then set another.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// Every operator.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Operators {
    /// By name.
    operators: Vec<OperatorShown>,
}

impl From<&Operator> for OperatorShown {
    fn from(operator: &Operator) -> Self {
        Self {
            name: operator.name.to_string(),
            role: operator.role.into(),
            scope: ScopeIds::from(&operator.scope),
            project_id: operator.project.to_string(),
            enabled: operator.enabled,
            has_password: operator.password_hash.is_some(),
            created_at: times::with_milliseconds(operator.created_at),
        }
    }
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Admin, routes!(create))
        .operation(Role::Admin, routes!(list))
        .operation(Role::Admin, routes!(show))
        .operation(Role::Admin, routes!(update))
        .operation(Role::Admin, routes!(set_password))
        .operation(Role::Admin, routes!(delete))
}

/// Let an operator in
#[utoipa::path(post, path = "/rollcall/v1/operators", tag = "Operators", request_body = OperatorWanted,
    responses((status = 201, body = OperatorMade), Errors))]
async fn create(context: FleetContext, Body(wanted): Body<OperatorWanted>) -> Result<Created<OperatorMade>, ApiError> {
    context.require_unlimited_scope()?;
    let name = OperatorName::parse(&wanted.name).map_err(|error| ApiError::invalid("name", error))?;
    let project = match &wanted.project_id {
        Some(project) => ProjectId::parse(project).map_err(|error| ApiError::invalid("project_id", error))?,
        None => context.caller.project.clone(),
    };
    let scope = wanted.scope.unwrap_or_default().read()?;
    let made = wanted.password.is_none().then(|| password::generate(&*context.api.entropy));
    let password = wanted.password.or_else(|| made.clone()).unwrap_or_default();
    let hash = context.api.access.hash_password("password", password, &context.api.entropy).await?;
    let new =
        NewOperator { name: name.clone(), role: wanted.role.into(), scope, project, password_hash: Some(hash.clone()) };
    let earlier = context.command(FleetCommand::CreateOperator(new)).await?.earlier;
    // What came of an earlier sending has that sending's password.
    let is_ours = match earlier {
        Some(FleetEvent::OperatorCreated(new)) => new.password_hash.as_ref() == Some(&hash),
        Some(_) | None => true,
    };
    let password = made.filter(|_| is_ours).map(|made| made.expose_secret().to_owned());
    let operator = shown(&context, &name)?;
    Ok(Created(OperatorMade { operator, password }))
}

/// List operators
#[utoipa::path(get, path = "/rollcall/v1/operators", tag = "Operators", responses((status = 200, body = Operators), Errors))]
async fn list(context: FleetContext) -> Result<Json<Operators>, ApiError> {
    context.require_unlimited_scope()?;
    let operators = context.api.fleet().fleet.operators.values().map(OperatorShown::from).collect();
    Ok(Json(Operators { operators }))
}

/// Show an operator
#[utoipa::path(get, path = "/rollcall/v1/operators/{operator}", tag = "Operators", params(("operator" = String, Path)),
    responses((status = 200, body = OperatorShown), Errors))]
async fn show(context: FleetContext, Path(name): Path<String>) -> Result<Json<OperatorShown>, ApiError> {
    context.require_unlimited_scope()?;
    let name = named(&context.api.fleet().fleet, &name)?;
    shown(&context, &name).map(Json)
}

/// Change what an operator may do
#[utoipa::path(put, path = "/rollcall/v1/operators/{operator}", tag = "Operators", params(("operator" = String, Path)),
    request_body = OperatorChange, responses((status = 200, body = OperatorShown), Errors))]
async fn update(
    context: FleetContext,
    Path(name): Path<String>,
    Body(wanted): Body<OperatorChange>,
) -> Result<Json<OperatorShown>, ApiError> {
    context.require_unlimited_scope()?;
    let name = named(&context.api.fleet().fleet, &name)?;
    let scope = wanted.scope.map(ScopeIds::read).transpose()?;
    let role = wanted.role.map(Role::from);
    context.command(FleetCommand::UpdateOperator { name: name.clone(), role, scope, enabled: wanted.enabled }).await?;
    shown(&context, &name).map(Json)
}

/// Give an operator another password, which ends their sessions
#[utoipa::path(put, path = "/rollcall/v1/operators/{operator}/password", tag = "Operators", params(("operator" = String, Path)),
    request_body = PasswordWanted, responses((status = 204), Errors))]
async fn set_password(
    context: FleetContext,
    Path(name): Path<String>,
    Body(wanted): Body<PasswordWanted>,
) -> Result<NoContent, ApiError> {
    context.require_unlimited_scope()?;
    let name = named(&context.api.fleet().fleet, &name)?;
    let password_hash = context.api.access.hash_password("password", wanted.password, &context.api.entropy).await?;
    context.command(FleetCommand::SetOperatorPassword { name, password_hash }).await?;
    Ok(NoContent)
}

/// Take an operator away, with their access keys
#[utoipa::path(delete, path = "/rollcall/v1/operators/{operator}", tag = "Operators", params(("operator" = String, Path)),
    responses((status = 204), Errors))]
async fn delete(context: FleetContext, Path(name): Path<String>) -> Result<NoContent, ApiError> {
    context.require_unlimited_scope()?;
    let name = named(&context.api.fleet().fleet, &name)?;
    context.command(FleetCommand::DeleteOperator(name)).await?;
    Ok(NoContent)
}

/// The operator of a name.
///
/// # Errors
/// [`Code::OperatorNotFound`].
pub(super) fn named(fleet: &Fleet, name: &str) -> Result<OperatorName, ApiError> {
    let known = OperatorName::parse(name).ok().filter(|name| fleet.operators.contains_key(name));
    known.ok_or_else(|| ApiError::new(Code::OperatorNotFound, format!("operator {name:?} does not exist")))
}

/// An operator as the fleet has them now.
///
/// # Errors
/// [`Code::OperatorNotFound`].
pub(super) fn shown(context: &FleetContext, name: &OperatorName) -> Result<OperatorShown, ApiError> {
    let fleet = context.api.fleet();
    let operator = fleet.fleet.operators.get(name).map(OperatorShown::from);
    operator.ok_or_else(|| ApiError::new(Code::OperatorNotFound, format!("operator {name} does not exist any more")))
}
