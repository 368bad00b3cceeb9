//! Access keys, with which operators sign requests.
//!
//! For administrators of the whole fleet alone. Invariant: a secret is shown when its key is made and never again, although it
//! could be derived again: an operator who has lost it makes another key.

use axum::{Json, extract::Path};
use rollcall_domain::fleet::{AccessKey, AccessKeyId, FleetCommand, FleetEvent, Role};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::operators::named;
use crate::{
    context::FleetContext,
    http::{
        codes::Code,
        error::ApiError,
        errors::Errors,
        extract::{Body, Query},
        responses::{Created, NoContent},
        route::Routes,
        times,
    },
};

/// A key that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct AccessKeyWanted {
    /// For whom.
    #[schema(min_length = 1, max_length = 64)]
    operator: String,
    /// What it is for: at most 128 of Chinese characters, letters, digits, blanks and `_?'#().,&%@!-`.
    #[schema(max_length = 128, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]*$")]
    description: Option<String>,
    /// If given, it must be the operator's project: that is what the key will be for.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    project_id: Option<String>,
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccessKeyShown {
    /// Its id.
    access_key: String,
    /// Whose it is.
    operator: String,
    /// What it is for.
    description: String,
    /// The project in the path of the v5 calls that it may sign.
    project_id: String,
    /// Whether it may be used.
    enabled: bool,
    /// When it was made, UTC.
    created_at: String,
}

/// A key that has just been made.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccessKeyMade {
    #[serde(flatten)]
    key: AccessKeyShown,
    /// What requests are signed with; shown this once.
    secret_key: String,
}

/// Access keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccessKeys {
    /// By id.
    access_keys: Vec<AccessKeyShown>,
}

/// Which to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Those of this operator; absent: all.
    operator: Option<String>,
}

impl From<&AccessKey> for AccessKeyShown {
    fn from(key: &AccessKey) -> Self {
        Self {
            access_key: key.id.to_string(),
            operator: key.operator.to_string(),
            description: key.description.to_string(),
            project_id: key.project.to_string(),
            enabled: key.enabled,
            created_at: times::with_milliseconds(key.created_at),
        }
    }
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Admin, routes!(create))
        .operation(Role::Admin, routes!(list))
        .operation(Role::Admin, routes!(show))
        .operation(Role::Admin, routes!(enable))
        .operation(Role::Admin, routes!(disable))
        .operation(Role::Admin, routes!(delete))
}

/// Make an access key
#[utoipa::path(post, path = "/rollcall/v1/access-keys", tag = "Operators", request_body = AccessKeyWanted,
    responses((status = 201, body = AccessKeyMade), Errors))]
async fn create(context: FleetContext, Body(wanted): Body<AccessKeyWanted>) -> Result<Created<AccessKeyMade>, ApiError> {
    context.require_unlimited_scope()?;
    let fleet = context.api.fleet();
    let operator = named(&fleet.fleet, &wanted.operator)?;
    let project = fleet.fleet.operators.get(&operator).map(|operator| operator.project.as_str());
    if wanted.project_id.as_deref().is_some_and(|wanted| Some(wanted) != project) {
        let rule = format!("the project of operator {operator} is {}", project.unwrap_or_default());
        return Err(ApiError::invalid("project_id", rule));
    }
    let key = context.api.access.new_access_key(&*context.api.entropy);
    let description = wanted.description.unwrap_or_default().into();
    let command = FleetCommand::CreateAccessKey { key: key.clone(), operator, description };
    let key = match context.command(command).await?.earlier {
        Some(FleetEvent::AccessKeyCreated { key, .. }) => key,
        Some(_) | None => key,
    };
    let secret_key = context.api.access.secret_of(&key).expose_secret().to_owned();
    Ok(Created(AccessKeyMade { key: shown(&context, &key)?, secret_key }))
}

/// List access keys
#[utoipa::path(get, path = "/rollcall/v1/access-keys", tag = "Operators", params(Which),
    responses((status = 200, body = AccessKeys), Errors))]
async fn list(context: FleetContext, Query(which): Query<Which>) -> Result<Json<AccessKeys>, ApiError> {
    context.require_unlimited_scope()?;
    let fleet = context.api.fleet();
    let operator = which.operator.as_deref().map(|name| named(&fleet.fleet, name)).transpose()?;
    let wanted = |key: &&AccessKey| operator.as_ref().is_none_or(|operator| key.operator == *operator);
    let access_keys = fleet.fleet.access_keys.values().filter(wanted).map(AccessKeyShown::from).collect();
    Ok(Json(AccessKeys { access_keys }))
}

/// Show an access key
#[utoipa::path(get, path = "/rollcall/v1/access-keys/{access_key}", tag = "Operators", params(("access_key" = String, Path)),
    responses((status = 200, body = AccessKeyShown), Errors))]
async fn show(context: FleetContext, Path(key): Path<String>) -> Result<Json<AccessKeyShown>, ApiError> {
    context.require_unlimited_scope()?;
    let key = known(&context, &key)?;
    shown(&context, &key).map(Json)
}

/// Make an access key usable again
#[utoipa::path(post, path = "/rollcall/v1/access-keys/{access_key}/enable", tag = "Operators", params(("access_key" = String, Path)),
    responses((status = 200, body = AccessKeyShown), Errors))]
async fn enable(context: FleetContext, Path(key): Path<String>) -> Result<Json<AccessKeyShown>, ApiError> {
    switch(&context, &key, true).await
}

/// Stop an access key from being used
#[utoipa::path(post, path = "/rollcall/v1/access-keys/{access_key}/disable", tag = "Operators", params(("access_key" = String, Path)),
    responses((status = 200, body = AccessKeyShown), Errors))]
async fn disable(context: FleetContext, Path(key): Path<String>) -> Result<Json<AccessKeyShown>, ApiError> {
    switch(&context, &key, false).await
}

/// Take an access key away
#[utoipa::path(delete, path = "/rollcall/v1/access-keys/{access_key}", tag = "Operators", params(("access_key" = String, Path)),
    responses((status = 204), Errors))]
async fn delete(context: FleetContext, Path(key): Path<String>) -> Result<NoContent, ApiError> {
    context.require_unlimited_scope()?;
    let key = known(&context, &key)?;
    context.command(FleetCommand::DeleteAccessKey(key)).await?;
    Ok(NoContent)
}

async fn switch(context: &FleetContext, key: &str, enabled: bool) -> Result<Json<AccessKeyShown>, ApiError> {
    context.require_unlimited_scope()?;
    let key = known(context, key)?;
    context.command(FleetCommand::SwitchAccessKey { key: key.clone(), enabled }).await?;
    shown(context, &key).map(Json)
}

fn not_found(key: &str) -> ApiError {
    ApiError::new(Code::AccessKeyNotFound, format!("access key {key:?} does not exist"))
}

fn known(context: &FleetContext, key: &str) -> Result<AccessKeyId, ApiError> {
    let fleet = context.api.fleet();
    let id = AccessKeyId::parse(key).ok().filter(|id| fleet.fleet.access_keys.contains_key(id));
    id.ok_or_else(|| not_found(key))
}

fn shown(context: &FleetContext, key: &AccessKeyId) -> Result<AccessKeyShown, ApiError> {
    let fleet = context.api.fleet();
    fleet.fleet.access_keys.get(key).map(AccessKeyShown::from).ok_or_else(|| not_found(key.as_str()))
}
