//! The v5 API: one file for each kind of thing, named as the API reference names them.

mod commands;
mod messages;
mod properties;
pub(crate) mod shadow;
mod spaces;

use utoipa_axum::routes;

use crate::{call::Call, router::Routes};

/// Every operation of the v5 API that Rollcall offers.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(spaces::add, spaces::list))
        .routes(routes!(spaces::show, spaces::update, spaces::delete))
        .routes(routes!(messages::create, messages::list))
        .routes(routes!(messages::show, messages::delete))
        .routes(routes!(commands::create))
        .routes(routes!(properties::list, properties::update))
        .routes(routes!(shadow::show, shadow::update, shadow::delete))
}

/// The id of something that a device is to be sent: the same whenever the same request comes with the same
/// `Idempotency-Key`.
fn request_id(call: &Call) -> String {
    match call.repeatable().and_then(|hash| hash.first_chunk::<16>().copied()) {
        Some(start) => hex::encode(start),
        None => call.api.entropy.uuid_v4().to_string(),
    }
}
