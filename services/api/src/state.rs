//! What every request works with: the process's parts, put together once by [`run`](crate::run()).

use std::sync::Arc;

use rollcall_backbone::Backbone;
use rollcall_chassis::{clock::Clock, entropy::Entropy};
use rollcall_domain::time::Timestamp;
use rollcall_projection::fleet::FleetSnapshot;
use tokio::sync::{Semaphore, watch};

use crate::{
    change_client::ChangeClient,
    config::Config,
    http::paging::time_ordered_id,
    instances::Instances,
    security::{access::Access, rate_limit::RateLimit},
    writable::Writable,
};

/// Dry runs of templates that a process works on at a time.
pub(crate) const DRY_RUNS_MAX: usize = 2;

/// See the file.
pub(crate) struct Api {
    /// As configured.
    pub(crate) config: Arc<Config>,
    /// Log, queue, attempts, messages, presence, documents.
    pub(crate) backbone: Backbone,
    /// The fleet as it is folded.
    pub(crate) fleet: watch::Receiver<Arc<FleetSnapshot>>,
    /// The time of day.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Who may come in.
    pub(crate) access: Access,
    /// How fast each operator searches.
    pub(crate) search_rate: RateLimit,
    /// A permit for each dry run of a template under way.
    pub(crate) dry_runs: Semaphore,
    /// The instances that are served.
    pub(crate) instances: Instances,
    /// Why logs cannot be written, if they cannot.
    pub(crate) writable: Writable,
    /// The way to the registrar for what concerns the fleet.
    pub(crate) fleet_changes: ChangeClient,
}

impl Api {
    /// The fleet at its latest known position.
    pub(crate) fn fleet(&self) -> Arc<FleetSnapshot> {
        Arc::clone(&self.fleet.borrow())
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.clock.unix_ms())
    }

    /// An id of 24 hex digits that rises with time and that nobody can guess.
    pub(crate) fn new_id(&self) -> String {
        let random = self.entropy.uuid_v4();
        time_ordered_id(self.now(), random.as_bytes().last_chunk::<6>().copied().unwrap_or_default())
    }
}
