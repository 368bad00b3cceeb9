//! Debugging a device certificate, for viewers: the same as `action_id=debug` of the v5 API, which needs an operator.

use axum::{Json, extract::Path};
use rollcall_domain::fleet::Role;
use utoipa_axum::routes;

use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Body, route::Routes},
    v5::certificates::{
        self,
        debug::{self, Certificate, DebugAnswer},
    },
};

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(ask))
}

/// Debug a device certificate: what it would become, and every check made
#[utoipa::path(post, path = "/rollcall/v1/instances/{instance_id}/certificates/{certificate_id}/debug", tag = "CA certificates",
    params(("instance_id" = String, Path), ("certificate_id" = String, Path)), request_body = Certificate,
    responses((status = 200, body = DebugAnswer), Errors))]
async fn ask(
    context: InstanceContext,
    Path((_instance, certificate_id)): Path<(String, String)>,
    Body(given): Body<Certificate>,
) -> Result<Json<DebugAnswer>, ApiError> {
    let ca = certificates::found(&context, &certificate_id)?;
    debug::of(&context, &ca, given).await.map(Json)
}
