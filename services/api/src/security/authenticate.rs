//! The authentication middleware: what a request passes before its operation sees it.
//!
//! In this order: the claim, whether its name is locked, the body under its limit, the proof, the caller's rate, the project in
//! the path, the role. Does not check scopes: an operation checks them against what it touches. Invariants: a request goes on
//! with a [`Caller`] or not at all; what was proven is what goes on, body included.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequestParts as _, MatchedPath, RawPathParams, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use rollcall_domain::fleet::{AccessKeyId, Fleet, Role};
use rollcall_request_signing::{Credentials, SignedRequest, SigningError, verify};

use crate::{
    context::{Caller, Credential, INSTANCE_HEADER, Idempotency},
    http::{codes::Code, error::ApiError, route::Roles},
    security::access::caught_up,
    state::Api,
};

const TOKEN_HEADER: &str = "x-auth-token";
/// The schemes of an `Authorization` header that are verified here.
const ALGORITHMS: [&str; 2] = ["SDK-HMAC-SHA256", "V11-HMAC-SHA256"];
/// How long a body may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
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
    if let Claim::Signed(credentials) = &claim {
        attempt(&api, fleet, credentials).check(api.now())?;
    }
    let body = read_body(&parts.headers, body, api.config.limits.body_bytes_max).await?;
    let caller = prove(&api, fleet, &claim, &parts, &body)?;
    authorize(&mut parts, &caller, &roles).await?;
    let idempotency = Idempotency::of(&parts.headers, &request_identity(&parts, &caller, &body))?;
    drop(claim);
    parts.extensions.insert(caller);
    parts.extensions.insert(idempotency);
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

/// Who asks for something that is open to everybody and says more to operators; `None` for a request without credentials, and
/// while nobody can be told from anybody else, since the fleet is still being read. The request has no body.
pub(crate) fn authenticate_if_claimed(api: &Api, parts: &Parts) -> Result<Option<Caller>, ApiError> {
    if ![TOKEN_HEADER, header::AUTHORIZATION.as_str()].iter().any(|name| parts.headers.contains_key(*name)) {
        return Ok(None);
    }
    let claim = Claim::of(&parts.headers)?;
    let fleet = api.fleet();
    let Ok(fleet) = caught_up(&fleet) else { return Ok(None) };
    prove(api, fleet, &claim, parts, &[]).map(Some)
}

/// The credentials of a request, before they are verified.
enum Claim {
    Signed(Credentials),
    Token(String),
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

/// The caller whose claim it is, if it is true, under the caller's rate.
fn prove(api: &Api, fleet: &Fleet, claim: &Claim, parts: &Parts, body: &[u8]) -> Result<Caller, ApiError> {
    let caller = match claim {
        Claim::Signed(credentials) => signed(api, fleet, credentials, parts, body)?,
        Claim::Token(token) => {
            let (operator, claims) = api.access.of_token(fleet, token, api.now())?;
            let (issued_ms, expires_ms) = (claims.issued_ms, claims.expires_ms);
            Caller::of(operator, &operator.project, Credential::Token { issued_ms, expires_ms })
        }
    };
    api.access.request_rate.check(&caller.operator).map_err(|wait| {
        ApiError::new(Code::RateLimited, "more requests than one operator may send").retry_after(wait.seconds)
    })?;
    Ok(caller)
}

fn is_ours(authorization: &str) -> bool {
    let scheme = authorization.split_ascii_whitespace().next().unwrap_or_default();
    ALGORITHMS.iter().any(|ours| scheme.eq_ignore_ascii_case(ours))
}

/// Reads the body under its limits of bytes and time.
async fn read_body(headers: &HeaderMap, body: Body, bytes_max: u64) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::new(Code::BodyTooLarge, format!("the body has more than {bytes_max} bytes"));
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > bytes_max) {
        return Err(too_large());
    }
    let whole = Limited::new(body, usize::try_from(bytes_max).unwrap_or(usize::MAX)).collect();
    match tokio::time::timeout(BODY_TIME_MAX, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(ApiError::new(Code::MalformedBody, format!("the body did not arrive whole: {error}"))),
        Err(_) => {
            let seconds = BODY_TIME_MAX.as_secs();
            Err(ApiError::new(Code::MalformedBody, format!("the body did not arrive within {seconds} s")))
        }
    }
}

fn known(credentials: &Credentials) -> Option<AccessKeyId> {
    AccessKeyId::parse(credentials.access_key()).ok()
}

fn attempt<'a>(api: &'a Api, fleet: &Fleet, credentials: &Credentials) -> super::login_throttle::Attempt<'a> {
    let exists = known(credentials).is_some_and(|key| fleet.access_keys.contains_key(&key));
    api.access.key_throttle.attempt(credentials.access_key(), exists)
}

/// The caller whose signature it is. A key that does not exist is verified like any other, with a derived secret that no
/// client has: so time does not tell which keys exist.
fn signed(api: &Api, fleet: &Fleet, credentials: &Credentials, parts: &Parts, body: &[u8]) -> Result<Caller, ApiError> {
    let headers: Vec<(&str, &[u8])> = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let request = SignedRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
        body,
    };
    let attempt = attempt(api, fleet, credentials);
    let secret = api.access.master.access_secret(credentials.access_key());
    let now = api.now();
    // Other attempts may have failed while this body arrived.
    attempt.check(now)?;
    match verify(credentials, &secret, &request, now.unix_ms()) {
        Ok(()) => {}
        Err(SigningError::Signature) => {
            attempt.failed(now);
            return Err(ApiError::new(Code::Unauthenticated, NOT_PROVEN));
        }
        Err(fault @ SigningError::TimeOff { .. }) => return Err(ApiError::new(Code::SigningTime, fault.to_string())),
        Err(
            fault @ (SigningError::Malformed(_)
            | SigningError::MissingSignedHeader(_)
            | SigningError::RepeatedSignedHeader(_)
            | SigningError::Date
            | SigningError::ScopeDate
            | SigningError::ContentHash),
        ) => return Err(ApiError::new(Code::Unauthenticated, fault.to_string())),
    }
    attempt.succeeded();
    let key = known(credentials).and_then(|key| fleet.access_keys.get(&key)).filter(|key| key.enabled);
    let operator = key.and_then(|key| fleet.operators.get(&key.operator)).filter(|operator| operator.enabled);
    match (key, operator) {
        (Some(key), Some(operator)) => Ok(Caller::of(operator, &key.project, Credential::Key(key.id.clone()))),
        (Some(_) | None, _) => Err(ApiError::new(Code::Unauthenticated, NOT_PROVEN)),
    }
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

/// Everything that tells one request from another, but for the idempotency key.
fn request_identity<'a>(parts: &'a Parts, caller: &'a Caller, body: &'a [u8]) -> [&'a [u8]; 6] {
    let header = |name: &str| parts.headers.get(name).map(|value| value.as_bytes()).unwrap_or_default();
    [
        caller.operator.as_str().as_bytes(),
        parts.method.as_str().as_bytes(),
        parts.uri.path_and_query().map(|path| path.as_str().as_bytes()).unwrap_or_default(),
        header(header::HOST.as_str()),
        header(INSTANCE_HEADER),
        body,
    ]
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

    #[tokio::test]
    async fn a_body_is_taken_up_to_its_limit_whether_its_length_is_told_or_not() {
        let mut declared = HeaderMap::new();
        assert_eq!(read_body(&declared, Body::from("12345"), 5).await.unwrap(), "12345");
        assert_eq!(read_body(&declared, Body::from("123456"), 5).await.unwrap_err().code, Code::BodyTooLarge);
        declared.insert(header::CONTENT_LENGTH, 6.into());
        assert_eq!(read_body(&declared, Body::empty(), 5).await.unwrap_err().code, Code::BodyTooLarge);
    }
}
