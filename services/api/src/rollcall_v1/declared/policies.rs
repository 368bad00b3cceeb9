//! Declaring the statements of a topic policy. Its bindings are v5's: `bind`, `unbind`, `list-targets`.

use axum::{Json, extract::Path};
use rollcall_domain::{fleet::Role, ids::PolicyId, registry::Command};
use utoipa_axum::routes;

use super::{Declared, Needed, as_in_path, taken};
use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Body, route::Routes},
    v5::policies::NewPolicy,
};

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Operator, routes!(put))
}

/// Declare a policy
#[utoipa::path(put, path = "/rollcall/v1/instances/{instance_id}/apps/{app_id}/policies/{policy_id}", tag = "Declarations",
    params(("instance_id" = String, Path), ("app_id" = String, Path), ("policy_id" = String, Path, min_length = 1, max_length = 36, pattern = "^[A-Za-z0-9_-]+$", description = "As the caller chooses it")),
    request_body = NewPolicy, responses((status = 200, body = Declared), Errors))]
async fn put(
    context: InstanceContext,
    Path((_instance, app_id, policy_id)): Path<(String, String, String)>,
    Body(wanted): Body<NewPolicy>,
) -> Result<Json<Declared>, ApiError> {
    let space = context.space(Some(&app_id))?;
    as_in_path("app_id", wanted.app_id(), &app_id)?;
    let policy = PolicyId::parse(&policy_id).map_err(|error| ApiError::invalid("policy_id", error))?;
    let (name, statements) = wanted.content()?;
    let needed = match context.configuration().policies.get(&policy) {
        // Does not say which one: the caller may not be allowed to know of it.
        Some(found) if found.space != space => return Err(taken("policy", &policy_id, "in another resource space")),
        Some(found) if found.name == name && found.statements == statements => Needed::Nothing,
        Some(_) => Needed::Change(Command::UpdatePolicy { policy, name: Some(name), statements: Some(statements) }),
        None => Needed::Create(Command::CreatePolicy { policy, space: space.clone(), name, statements }),
    };
    let declared = needed.ask(&context).await?;
    Ok(Json(declared.with_warnings(&context, &space)))
}
