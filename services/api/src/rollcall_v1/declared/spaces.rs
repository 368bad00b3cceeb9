//! Declaring a resource space.

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::Role,
    ids::{PolicyId, SpaceId},
    registry::Command,
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{Declared, Needed};
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
    /// The id of the `system_default_policy` that a new resource space gets; one is made up when absent. Of no meaning for
    /// one that is there.
    #[schema(max_length = 36, pattern = "^[A-Za-z0-9_-]*$")]
    default_policy_id: Option<String>,
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
    let default_policy = wanted.default_policy_id.filter(|id| !id.is_empty()).unwrap_or_else(|| context.api.new_id());
    let default_policy = PolicyId::parse(&default_policy).map_err(|error| ApiError::invalid("default_policy_id", error))?;
    let needed = match context.configuration().spaces.get(&space) {
        Some(found) => {
            context.require_space(&space)?;
            if found.name == name { Needed::Nothing } else { Needed::Change(Command::RenameSpace { space, name }) }
        }
        None => {
            context.require_whole_instance()?;
            Needed::Create(Command::CreateSpace { space, name, default_policy })
        }
    };
    needed.ask(&context).await.map(Json)
}
