//! Middleware around every request: its id, its span, its metrics, and an answer even where a handler panicked.
//!
//! Does not authenticate. Invariants: every answer carries `X-Request-Id` and what keeps browsers from caching, framing or
//! running it; every error is JSON in the service's shape.

use std::{any::Any, sync::Arc};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Response, Version, header},
    middleware::Next,
    response::IntoResponse as _,
};
use tracing::Instrument as _;

use crate::{
    http::{codes::Code, error::ApiError, leftover_body, metrics::metrics},
    state::Api,
};

/// Names a request in its answer, so that people find it in logs.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest path and query together, bytes; no operation needs a tenth of it.
const TARGET_BYTES_MAX: usize = 16 * 1024;
/// The policy of an answer that is data.
const NOTHING_ALLOWED: &str = "default-src 'none'; frame-ancestors 'none'";
/// How long browsers ask for HTTPS only.
const ONE_YEAR: &str = "max-age=31536000";

/// The outermost middleware.
pub(crate) async fn observe(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response<Body> {
    let number = api.entropy.uuid_v4().simple().to_string();
    let method = request.method().as_str().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("request", %method, route, request_id = number);
    let started = tokio::time::Instant::now();
    let is_held_back = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let (body, leftover) = leftover_body::lend(body, is_held_back);
    let request = Request::from_parts(parts, body);
    let mut response = with_error_body(next.run(request).instrument(span.clone()).await);
    leftover.throw_away().await;
    if let Ok(number) = HeaderValue::from_str(&number) {
        response.headers_mut().insert(REQUEST_ID, number);
    }
    guard(response.headers_mut(), api.config.plain_http);
    let status = response.status();
    metrics().answered(&method, &route, status.as_u16(), started.elapsed().as_secs_f64() * 1000.0);
    if let Some(code) = response.extensions().get::<Code>() {
        metrics().refused(code.as_str());
    }
    span.in_scope(|| {
        if status.is_server_error() {
            tracing::warn!(status = status.as_u16(), "answered");
        } else {
            tracing::debug!(status = status.as_u16(), "answered");
        }
    });
    response
}

/// Refuses what HTTP forbids and the HTTP library lets pass: what follows could read it in two ways.
pub(crate) async fn well_formed(request: Request, next: Next) -> Result<Response<Body>, ApiError> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    // RFC 9112 section 3.2.
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Err(ApiError::invalid("Host", format!("the request has {hosts} Host headers: send one")));
    }
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES_MAX {
        let rule = format!("path and query have {target} bytes: send at most {TARGET_BYTES_MAX}");
        return Err(ApiError::invalid("the request target", rule));
    }
    Ok(next.run(request).await)
}

/// Tells browsers what they may do with an answer. A page that runs something has a policy of its own.
fn guard(headers: &mut HeaderMap, plain_http: bool) {
    // An answer holds what is true now: no cache may keep it.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // A path names instances and devices.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NOTHING_ALLOWED));
    // RFC 6797 section 7.2: not over plain HTTP.
    if !plain_http {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(ONE_YEAR));
    }
}

/// Gives an error of the framework the body that every other error has.
fn with_error_body(response: Response<Body>) -> Response<Body> {
    let status = response.status();
    if !status.is_client_error() || response.extensions().get::<Code>().is_some() {
        return response;
    }
    ApiError::new(Code::InvalidInput, "the path cannot be read: send its parts as percent-encoded UTF-8").into_response()
}

/// Answers 500 for a handler that panicked; the connection lives on.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response<Body> {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    tracing::error!(panic = text, "a request failed in an unforeseen way");
    ApiError::new(Code::Internal, "the request failed in an unforeseen way").into_response()
}

/// The answer where no route has the path.
pub(crate) async fn no_such_operation(request: Request) -> ApiError {
    let path: String = request.uri().path().chars().take(200).collect();
    ApiError::new(Code::NoSuchOperation, format!("there is no operation at {path:?}: /openapi.json lists what there is"))
}

/// The answer where the path does not have the method.
pub(crate) async fn no_such_method(request: Request) -> ApiError {
    ApiError::new(Code::MethodNotAllowed, format!("this path has no method {}", request.method()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_to_stay_with_https_where_it_is_served() {
        let guarded = |plain_http| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("a page's own"));
            guard(&mut headers, plain_http);
            headers
        };
        assert_eq!(guarded(false)["strict-transport-security"], "max-age=31536000");
        assert!(!guarded(true).contains_key("strict-transport-security"));
        assert_eq!(guarded(true)["content-security-policy"], "a page's own");
    }
}
