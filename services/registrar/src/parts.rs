//! What a registrar is put together from.

use std::sync::Arc;

use rollcall_chassis::{clock::Clock, entropy::Entropy};
use rollcall_log::{Backbone, signing::SigningKey};
use rollcall_projection::{admission::Store, fleet::FleetSnapshot};
use tokio::sync::watch;

/// What a registrar works with.
#[derive(Clone)]
pub struct Parts {
    /// Logs, queues, attempts.
    pub backbone: Backbone,
    /// The process's views.
    pub store: Store,
    /// The fleet as it is folded: [`rollcall_projection::fleet::follow`].
    pub fleet: watch::Receiver<Arc<FleetSnapshot>>,
    /// Seals what is appended, and signs announcements: the same for all registrars of a fleet.
    pub key: Arc<SigningKey>,
    /// The time of decisions.
    pub clock: Arc<dyn Clock>,
    /// Record ids, verification codes and incarnations of instances.
    pub entropy: Arc<dyn Entropy>,
}
