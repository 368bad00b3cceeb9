//! Whether a view knows enough to admit or refuse by.

use rollcall_domain::ids::Position;
use rollcall_projection::admission::{ViewHealth, ViewStatus};

/// Whether devices may be accepted and refused by a view. One that is still reading for the first time knows too few
/// devices; one that has lost the log, or stands before an unreadable record, knows what was true, and goes on
/// admitting by that.
pub(crate) fn view_ready(status: &ViewStatus) -> bool {
    let known_something = status.position > Position::START;
    match status.health {
        ViewHealth::Following => status.caught_up,
        ViewHealth::Stale { .. } | ViewHealth::Parked { .. } | ViewHealth::Unproven { .. } => {
            status.caught_up || known_something
        }
        ViewHealth::Ended => false,
    }
}
