//! Access keys: what signs requests for an operator.
//!
//! For administrators of the whole fleet alone. Invariant: a secret is shown when its key is made and never again, though
//! it could be derived again: who has lost it makes another key.

use axum::{Json, extract::Path};
use rollcall_domain::fleet::{AccessKey, AccessKeyId, FleetCommand, FleetEvent};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::operators::named;
use crate::{
    context::FleetCall,
    http::{
        codes::Code,
        error::ApiError,
        extract::{Body, Query},
        middleware::{Created, Done},
        openapi::Errors,
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

/// Make an access key
#[utoipa::path(post, path = "/rollcall/v1/access-keys", tag = "Operators", request_body = AccessKeyWanted,
    responses((status = 201, body = AccessKeyMade), Errors))]
pub(crate) async fn create(
    call: FleetCall,
    Body(wanted): Body<AccessKeyWanted>,
) -> Result<Created<AccessKeyMade>, ApiError> {
    call.needs_everything()?;
    let fleet = call.api.fleet();
    let operator = named(&fleet.fleet, &wanted.operator)?;
    let project = fleet.fleet.operators.get(&operator).map(|operator| operator.project.as_str());
    if wanted.project_id.as_deref().is_some_and(|wanted| Some(wanted) != project) {
        let rule = format!("the project of operator {operator} is {}", project.unwrap_or_default());
        return Err(ApiError::invalid("project_id", rule));
    }
    let key = call.api.access.new_access_key(&*call.api.entropy);
    let description = wanted.description.unwrap_or_default().into();
    let command = FleetCommand::CreateAccessKey { key: key.clone(), operator, description };
    let key = match call.command(command).await?.earlier {
        Some(FleetEvent::AccessKeyCreated { key, .. }) => key,
        Some(_) | None => key,
    };
    let secret_key = call.api.access.secret_of(&key).expose_secret().to_owned();
    Ok(Created(AccessKeyMade { key: shown(&call, &key)?, secret_key }))
}

/// List access keys
#[utoipa::path(get, path = "/rollcall/v1/access-keys", tag = "Operators", params(Which),
    responses((status = 200, body = AccessKeys), Errors))]
pub(crate) async fn list(call: FleetCall, Query(which): Query<Which>) -> Result<Json<AccessKeys>, ApiError> {
    call.needs_everything()?;
    let fleet = call.api.fleet();
    let operator = which.operator.as_deref().map(|name| named(&fleet.fleet, name)).transpose()?;
    let wanted = |key: &&AccessKey| operator.as_ref().is_none_or(|operator| key.operator == *operator);
    let access_keys = fleet.fleet.access_keys.values().filter(wanted).map(AccessKeyShown::from).collect();
    Ok(Json(AccessKeys { access_keys }))
}

/// Show an access key
#[utoipa::path(get, path = "/rollcall/v1/access-keys/{access_key}", tag = "Operators", params(("access_key" = String, Path)),
    responses((status = 200, body = AccessKeyShown), Errors))]
pub(crate) async fn show(call: FleetCall, Path(key): Path<String>) -> Result<Json<AccessKeyShown>, ApiError> {
    call.needs_everything()?;
    let key = known(&call, &key)?;
    shown(&call, &key).map(Json)
}

/// Make an access key usable again
#[utoipa::path(post, path = "/rollcall/v1/access-keys/{access_key}/enable", tag = "Operators", params(("access_key" = String, Path)),
    responses((status = 200, body = AccessKeyShown), Errors))]
pub(crate) async fn enable(call: FleetCall, Path(key): Path<String>) -> Result<Json<AccessKeyShown>, ApiError> {
    switch(&call, &key, true).await
}

/// Stop an access key from being used
#[utoipa::path(post, path = "/rollcall/v1/access-keys/{access_key}/disable", tag = "Operators", params(("access_key" = String, Path)),
    responses((status = 200, body = AccessKeyShown), Errors))]
pub(crate) async fn disable(call: FleetCall, Path(key): Path<String>) -> Result<Json<AccessKeyShown>, ApiError> {
    switch(&call, &key, false).await
}

/// Take an access key away
#[utoipa::path(delete, path = "/rollcall/v1/access-keys/{access_key}", tag = "Operators", params(("access_key" = String, Path)),
    responses((status = 204), Errors))]
pub(crate) async fn delete(call: FleetCall, Path(key): Path<String>) -> Result<Done, ApiError> {
    call.needs_everything()?;
    let key = known(&call, &key)?;
    call.command(FleetCommand::DeleteAccessKey(key)).await?;
    Ok(Done)
}

async fn switch(call: &FleetCall, key: &str, enabled: bool) -> Result<Json<AccessKeyShown>, ApiError> {
    call.needs_everything()?;
    let key = known(call, key)?;
    call.command(FleetCommand::SwitchAccessKey { key: key.clone(), enabled }).await?;
    shown(call, &key).map(Json)
}

fn not_found(key: &str) -> ApiError {
    ApiError::new(Code::AccessKeyNotFound, format!("access key {key:?} does not exist"))
}

fn known(call: &FleetCall, key: &str) -> Result<AccessKeyId, ApiError> {
    let fleet = call.api.fleet();
    let id = AccessKeyId::parse(key).ok().filter(|id| fleet.fleet.access_keys.contains_key(id));
    id.ok_or_else(|| not_found(key))
}

fn shown(call: &FleetCall, key: &AccessKeyId) -> Result<AccessKeyShown, ApiError> {
    let fleet = call.api.fleet();
    fleet.fleet.access_keys.get(key).map(AccessKeyShown::from).ok_or_else(|| not_found(key.as_str()))
}
