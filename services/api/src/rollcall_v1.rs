//! What operators need beside the v5 API, under `/rollcall/v1`: the fleet, operators and access keys, why a device was refused.
//!
//! One file for each kind of thing.

mod access_keys;
mod activity;
mod attempts;
mod codes;
mod connectors;
mod debug;
mod declared;
mod device_list;
mod device_policies;
mod devices;
mod distrusted_cas;
mod events;
mod health;
mod history;
mod impact;
mod inspection;
mod instances;
mod live;
mod log_status;
mod login;
mod me;
mod operators;
mod overview;
mod preview;
pub(crate) mod retired_certificates;
mod session;
mod stream;
mod uplinks;
mod what_if;

use crate::http::route::Routes;

/// Every operation beside the v5 API.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .merge(access_keys::routes())
        .merge(activity::routes())
        .merge(attempts::routes())
        .merge(codes::routes())
        .merge(connectors::routes())
        .merge(debug::routes())
        .merge(declared::certificates::routes())
        .merge(declared::policies::routes())
        .merge(declared::products::routes())
        .merge(declared::spaces::routes())
        .merge(declared::templates::routes())
        .merge(device_list::routes())
        .merge(device_policies::routes())
        .merge(devices::routes())
        .merge(distrusted_cas::routes())
        .merge(events::routes())
        .merge(health::routes())
        .merge(impact::routes())
        .merge(inspection::routes())
        .merge(instances::routes())
        .merge(login::routes())
        .merge(me::routes())
        .merge(operators::routes())
        .merge(overview::routes())
        .merge(preview::routes())
        .merge(retired_certificates::routes())
        .merge(session::routes())
        .merge(stream::routes())
        .merge(uplinks::routes())
        .merge(what_if::routes())
}
