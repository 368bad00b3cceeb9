//! How this process's view of a log stands: the same of the fleet's and of every instance's.

use rollcall_projection::{admission::ViewStatus, freshness::Seen, readiness::unready};
use serde::Serialize;
use utoipa::ToSchema;

/// How this process's view of a log stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogStatus {
    /// How far the log has been read.
    position: u64,
    /// The log's digest at that position, in hexadecimal: two views at one position have one digest.
    digest: String,
    /// Whether all of it has been read.
    caught_up: bool,
    /// How long ago a registrar has confirmed what this process knows, milliseconds; absent if it cannot know.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    /// Why what this process knows is not to be relied upon; absent if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    unready: Option<String>,
    /// Why nothing can be changed; absent if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    unwritable: Option<String>,
}

impl LogStatus {
    /// What is shown of a view that stands so and was confirmed so.
    pub(crate) fn of(view: &ViewStatus, seen: &Seen, unwritable: Option<String>) -> Self {
        Self {
            position: view.position.0,
            digest: hex::encode(view.digest),
            caught_up: view.caught_up,
            age_ms: seen.age_ms(),
            unready: unready(view, seen).map(|unready| unready.to_string()),
            unwritable,
        }
    }
}
