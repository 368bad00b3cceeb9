//! The OpenAPI document: made of the routes, committed, served, and shown on a page.
//!
//! Not for what an operation does. Invariant: an operation that exists is in it, with the role that it needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use axum::{
    Router,
    http::{Method, header},
    response::{Html, IntoResponse},
    routing::get,
};
use serde_json::Value;
use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{
        Content, ContentBuilder, Info, License, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
        extensions::ExtensionsBuilder,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    http::{error::ErrorBody, router},
    security::permission,
};

/// What every operation may answer beside what it is for: status, name in the document, when.
const ERRORS: [(&str, &str, &str); 7] = [
    ("400", "BadRequest", "Something in the request is wrong; the text names it"),
    ("401", "Unauthorized", "Not authenticated"),
    ("403", "Forbidden", "Not permitted, or too many requests, or a resource space that does not exist"),
    ("404", "NotFound", "Something that the request names does not exist"),
    ("405", "MethodNotAllowed", "The path has no such method"),
    ("409", "Conflict", "It contradicts what exists"),
    ("503", "ServiceUnavailable", "It cannot be done at the moment; try again"),
];

/// The errors, for what an operation declares.
pub(crate) struct Errors;

impl IntoResponses for Errors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let named = |(status, name, _): (&str, &str, &str)| (status.to_owned(), Ref::from_response_name(name).into());
        ERRORS.into_iter().map(named).collect()
    }
}

/// The document as JSON text, the same for everybody.
pub fn json() -> &'static str {
    static JSON: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", value()));
    &JSON
}

/// The document.
pub(crate) fn value() -> &'static Value {
    static VALUE: LazyLock<Value> =
        LazyLock::new(|| serde_json::to_value(router::document()).expect("a document of texts, numbers and maps is JSON"));
    &VALUE
}

/// The name that a key goes by in the document.
const SIGNATURE: &str = "signature";
/// The name that a token goes by in the document.
const TOKEN: &str = "token";

/// Adds what the routes do not say: what this is, how to authenticate, which role each operation needs.
pub(crate) fn finished(mut document: OpenApi) -> OpenApi {
    let mut info = Info::new("Rollcall", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "The part of the IoTDA v5 API that self-registration lives in, and under /rollcall/v1 what operators need beside it. \
         Requests are signed with an access key (SDK-HMAC-SHA256 or V11-HMAC-SHA256), or carry a token in X-Auth-Token."
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
    let may_be_empty = bodies_that_may_be_empty(&components.schemas);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            if let Some(RefOr::T(body)) = &mut operation.request_body
                && body.content.values().any(|content| is_of(content, &may_be_empty))
            {
                body.required = Some(Required::False);
            }
            if is_open(path) {
                operation.security = Some(Vec::new());
                continue;
            }
            let none: [&str; 0] = [];
            operation.security =
                Some(vec![SecurityRequirement::new(TOKEN, none), SecurityRequirement::new(SIGNATURE, none)]);
            let role = permission::needed(&method, path).name();
            operation.extensions = Some(ExtensionsBuilder::new().add("x-rollcall-role", role).build());
        }
    }
    document
}

/// The schemas that `{}` is of: no body is read as that ([`Body`](crate::http::extract::Body)).
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

/// Whether a path is served to whoever asks.
fn is_open(path: &str) -> bool {
    ["/rollcall/v1/login", "/v3/auth/tokens", "/rollcall/v1/health"].contains(&path)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::DELETE, &mut item.delete),
        (Method::PATCH, &mut item.patch),
    ];
    all.into_iter().filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// The document and the page that shows it.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let document = || async { ([(header::CONTENT_TYPE, "application/json")], json()).into_response() };
    Router::new()
        .route("/openapi.json", get(document))
        .route("/docs", get(|| async { Html(include_str!("openapi/page.html")) }))
}
