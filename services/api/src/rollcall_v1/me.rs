//! The caller themselves: who they are, and their own password.

use std::sync::Arc;

use axum::{
    Extension, Json,
    http::header,
    response::{IntoResponse as _, Response},
};
use rollcall_domain::fleet::{FleetCommand, Role};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::operators::{OperatorShown, shown};
use crate::{
    context::FleetContext,
    http::{error::ApiError, errors::Errors, extract::Body, peer::Peer, responses::NoContent, route::Routes},
    security::{access::caught_up, sessions::NO_COOKIE},
};

/// A password in place of another.
#[derive(Deserialize, ToSchema)]
pub(crate) struct OwnPassword {
    /// The one that is good now.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    old: SecretString,
    /// The one that is to be; 12 to 128 characters.
    #[schema(value_type = String, min_length = 12, max_length = 128)]
    new: SecretString,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(show)).operation(Role::Viewer, routes!(set_password))
}

/// Show who the caller is
#[utoipa::path(get, path = "/rollcall/v1/me", tag = "Login", responses((status = 200, body = OperatorShown), Errors))]
async fn show(context: FleetContext) -> Result<Json<OperatorShown>, ApiError> {
    shown(&context, &context.caller.operator).map(Json)
}

/// Change one's own password, which ends one's sessions
///
/// The old one is asked for, so that a session left open does not cost the account; it counts as an attempt to log in. A browser's
/// session goes on as another one, with the cookie that the answer sets.
#[utoipa::path(put, path = "/rollcall/v1/me/password", tag = "Login", request_body = OwnPassword,
    responses((status = 204), Errors))]
async fn set_password(
    context: FleetContext,
    Extension(peer): Extension<Arc<Peer>>,
    Body(wanted): Body<OwnPassword>,
) -> Result<Response, ApiError> {
    let (access, name) = (&context.api.access, &context.caller.operator);
    let fleet = context.api.fleet();
    access.check_password(caught_up(&fleet)?, name.as_str(), wanted.old, peer.source(), context.api.now()).await?;
    let password_hash = access.hash_password("new", wanted.new, &context.api.entropy).await?;
    context.command(FleetCommand::SetOperatorPassword { name: name.clone(), password_hash }).await?;
    if !context.caller.has_session() {
        return Ok(NoContent.into_response());
    }
    let (api, fleet) = (&context.api, context.api.fleet());
    let Some(operator) = fleet.fleet.operators.get(name) else { return Ok(NoContent.into_response()) };
    // The password has been changed, whatever comes of this: without it the browser has to sign in again.
    let cookie = match api.sessions.begin(operator, &fleet.fleet, &*api.entropy, api.now()).await {
        Ok((cookie, _session)) => cookie,
        Err(_) => NO_COOKIE,
    };
    Ok(([(header::SET_COOKIE, cookie)], NoContent).into_response())
}
