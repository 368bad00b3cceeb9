//! What is done with a CA certificate by its `action_id`: `verify`, and Rollcall's own `issue-code` and `debug`.
//!
//! One operation of the service's, whose role is that of the least of them: `debug` changes nothing. Invariant: what changes
//! something asks for the role that it needs by itself.

use axum::{
    Json,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use rollcall_domain::{fleet::Role, registry::Command};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{
    debug::{self, Certificate},
    found, shown,
};
use crate::{
    context::InstanceContext,
    http::{
        error::ApiError,
        errors::Errors,
        extract::{Body, Query},
        pem,
        route::Routes,
    },
};

/// What there is to do.
const ACTIONS: [&str; 3] = ["verify", "debug", "issue-code"];

/// What to do.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Action {
    /// `verify`: prove to hold the CA's key. `debug`: what a device certificate would become, and every check made.
    /// `issue-code`: a new verification code in place of the old one. All but `debug` need the role operator.
    #[param(required = true, inline, value_type = ActionName)]
    action_id: Option<String>,
}

/// What to do, as the document has it.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "its schema is what it is for")]
enum ActionName {
    Verify,
    Debug,
    IssueCode,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(act))
}

/// Verify a CA certificate, debug a device certificate, issue a verification code
#[utoipa::path(post, path = "/v5/iot/{project_id}/certificates/{certificate_id}/action", tag = "CA certificates",
    params(("project_id" = String, Path), ("certificate_id" = String, Path), Action), request_body = Certificate,
    responses((status = 200, description = "verify: no body; debug: the outcome; issue-code: the CA certificate",
        body = debug::DebugAnswer), Errors))]
async fn act(
    context: InstanceContext,
    Path((_project, certificate_id)): Path<(String, String)>,
    Query(action): Query<Action>,
    Body(given): Body<Certificate>,
) -> Result<Response, ApiError> {
    let action = action.action_id.unwrap_or_default();
    if action != "debug" {
        context.caller.require_role(Role::Operator)?;
    }
    let ca = found(&context, &certificate_id)?;
    match action.as_str() {
        "verify" => {
            let text = given.verify_content.unwrap_or_default();
            let proof = pem::one("verify_content", &text)?;
            context.command(Command::VerifyCa { ca: ca.id, proof }).await?;
            Ok(StatusCode::OK.into_response())
        }
        "issue-code" => {
            context.command(Command::IssueCaCode { ca: ca.id }).await?;
            found(&context, &certificate_id).map(|ca| Json(shown(&ca)).into_response())
        }
        "debug" => debug::of(&context, &ca, given).await.map(|debugged| Json(debugged).into_response()),
        other => {
            let rule = format!("is {other:?}: give one of {}", ACTIONS.join(", "));
            Err(ApiError::invalid("action_id", rule))
        }
    }
}
