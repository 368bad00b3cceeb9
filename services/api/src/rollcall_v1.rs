//! What operators need beside the v5 API, under `/rollcall/v1`: the fleet, who may come in, why somebody did not.
//!
//! One file for each kind of thing. Invariant: what is served without authentication is in [`open_routes`] and nowhere else.

mod access_keys;
mod attempts;
mod connectors;
mod debug;
mod declared;
mod devices;
mod events;
mod health;
mod history;
mod instances;
mod login;
mod me;
mod operators;
mod what_if;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::routes;

use crate::http::route::Routes;

/// Largest body of a request that anybody may send, bytes: a name and a password.
const OPEN_BODY_BYTES_MAX: usize = 16 * 1024;

/// Everything behind authentication.
pub(crate) fn guarded_routes() -> Routes {
    Routes::new()
        .routes(routes!(instances::add, instances::list))
        .routes(routes!(instances::show, instances::update, instances::delete))
        .routes(routes!(connectors::list))
        .routes(routes!(debug::ask))
        .routes(routes!(declared::spaces::put))
        .routes(routes!(declared::products::put))
        .routes(routes!(declared::policies::put))
        .routes(routes!(declared::templates::put))
        .routes(routes!(declared::certificates::put))
        .routes(routes!(what_if::ask))
        .routes(routes!(devices::find))
        .routes(routes!(devices::readmit))
        .routes(routes!(events::of_device))
        .routes(routes!(events::of_instance))
        .routes(routes!(attempts::list))
        .routes(routes!(attempts::show))
        .routes(routes!(attempts::replay))
        .routes(routes!(operators::create, operators::list))
        .routes(routes!(operators::show, operators::update, operators::delete))
        .routes(routes!(operators::set_password))
        .routes(routes!(access_keys::create, access_keys::list))
        .routes(routes!(access_keys::show, access_keys::delete))
        .routes(routes!(access_keys::enable))
        .routes(routes!(access_keys::disable))
        .routes(routes!(me::show))
        .routes(routes!(me::set_password))
}

/// What is served to whoever asks.
pub(crate) fn open_routes() -> Routes {
    Routes::new()
        .routes(routes!(login::log_in))
        .routes(routes!(login::obtain_token))
        .routes(routes!(health::show))
        .layer(DefaultBodyLimit::max(OPEN_BODY_BYTES_MAX))
}
