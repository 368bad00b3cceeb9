//! The OpenAPI document: made of the routes, committed, served, and shown on a page.
//!
//! Does not know any operation. Invariant: an operation that is registered is in it, with the role that it needs.

mod closed_bodies;

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Router,
    body::Bytes,
    http::{Method, header},
    response::{Html, IntoResponse},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Content, ContentBuilder, Info, License, OpenApi, Ref, RefOr, Required, ResponseBuilder, Schema,
        security::{ApiKey, ApiKeyValue, SecurityScheme},
    },
};

use super::{
    error::ErrorBody,
    errors::ERRORS,
    route::{SESSION, SIGNATURE, TOKEN, operations},
};
use crate::security::sessions::COOKIE;

/// The page that shows the document.
const PAGE: &str = include_str!("openapi/page.html");

/// The document as it is committed and served.
pub(super) fn to_json(document: &Value) -> String {
    format!("{document:#}\n")
}

/// The document as JSON; every part of it is text, numbers and maps.
pub(crate) fn to_value(document: OpenApi) -> Value {
    let mut document = serde_json::to_value(document).expect("a document of texts, numbers and maps is JSON");
    closed_bodies::close(&mut document);
    document
}

/// Adds what the routes do not say: what this is, how to authenticate, which bodies may be left out.
pub(crate) fn finished(mut document: OpenApi) -> OpenApi {
    let mut info = Info::new("Rollcall", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "The part of the IoTDA v5 API that self-registration lives in, and under /rollcall/v1 what operators need beside it. \
         Requests are signed with an access key (SDK-HMAC-SHA256 or V11-HMAC-SHA256), or carry a token in X-Auth-Token; a page of this \
         server sends the cookie of a session. \
         Query parameters and fields of a body that an operation does not know are named in a Warning header under /v5 and /v3, and \
         refused under /rollcall/v1."
            .to_owned(),
    );
    info.license = Some(License::new("Apache-2.0"));
    document.info = info;
    let components = document.components.get_or_insert_with(Default::default);
    components.schemas.insert(ErrorBody::name().into_owned(), ErrorBody::schema());
    for (_, name, text) in ERRORS {
        let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
        let response = ResponseBuilder::new().description(text).content("application/json", body).build();
        components.responses.insert(name.to_owned(), response.into());
    }
    let header = |name: &str, text: &str| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, text)));
    components
        .add_security_scheme(SIGNATURE, header("Authorization", "SDK-HMAC-SHA256 or V11-HMAC-SHA256 over the request"));
    components.add_security_scheme(TOKEN, header("X-Auth-Token", "A token from POST /rollcall/v1/login"));
    let text = "A browser's session from POST /rollcall/v1/session. A change also needs X-Rollcall-Console: 1, and an Origin that is \
                this server's";
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description(COOKIE, text));
    components.add_security_scheme(SESSION, SecurityScheme::ApiKey(cookie));
    let may_be_empty = bodies_that_may_be_empty(&components.schemas);
    for (path, method, operation) in operations(&mut document.paths) {
        operation.operation_id = Some(operation_id(&method, path));
        if let Some(RefOr::T(body)) = &mut operation.request_body
            && body.content.values().any(|content| is_of(content, &may_be_empty))
        {
            body.required = Some(Required::False);
        }
    }
    document
}

/// Of method and path, such as `get_v5_iot_project_id_devices`: many handlers have the same name, which generators of clients
/// take for the same operation (OpenAPI 3.1, section 4.8.10: unique among all operations).
fn operation_id(method: &Method, path: &str) -> String {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let words = std::iter::once(method.as_str()).chain(segments).map(|word| word.trim_matches(['{', '}']));
    words.collect::<Vec<_>>().join("_").to_lowercase().replace('-', "_")
}

/// The schemas without a required field: an empty body is read as `{}` ([`Body`](crate::http::extract::Body)).
fn bodies_that_may_be_empty(schemas: &BTreeMap<String, RefOr<Schema>>) -> BTreeSet<String> {
    let may_be_empty = |schema: &RefOr<Schema>| match schema {
        RefOr::T(Schema::Object(object)) => object.required.is_empty(),
        RefOr::T(_) | RefOr::Ref(_) => false,
    };
    schemas.iter().filter(|(_, schema)| may_be_empty(schema)).map(|(name, _)| name.clone()).collect()
}

fn is_of(content: &RefOr<Content>, schemas: &BTreeSet<String>) -> bool {
    let RefOr::T(Content { schema: Some(RefOr::Ref(reference)), .. }) = content else { return false };
    reference.ref_location.rsplit('/').next().is_some_and(|name| schemas.contains(name))
}

/// Serves the document, and a page that shows it.
pub(super) fn pages<S: Clone + Send + Sync + 'static>(document: &Value) -> Router<S> {
    let json = Bytes::from(to_json(document));
    let document = move || std::future::ready(([(header::CONTENT_TYPE, "application/json")], json.clone()).into_response());
    let policy = policy_of(PAGE);
    let page = move || std::future::ready(([(header::CONTENT_SECURITY_POLICY, policy.clone())], Html(PAGE)));
    Router::new().route("/openapi.json", get(document)).route("/docs", get(page))
}

/// Lets a page run what it was written with, and ask this server.
fn policy_of(page: &str) -> String {
    let hash = |element: &str| {
        let (begin, end) = (format!("<{element}>"), format!("</{element}>"));
        let content = page.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end)).map_or("", |(content, _)| content);
        STANDARD.encode(Sha256::digest(content))
    };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    )
}
