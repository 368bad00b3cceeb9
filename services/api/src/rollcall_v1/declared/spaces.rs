//! Declaring a resource space.

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::Role,
    ids::{PolicyId, SpaceId},
    registry::{Command, event::PolicyTarget},
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{DeclarationOutcome, Declared, Needed};
use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Body, route::Routes},
};

/// A resource space as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SpaceDeclared {
    /// 1 to 64 of Chinese characters, letters, digits and `_?'#().,&%@!-`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[\u{4e00}-\u{9fa5}A-Za-z0-9_?'#().,&%@! -]+$")]
    app_name: String,
    /// Absent: a new resource space gets a `system_default_policy`, and one that is there is left as it is.
    default_policy: Option<DefaultPolicy>,
    /// The id of the `system_default_policy` that a new resource space gets; one is made up when absent. Of no meaning for
    /// one that is there.
    #[schema(max_length = 36, pattern = "^[A-Za-z0-9_-]*$")]
    default_policy_id: Option<String>,
}

/// What devices of a resource space may do on custom topics without a policy of its own. `allow`: everything, as at the service;
/// a new one gets a `system_default_policy`, and one that is there is given none (what was closed is opened by binding a policy,
/// not by a word beside its name). `none`: nothing; a new one gets no policy, and from one that is there its
/// `system_default_policy` is unbound. An open policy of another name or with other statements stays, with a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum DefaultPolicy {
    Allow,
    None,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Operator, routes!(put))
}

/// Declare a resource space
#[utoipa::path(put, path = "/rollcall/v1/instances/{instance_id}/apps/{app_id}", tag = "Declarations",
    params(("instance_id" = String, Path), ("app_id" = String, Path, min_length = 1, max_length = 36, pattern = "^[A-Za-z0-9_-]+$", description = "As the caller chooses it")), request_body = SpaceDeclared,
    responses((status = 200, body = Declared), Errors))]
async fn put(
    context: InstanceContext,
    Path((_instance, app_id)): Path<(String, String)>,
    Body(wanted): Body<SpaceDeclared>,
) -> Result<Json<Declared>, ApiError> {
    let space = SpaceId::parse(&app_id).map_err(|error| ApiError::invalid("app_id", error))?;
    let name = wanted.app_name.into();
    let is_closed = wanted.default_policy == Some(DefaultPolicy::None);
    let default_policy_id = wanted.default_policy_id.filter(|id| !id.is_empty());
    if is_closed && default_policy_id.is_some() {
        return Err(ApiError::invalid("default_policy_id", "there is to be none (default_policy): leave it out"));
    }
    let default_policy_id = default_policy_id.unwrap_or_else(|| context.api.new_id());
    let default_policy =
        PolicyId::parse(&default_policy_id).map_err(|error| ApiError::invalid("default_policy_id", error))?;
    let needed = match context.configuration().spaces.get(&space) {
        // Out of scope is answered as what is not there.
        Some(found) if context.caller.scope.holds_space(&space) => {
            let space = space.clone();
            if found.name == name { Needed::Nothing } else { Needed::Change(Command::RenameSpace { space, name }) }
        }
        Some(_) | None => {
            context.require_whole_instance()?;
            let default_policy = (!is_closed).then_some(default_policy);
            Needed::Create(Command::CreateSpace { space: space.clone(), name, default_policy })
        }
    };
    let mut declared = needed.ask(&context).await?;
    if is_closed && let Some(position) = close(&context, &space).await? {
        declared = Declared { outcome: DeclarationOutcome::Changed, position: Some(position), ..declared };
    }
    Ok(Json(declared.with_warnings(&context, &space)))
}

/// Unbinds the policy that the resource space was made with, if it is still as it was made; the position of the record. It is
/// not deleted: a template may name it, and would then register no device.
async fn close(context: &InstanceContext, space: &SpaceId) -> Result<Option<u64>, ApiError> {
    let Some(policy) = context.configuration().default_policy(space).map(|policy| policy.id.clone()) else {
        return Ok(None);
    };
    let command = Command::UnbindPolicy { policy, target: PolicyTarget::Space(space.clone()) };
    // The request's first change may have been the new name.
    Ok(Some(context.nth_command(1, command).await?.position.0))
}
