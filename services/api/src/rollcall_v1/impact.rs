//! What would stop working if something were deleted, asked beforehand.
//!
//! Whether the registrar would delete it at all is its own ruling, not a guess. Invariants: nothing is changed; what is out of the
//! caller's scope is neither named nor counted.

mod certificate;
mod deletion;
mod devices_below;

use crate::http::route::Routes;

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().merge(certificate::routes()).merge(deletion::routes())
}
