//! Every route, with what stands round it.
//!
//! The list of routes is the OpenAPI document too, so that neither can miss an operation. Invariant: everything but the
//! document, the login and the health page is behind authentication.

use std::sync::Arc;

use axum::Router;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    http::{middleware, openapi, parameters},
    rollcall_v1,
    security::authenticate,
    state::Api,
    v5,
};

/// The routes and their document.
pub(crate) type Routes = OpenApiRouter<Arc<Api>>;

/// Everything behind authentication.
fn guarded() -> Routes {
    Routes::new().merge(v5::routes()).merge(rollcall_v1::guarded_routes())
}

/// The document of every operation.
pub(crate) fn document() -> OpenApi {
    let (_, guarded) = guarded().split_for_parts();
    let (_, mut open) = rollcall_v1::open_routes().split_for_parts();
    open.merge(guarded);
    openapi::finished(open)
}

/// The whole service.
pub(crate) fn router(api: &Arc<Api>) -> Router {
    let (guarded, _) = guarded().split_for_parts();
    let (open, _) = rollcall_v1::open_routes().split_for_parts();
    let guarded = guarded.route_layer(axum::middleware::from_fn(parameters::check));
    let guarded = guarded.route_layer(axum::middleware::from_fn_with_state(Arc::clone(api), authenticate::authenticate));
    Router::new()
        .merge(guarded)
        .merge(open)
        .merge(openapi::pages())
        .method_not_allowed_fallback(middleware::no_such_method)
        .fallback(middleware::no_such_operation)
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(api), middleware::observe))
        .with_state(Arc::clone(api))
}
