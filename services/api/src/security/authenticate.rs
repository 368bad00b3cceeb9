//! The authentication middleware: what a request passes before its operation sees it.
//!
//! In this order: the claim; of a token or a session everything, of a signature its date and its key, which is all that the headers
//! tell; the body under its limits; the proof, the caller's rate, the project in the path, the role. Does not check scopes: an operation
//! checks them against what it touches. Invariants: a request goes on with a [`Caller`] or not at all; what was proven is what
//! goes on, body included; of a body nothing is read for a caller who could be refused without it.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequestParts as _, MatchedPath, RawPathParams, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::Response,
};
use rollcall_domain::fleet::{AccessKey, AccessKeyId, Fleet, Operator, OperatorName, Role};
use rollcall_request_signing::{Credentials, SignedRequest, SigningError, verify, verify_head};

use crate::{
    context::{Caller, Credential, Idempotency},
    http::{codes::Code, error::ApiError, peer::Peer, request_body, route::Roles},
    security::{
        access::caught_up,
        failure_log::Failure,
        same_origin,
        sessions::{self, Session},
    },
    state::Api,
};

const TOKEN_HEADER: &str = "x-auth-token";
/// What a page sends with a request that it makes by itself, while nobody has touched it for a while.
const UNATTENDED_HEADER: &str = "x-rollcall-unattended";
/// The schemes of an `Authorization` header that are verified here.
const ALGORITHMS: [&str; 2] = ["SDK-HMAC-SHA256", "V11-HMAC-SHA256"];
/// The text for every signature that does not hold, unless the reason is in what the client sent.
const NOT_PROVEN: &str =
    "the access key is not known or not enabled, or the signature is not that of this request with its secret";

/// The middleware around every guarded route.
pub(crate) async fn authenticate(
    State((api, roles)): State<(Arc<Api>, Arc<Roles>)>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let claim = Claim::of(&parts.headers)?;
    let fleet = api.fleet();
    let fleet = caught_up(&fleet)?;
    let bytes_max = api.config.limits.body_bytes_max;
    let peer = peer(&parts)?;
    let (caller, body) = match &claim {
        Claim::Token(token) => {
            let caller = of_token(&api, fleet, token, &peer)?;
            authorize(&mut parts, &caller, &roles).await?;
            (caller, request_body::read(&parts.headers, body, bytes_max, None).await?)
        }
        Claim::Session(cookie) => {
            same_origin::check(&parts.method, &parts.uri, &parts.headers, api.config.plain_http)?;
            let caller = of_cookie(&api, fleet, (cookie, &parts.headers), &peer).await?;
            authorize(&mut parts, &caller, &roles).await?;
            (caller, request_body::read(&parts.headers, body, bytes_max, None).await?)
        }
        Claim::Signed(credentials) => {
            signer(&api, fleet, credentials, &parts, &peer)?;
            let mut share = api.unproven_bodies.share(peer.source());
            let body = request_body::read(&parts.headers, body, bytes_max, Some(&mut share)).await?;
            let caller = signed(&api, fleet, credentials, &parts, &peer, &body)?;
            authorize(&mut parts, &caller, &roles).await?;
            (caller, body)
        }
    };
    let idempotency = Idempotency::of(&parts.headers, caller.operator.as_str(), &request_identity(&parts, &body))?;
    drop(claim);
    parts.extensions.insert(caller);
    parts.extensions.insert(idempotency);
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

/// Who asks for something that is open to everybody and says more to operators; `None` for a request without credentials, and
/// while nobody can be told from anybody else, since the fleet is still being read. The request has no body.
pub(crate) async fn authenticate_if_claimed(api: &Api, parts: &Parts) -> Result<Option<Caller>, ApiError> {
    let claims = [TOKEN_HEADER, header::AUTHORIZATION.as_str()].iter().any(|name| parts.headers.contains_key(*name));
    if !claims && sessions::sent(&parts.headers).is_none() {
        return Ok(None);
    }
    let claim = Claim::of(&parts.headers)?;
    let fleet = api.fleet();
    let Ok(fleet) = caught_up(&fleet) else { return Ok(None) };
    let peer = peer(parts)?;
    match &claim {
        Claim::Token(token) => of_token(api, fleet, token, &peer),
        // A browser sends the cookie of a session that has ended without being asked.
        Claim::Session(cookie) => match of_cookie(api, fleet, (cookie, &parts.headers), &peer).await {
            Err(error) if error.code == Code::Unauthenticated => return Ok(None),
            found => found,
        },
        Claim::Signed(credentials) => signed(api, fleet, credentials, parts, &peer, &[]),
    }
    .map(Some)
}

fn peer(parts: &Parts) -> Result<Arc<Peer>, ApiError> {
    let peer = parts.extensions.get::<Arc<Peer>>().cloned();
    peer.ok_or_else(|| ApiError::new(Code::Internal, "the request came by no connection"))
}

/// The credentials of a request, before they are verified.
///
/// What a client has put into a header goes before what a browser sends by itself: a signature of ours, then a token, then the
/// cookie of a session. Of several only the first counts, also if it does not hold and the others would.
enum Claim {
    Signed(Credentials),
    Token(String),
    /// The value of the cookie.
    Session(String),
}

impl Claim {
    fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let unauthenticated = |text: String| ApiError::new(Code::Unauthenticated, text);
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
        let token = text(TOKEN_HEADER).filter(|token| !token.is_empty());
        match (text(header::AUTHORIZATION.as_str()), token) {
            (Some(authorization), _) if is_ours(authorization) => {
                Credentials::parse(authorization).map(Self::Signed).map_err(|fault| unauthenticated(fault.to_string()))
            }
            // A proxy may have put its own scheme there; the token is meant for this API.
            (_, Some(token)) => Ok(Self::Token(token.to_owned())),
            (_, None) if let Some(cookie) = sessions::sent(headers) => Ok(Self::Session(cookie.to_owned())),
            (Some(_), None) => Err(unauthenticated(format!(
                "the Authorization header is of no known kind: sign with {}, or send X-Auth-Token",
                ALGORITHMS.join(" or ")
            ))),
            (None, None) => Err(unauthenticated(format!(
                "the request has no credentials: sign it with an access key ({}), or send X-Auth-Token",
                ALGORITHMS.join(" or ")
            ))),
        }
    }
}

/// The caller whose token it is, under the caller's rate.
fn of_token(api: &Api, fleet: &Fleet, token: &str, peer: &Peer) -> Result<Caller, ApiError> {
    let (operator, claims) = api.access.of_token(fleet, token, peer.source(), api.now())?;
    let (issued_ms, expires_ms) = (claims.issued_ms, claims.expires_ms);
    proven(api, peer, Caller::of(operator, &operator.project, Credential::Token { issued_ms, expires_ms }))
}

/// The caller whose session it is, under the caller's rate.
async fn of_cookie(api: &Api, fleet: &Fleet, sent: (&str, &HeaderMap), peer: &Peer) -> Result<Caller, ApiError> {
    let (operator, session) = of_session(api, fleet, sent, peer).await?;
    let (created_ms, ends_ms) = (session.created().unix_ms(), session.ends().unix_ms());
    let credential = Credential::Session { document: session.key, created_ms, ends_ms };
    Ok(Caller::of(operator, &operator.project, credential))
}

/// The operator whose session it is by its cookie, and the session, which is in use from now on unless the page says that nobody
/// is there: a page that asks again and again would otherwise keep the session of whoever has left it.
///
/// # Errors
/// [`Code::Unauthenticated`]; the backbone's, if whether there is one cannot be told.
pub(crate) async fn of_session<'a>(
    api: &Api,
    fleet: &'a Fleet,
    (cookie, headers): (&str, &HeaderMap),
    peer: &Peer,
) -> Result<(&'a Operator, Session), ApiError> {
    let over = || ApiError::new(Code::Unauthenticated, "there is no session, or it has ended: sign in again");
    let secret = api.sessions.secret(cookie).ok_or_else(|| {
        if !cookie.is_empty() {
            api.access.failed(peer.source(), Failure::Session, None);
        }
        over()
    })?;
    let session = api.sessions.find(&secret, fleet, api.now()).await?.ok_or_else(over)?;
    let operator = session.operator(fleet).ok_or_else(over)?;
    within_rate(api, peer, &operator.name)?;
    if !headers.contains_key(UNATTENDED_HEADER) {
        api.sessions.used(&session, api.now()).await;
    }
    Ok((operator, session))
}

/// What follows a proof, whatever it was.
fn proven(api: &Api, peer: &Peer, caller: Caller) -> Result<Caller, ApiError> {
    within_rate(api, peer, &caller.operator).map(|()| caller)
}

fn within_rate(api: &Api, peer: &Peer, operator: &OperatorName) -> Result<(), ApiError> {
    peer.prove();
    api.access.request_rate.check(operator).map_err(|wait| {
        ApiError::new(Code::RateLimited, "more requests than one operator may send").retry_after(wait.seconds)
    })
}

fn is_ours(authorization: &str) -> bool {
    let scheme = authorization.split_ascii_whitespace().next().unwrap_or_default();
    ALGORITHMS.iter().any(|ours| scheme.eq_ignore_ascii_case(ours))
}

/// The enabled key of these credentials and its enabled operator, after all that the headers alone tell of a signature.
///
/// Its time tells whether a key exists; that is worth nothing, since an id is as long as a guess is hopeless and opens nothing.
fn signer<'a>(
    api: &Api,
    fleet: &'a Fleet,
    credentials: &Credentials,
    parts: &Parts,
    peer: &Peer,
) -> Result<(&'a AccessKey, &'a Operator), ApiError> {
    let key = AccessKeyId::parse(credentials.access_key()).ok().and_then(|key| fleet.access_keys.get(&key));
    let name = key.map(|key| key.id.as_str());
    verify_head(credentials, &headers(parts), api.now().unix_ms()).map_err(|fault| not_proven(api, peer, name, &fault))?;
    let enabled = key.filter(|key| key.enabled);
    let operator = enabled.and_then(|key| fleet.operators.get(&key.operator)).filter(|operator| operator.enabled);
    enabled.zip(operator).ok_or_else(|| {
        api.access.failed(peer.source(), Failure::AccessKey, name);
        ApiError::new(Code::Unauthenticated, NOT_PROVEN)
    })
}

/// The caller whose signature it is, under the caller's rate.
fn signed(
    api: &Api,
    fleet: &Fleet,
    credentials: &Credentials,
    parts: &Parts,
    peer: &Peer,
    body: &[u8],
) -> Result<Caller, ApiError> {
    let (key, operator) = signer(api, fleet, credentials, parts, peer)?;
    let request = SignedRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers(parts),
        body,
    };
    let secret = api.access.secret_of(&key.id);
    verify(credentials, &secret, &request, api.now().unix_ms())
        .map_err(|fault| not_proven(api, peer, Some(key.id.as_str()), &fault))?;
    proven(api, peer, Caller::of(operator, &key.project, Credential::Key(key.id.clone())))
}

fn headers(parts: &Parts) -> Vec<(&str, &[u8])> {
    parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

/// The answer to a signature that does not hold. `key`: its access key, if that exists.
fn not_proven(api: &Api, peer: &Peer, key: Option<&str>, fault: &SigningError) -> ApiError {
    let (code, failure, text) = match fault {
        SigningError::Signature => (Code::Unauthenticated, Some(Failure::Signature), NOT_PROVEN.to_owned()),
        SigningError::TimeOff { .. } => (Code::SigningTime, Some(Failure::SigningTime), fault.to_string()),
        SigningError::Malformed(_)
        | SigningError::MissingSignedHeader(_)
        | SigningError::RepeatedSignedHeader(_)
        | SigningError::Date
        | SigningError::ScopeDate
        | SigningError::ContentHash => (Code::Unauthenticated, None, fault.to_string()),
    };
    if let Some(failure) = failure {
        api.access.failed(peer.source(), failure, key);
    }
    ApiError::new(code, text)
}

/// Checks the project in the path and the role.
async fn authorize(parts: &mut Parts, caller: &Caller, roles: &Roles) -> Result<(), ApiError> {
    let params = RawPathParams::from_request_parts(parts, &()).await.ok();
    let project = params.iter().flatten().find(|(name, _)| *name == "project_id").map(|(_, value)| value.to_owned());
    if project.is_some_and(|project| project != caller.project.as_str()) {
        let text = format!("the path names another project than {}, which the caller's credentials are for", caller.project);
        return Err(ApiError::new(Code::NoPermission, text));
    }
    let path = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let needed = roles.of(&parts.method, &path);
    // An administrator's operations concern the fleet as a whole, whatever else they check.
    if needed == Role::Admin && caller.role == Role::Admin && !caller.scope.is_everything() {
        let text = format!("operator {} is limited to some instances or resource spaces", caller.operator);
        return Err(ApiError::new(Code::NoPermission, text));
    }
    caller.require_role(needed)
}

/// Everything that tells one request of an operator from another in the same log: the log is the instance's, whichever way the
/// request names that.
fn request_identity<'a>(parts: &'a Parts, body: &'a [u8]) -> [&'a [u8]; 3] {
    let target = parts.uri.path_and_query().map(|path| path.as_str().as_bytes()).unwrap_or_default();
    [parts.method.as_str().as_bytes(), target, body]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(headers: &[(&'static str, &str)]) -> Result<Claim, Code> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Claim::of(&map).map_err(|error| error.code)
    }

    #[test]
    fn a_signature_of_ours_goes_before_a_token_and_another_scheme_does_not() {
        let signature = format!("SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature={}", "0".repeat(64));
        let token = ("x-auth-token", "token");
        assert!(matches!(claim(&[("authorization", &signature), token]), Ok(Claim::Signed(_))));
        assert!(matches!(claim(&[("authorization", "Basic YTpi"), token]), Ok(Claim::Token(_))));
        assert!(matches!(claim(&[token]), Ok(Claim::Token(_))));
        let broken = ("authorization", "V11-HMAC-SHA256 nonsense");
        for headers in [&[][..], &[("authorization", "Basic YTpi")], &[("x-auth-token", "")], &[broken, token]] {
            assert_eq!(claim(headers).err(), Some(Code::Unauthenticated), "{headers:?}");
        }
    }
}
