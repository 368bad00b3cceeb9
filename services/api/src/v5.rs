//! The v5 API: one file for each kind of thing, named as the API reference names them.

mod device_certificates;
pub(crate) mod devices;
mod search;
mod spaces;
mod tags;

use utoipa_axum::routes;

use crate::router::Routes;

/// Every operation of the v5 API that Rollcall offers.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(devices::add, devices::list::list))
        .routes(routes!(devices::show, devices::update, devices::delete))
        .routes(routes!(devices::freeze))
        .routes(routes!(devices::unfreeze))
        .routes(routes!(devices::fingerprint::reset))
        .routes(routes!(device_certificates::list))
        .routes(routes!(device_certificates::show, device_certificates::update, device_certificates::delete))
        .routes(routes!(device_certificates::list_device))
        .routes(routes!(search::search))
        .routes(routes!(tags::bind))
        .routes(routes!(tags::unbind))
        .routes(routes!(tags::query))
        .routes(routes!(spaces::add, spaces::list))
        .routes(routes!(spaces::show, spaces::update, spaces::delete))
}
