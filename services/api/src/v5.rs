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
mod services;
mod shadow;
mod spaces;
mod tags;
pub(crate) mod templates;

use crate::http::route::Routes;

/// Every operation of the v5 API that Rollcall offers.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .merge(certificates::routes())
        .merge(certificates::action::routes())
        .merge(certificates::deletion::routes())
        .merge(commands::routes())
        .merge(device_certificates::routes())
        .merge(devices::routes())
        .merge(devices::fingerprint::routes())
        .merge(devices::list::routes())
        .merge(messages::routes())
        .merge(policies::routes())
        .merge(policies::targets::routes())
        .merge(products::routes())
        .merge(properties::routes())
        .merge(search::routes())
        .merge(shadow::routes())
        .merge(spaces::routes())
        .merge(tags::routes())
        .merge(templates::routes())
}
