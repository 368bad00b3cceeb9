//! Every route, with what stands round it.
//!
//! The list of routes is the OpenAPI document too, so that neither can miss an operation. Invariant: everything but the
//! document, the login and the health page is behind authentication.

use std::sync::Arc;

use axum::{Router, middleware::from_fn_with_state};
use serde_json::Value;
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    middleware, openapi,
    parameters::{self, ParameterRules},
    route::Routes,
};
use crate::{rollcall_v1, security::authenticate::authenticate, state::Api, v5};

/// Everything behind authentication.
fn guarded() -> Routes {
    Routes::new().merge(v5::routes()).merge(rollcall_v1::guarded_routes())
}

/// The OpenAPI document as JSON text: the same at each call.
#[must_use]
pub fn openapi_json() -> String {
    openapi::to_json(&document())
}

fn document() -> Value {
    let (_, guarded) = guarded().split_for_parts();
    let (_, mut open) = rollcall_v1::open_routes().split_for_parts();
    open.merge(guarded);
    serde_json::to_value(openapi::finished(open)).expect("a document of texts, numbers and maps is JSON")
}

/// The whole service.
pub(crate) fn router(api: &Arc<Api>) -> Router {
    let document = document();
    let rules = ParameterRules::of(&document).expect("every parameter of the document is of a form that is known");
    let (guarded, _) = guarded().split_for_parts();
    let (open, _) = rollcall_v1::open_routes().split_for_parts();
    let guarded = guarded.route_layer(from_fn_with_state(Arc::new(rules), parameters::check));
    let guarded = guarded.route_layer(from_fn_with_state(Arc::clone(api), authenticate));
    Router::new()
        .merge(guarded)
        .merge(open)
        .merge(openapi::pages(&document))
        .method_not_allowed_fallback(middleware::no_such_method)
        .fallback(middleware::no_such_operation)
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(from_fn_with_state(Arc::clone(api), middleware::observe))
        .with_state(Arc::clone(api))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_of_the_document_is_understood() {
        assert!(!ParameterRules::of(&document()).unwrap().is_empty());
    }
}
