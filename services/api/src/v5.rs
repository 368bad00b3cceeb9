//! The v5 API: one file for each kind of thing, named as the API reference names them.

pub(crate) mod certificates;
mod commands;
mod device_certificates;
pub(crate) mod devices;
mod messages;
pub(crate) mod policies;
pub(crate) mod products;
mod properties;
mod search;
mod shadow;
mod spaces;
mod tags;
pub(crate) mod templates;

use utoipa_axum::routes;

use crate::http::route::Routes;

/// Every operation of the v5 API that Rollcall offers.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(spaces::add, spaces::list))
        .routes(routes!(spaces::show, spaces::update, spaces::delete))
        .routes(routes!(products::create, products::list))
        .routes(routes!(products::show, products::update, products::delete))
        .routes(routes!(policies::create, policies::list))
        .routes(routes!(policies::show, policies::update, policies::delete))
        .routes(routes!(policies::targets::bind))
        .routes(routes!(policies::targets::unbind))
        .routes(routes!(policies::targets::list))
        .routes(routes!(templates::create, templates::list))
        .routes(routes!(templates::show, templates::update, templates::delete))
        .routes(routes!(certificates::add, certificates::list))
        .routes(routes!(certificates::show, certificates::update, certificates::delete))
        .routes(routes!(certificates::action::act))
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
        .routes(routes!(messages::create, messages::list))
        .routes(routes!(messages::show, messages::delete))
        .routes(routes!(commands::create))
        .routes(routes!(properties::list, properties::update))
        .routes(routes!(shadow::show, shadow::update, shadow::delete))
}
