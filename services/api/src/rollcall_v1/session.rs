//! The session of a browser: signing in for a cookie, showing what it is, and signing out.
//!
//! Served without the middleware that authenticates: each looks at the cookie itself. Invariants: failures to sign in count as
//! those of a login do; no answer holds the session's secret but the `Set-Cookie` header that begins it.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, Method, Uri, header},
    response::IntoResponse,
};
use rollcall_domain::fleet::Operator;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{
    login::Credentials,
    operators::{RoleName, ScopeIds},
};
use crate::{
    http::{error::ApiError, errors::Errors, extract::Body, peer::Peer, responses::NoContent, route::Routes, times},
    security::{
        access::caught_up,
        authenticate::of_session,
        same_origin,
        sessions::{NO_COOKIE, Session, sent},
    },
    state::Api,
};

/// A browser's session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionShown {
    /// Whose it is.
    operator: String,
    /// What they may do.
    role: RoleName,
    /// Where; `{}` is everywhere.
    scope: ScopeIds,
    /// What to put into the path of v5 calls.
    project_id: String,
    /// When it began; RFC 3339, UTC.
    created_at: String,
    /// When it ends however much it is used; RFC 3339, UTC.
    expires_at: String,
    /// It ends when it goes unused for so long.
    idle_seconds: i64,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().open(routes!(sign_in)).open(routes!(show)).open(routes!(sign_out))
}

/// Sign a browser in
///
/// For pages of this server: the answer sets the cookie `__Host-rollcall`, with which every operation works as with a token. As each
/// change by a session it needs `X-Rollcall-Console: 1`, and an `Origin` that is this server's. Failures count as those of
/// `POST /rollcall/v1/login`.
#[utoipa::path(post, path = "/rollcall/v1/session", tag = "Login", request_body = Credentials,
    responses((status = 200, body = SessionShown, headers(("Set-Cookie" = String, description = "The session's secret"))), Errors))]
async fn sign_in(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    Body(credentials): Body<Credentials>,
) -> Result<impl IntoResponse, ApiError> {
    same_origin::check(&method, &uri, &headers, api.config.plain_http)?;
    let fleet = api.fleet();
    let fleet = caught_up(&fleet)?;
    let Credentials { operator, password } = credentials;
    let operator = api.access.check_password(fleet, &operator, password, peer.source(), api.now()).await?;
    peer.prove();
    let (cookie, session) = api.sessions.begin(&operator, fleet, &*api.entropy, api.now()).await?;
    // The one that this browser had goes: nobody has its cookie any more.
    if let Some(earlier) = sent(&headers).and_then(|cookie| api.sessions.secret(cookie)) {
        api.sessions.end(&earlier.document()).await?;
    }
    Ok(([(header::SET_COOKIE, cookie)], Json(shown(&api, &operator, &session))))
}

/// Show a browser's session
#[utoipa::path(get, path = "/rollcall/v1/session", tag = "Login", responses((status = 200, body = SessionShown), Errors))]
async fn show(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Arc<Peer>>,
    headers: HeaderMap,
) -> Result<Json<SessionShown>, ApiError> {
    let fleet = api.fleet();
    let cookie = sent(&headers).unwrap_or_default();
    let (operator, session) = of_session(&api, caught_up(&fleet)?, (cookie, &headers), &peer).await?;
    Ok(Json(shown(&api, operator, &session)))
}

/// Sign a browser out
///
/// At every API process at once. It need not be signed in.
#[utoipa::path(delete, path = "/rollcall/v1/session", tag = "Login", responses((status = 204), Errors))]
async fn sign_out(
    State(api): State<Arc<Api>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    same_origin::check(&method, &uri, &headers, api.config.plain_http)?;
    if let Some(secret) = sent(&headers).and_then(|cookie| api.sessions.secret(cookie)) {
        api.sessions.end(&secret.document()).await?;
    }
    Ok(([(header::SET_COOKIE, NO_COOKIE)], NoContent))
}

fn shown(api: &Api, operator: &Operator, session: &Session) -> SessionShown {
    SessionShown {
        operator: operator.name.to_string(),
        role: operator.role.into(),
        scope: ScopeIds::from(&operator.scope),
        project_id: operator.project.to_string(),
        created_at: times::with_milliseconds(session.created()),
        expires_at: times::with_milliseconds(session.ends()),
        idle_seconds: api.sessions.idle_s(),
    }
}
