//! What operators need beside the v5 API, under `/rollcall/v1`: the fleet, who may come in, why somebody did not.
//!
//! One file for each kind of thing. Invariant: what is served without authentication is in [`open_routes`] and nowhere else.

use crate::router::Routes;

/// Everything behind authentication.
pub(crate) fn guarded_routes() -> Routes {
    Routes::new()
}

/// What is served to whoever asks.
pub(crate) fn open_routes() -> Routes {
    Routes::new()
}
