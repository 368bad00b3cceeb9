//! The router: every operation behind its middleware.
//!
//! The registration of an operation is its entry in the OpenAPI document too, so that neither can miss one. Invariant: everything
//! but the document, the console and the operations that are registered as open is behind authentication.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
};
use serde_json::Value;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;

use super::{
    middleware, openapi,
    parameters::{self, ParameterRules},
    request_body,
    route::Routes,
    unknown,
};
use crate::{console, rollcall_v1, security::authenticate::authenticate, state::Api, v5};

fn routes() -> Routes {
    Routes::new().merge(v5::routes()).merge(rollcall_v1::routes())
}

/// The OpenAPI document as JSON text: the same at each call.
#[must_use]
pub fn openapi_json() -> String {
    let Routes { guarded, open, .. } = routes();
    openapi::to_json(&document(guarded.into_openapi(), open.into_openapi()))
}

fn document(guarded: OpenApi, mut open: OpenApi) -> Value {
    open.merge(guarded);
    openapi::to_value(openapi::finished(open))
}

/// The whole service.
pub(crate) fn router(api: &Arc<Api>) -> Router {
    let Routes { guarded, open, roles, .. } = routes();
    let (guarded, guarded_document) = guarded.split_for_parts();
    let (open, open_document) = open.split_for_parts();
    let document = document(guarded_document, open_document);
    let rules = ParameterRules::of(&document).expect("every parameter of the document is of a form that is known");
    let rules = Arc::new(rules);
    let guarded = guarded.route_layer(from_fn_with_state(Arc::clone(&rules), parameters::check));
    let guarded = guarded.route_layer(from_fn_with_state((Arc::clone(api), Arc::new(roles)), authenticate));
    let open = open.route_layer(from_fn_with_state(rules, parameters::check));
    let open = open.route_layer(from_fn_with_state(Arc::clone(api), request_body::read_open));
    Router::new()
        .merge(guarded.route_layer(from_fn(unknown::warn)))
        .merge(open.route_layer(from_fn(unknown::warn)))
        .merge(openapi::pages(&document))
        .merge(console::routes(api.config.console_dir.clone()))
        .method_not_allowed_fallback(middleware::no_such_method)
        .fallback(middleware::no_such_operation)
        // Bodies are read under limits of our own before an operation sees them.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(middleware::well_formed))
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(from_fn_with_state(Arc::clone(api), middleware::observe))
        .with_state(Arc::clone(api))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_the_document_is_that_of_one_schema() {
        assert_eq!(routes().conflicts, [].into());
    }

    #[test]
    fn no_two_operations_have_one_id() {
        let document: Value = serde_json::from_str(&openapi_json()).unwrap();
        let paths = document["paths"].as_object().unwrap().values();
        let ids: Vec<_> =
            paths.flat_map(|path| path.as_object().unwrap().values()).filter_map(|of| of.get("operationId")).collect();
        let different: std::collections::HashSet<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
        assert_eq!(different.len(), ids.len(), "{ids:?}");
    }

    #[test]
    fn every_parameter_of_the_document_is_understood() {
        assert!(!ParameterRules::of(&serde_json::from_str(&openapi_json()).unwrap()).unwrap().is_empty());
    }
}
