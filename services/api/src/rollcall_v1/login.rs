//! Logging in: a password for a token. Two forms: Rollcall's own, and the one of IAM that scripts for the service use.
//!
//! Served without authentication. Invariant: neither the text nor the time of an answer tells whether an operator exists.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderName, StatusCode},
    response::IntoResponse,
};
use rollcall_domain::fleet::Operator;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    http::{codes::Code, error::ApiError, errors::Errors, extract::Body, peer::Peer, route::Routes, times},
    security::access::{Issued, caught_up},
    state::Api,
};

/// The header in which IAM answers a token.
const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");

/// Who logs in.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Credentials {
    /// The operator's name.
    #[schema(min_length = 1, max_length = 64)]
    pub(super) operator: String,
    /// Their password.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    pub(super) password: SecretString,
}

/// A session.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    /// To be sent in `X-Auth-Token`.
    token: String,
    /// From when on it is not good any more; RFC 3339, UTC.
    expires_at: String,
    /// What the operator may do: `viewer`, `operator` or `admin`.
    role: &'static str,
    /// What to put into the path of v5 calls.
    project_id: String,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().open(routes!(log_in)).open(routes!(obtain_token))
}

/// Log in
///
/// The token goes into `X-Auth-Token`. After five failures with a name from an address each further one there delays the next
/// attempt for longer, up to five minutes; `Retry-After` says how long.
#[utoipa::path(post, path = "/rollcall/v1/login", tag = "Login", request_body = Credentials,
    responses((status = 200, body = Session), Errors))]
async fn log_in(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Arc<Peer>>,
    Body(credentials): Body<Credentials>,
) -> Result<Json<Session>, ApiError> {
    let (operator, issued) = token_for_password(&api, &peer, &credentials.operator, credentials.password).await?;
    Ok(Json(Session {
        token: issued.token.expose_secret().to_owned(),
        expires_at: times::with_milliseconds(issued.expires_at),
        role: operator.role.name(),
        project_id: operator.project.to_string(),
    }))
}

/// The body of IAM's "obtaining a user token through password authentication", as far as it means anything here.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TokenRequest {
    auth: Auth,
}

/// Who, and for what.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Auth {
    identity: Identity,
    /// What the token is to be for; absent: the operator's project.
    scope: Option<TokenScope>,
}

/// How to prove it.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Identity {
    /// `password` is what there is.
    #[schema(value_type = Option<Vec<Method>>, min_items = 1, max_items = 1)]
    methods: Option<Vec<String>>,
    password: PasswordIdentity,
}

/// How to prove it, as the document has it.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "its schema is what it is for")]
enum Method {
    Password,
}

/// By password.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PasswordIdentity {
    user: TokenUser,
}

/// An operator. IAM's `domain` is not looked at: a fleet is one.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TokenUser {
    /// The operator's name.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Their password.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    password: SecretString,
}

/// For a project; IAM's project *names* are regions and are not looked at.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TokenScope {
    project: Option<TokenProject>,
}

/// A project.
#[derive(Deserialize, Serialize, ToSchema)]
pub(crate) struct TokenProject {
    /// Must be the operator's.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: Option<String>,
}

/// What IAM answers beside the header.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenAnswer {
    token: TokenShown,
}

/// What the token is.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenShown {
    /// From when on it is not good any more; RFC 3339, UTC.
    expires_at: String,
    /// When it was issued; RFC 3339, UTC.
    issued_at: String,
    /// `password`.
    methods: [&'static str; 1],
    /// For which project.
    project: TokenProject,
    /// For whom.
    user: TokenHolder,
}

/// Whose token it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenHolder {
    /// The operator's name.
    name: String,
}

/// Obtain a token, as scripts for IAM do
///
/// The token is in the header `X-Subject-Token`.
#[utoipa::path(post, path = "/v3/auth/tokens", tag = "Login", request_body = TokenRequest,
    responses((status = 201, body = TokenAnswer, headers(("X-Subject-Token" = String, description = "The token"))), Errors))]
async fn obtain_token(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Arc<Peer>>,
    Body(request): Body<TokenRequest>,
) -> Result<impl IntoResponse, ApiError> {
    let Auth { identity, scope } = request.auth;
    if identity.methods.is_some_and(|methods| methods != ["password"]) {
        return Err(ApiError::new(Code::NotOffered, "auth.identity.methods: \"password\" alone is offered"));
    }
    let user = identity.password.user;
    let (operator, issued) = token_for_password(&api, &peer, &user.name, user.password).await?;
    let wanted = scope.and_then(|scope| scope.project).and_then(|project| project.id);
    if wanted.is_some_and(|wanted| wanted != operator.project.as_str()) {
        let text = format!("auth.scope.project.id: the project of operator {} is {}", operator.name, operator.project);
        return Err(ApiError::new(Code::NoPermission, text));
    }
    let answer = TokenAnswer {
        token: TokenShown {
            expires_at: times::with_milliseconds(issued.expires_at),
            issued_at: times::with_milliseconds(api.now()),
            methods: ["password"],
            project: TokenProject { id: Some(operator.project.to_string()) },
            user: TokenHolder { name: operator.name.to_string() },
        },
    };
    Ok((StatusCode::CREATED, [(SUBJECT_TOKEN, issued.token.expose_secret().to_owned())], Json(answer)))
}

async fn token_for_password(
    api: &Api,
    peer: &Peer,
    name: &str,
    password: SecretString,
) -> Result<(Operator, Issued), ApiError> {
    let fleet = api.fleet();
    let operator = api.access.check_password(caught_up(&fleet)?, name, password, peer.source(), api.now()).await?;
    peer.prove();
    let issued = api.access.issue(&operator, api.now());
    Ok((operator, issued))
}
