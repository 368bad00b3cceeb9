//! What every request works with: the process's parts, put together once by [`run`](crate::run()).

use std::sync::Arc;

use rollcall_chassis::{clock::Clock, entropy::Entropy, rate_limit::RateLimit, sources::SharedBound};
use rollcall_domain::{fleet::OperatorName, ids::LogId, time::Timestamp};
use rollcall_log::Backbone;
use rollcall_projection::{
    fleet::FleetSnapshot,
    freshness::{Freshness, Seen},
    readiness::{Unready, unready},
};
use tokio::sync::{Semaphore, watch};

use crate::{
    change_client::ChangeClient,
    config::Config,
    http::paging::time_ordered_id,
    instances::Instances,
    security::{access::Access, sessions::Sessions},
    streams::Streams,
    writable::Writable,
};

/// Dry runs of templates that a process works on at a time.
pub(crate) const DRY_RUNS_MAX: usize = 2;

pub(crate) struct Api {
    pub(crate) config: Arc<Config>,
    pub(crate) backbone: Backbone,
    pub(crate) fleet: watch::Receiver<Arc<FleetSnapshot>>,
    pub(crate) freshness: Freshness,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) access: Access,
    /// The sessions of signed-in browsers.
    pub(crate) sessions: Sessions,
    /// Bytes of bodies of which nobody knows yet who sends them.
    pub(crate) unproven_bodies: Arc<SharedBound>,
    /// SQL searches and lists as CSV, by operator.
    pub(crate) search_rate: RateLimit<OperatorName>,
    /// Streams of events that are being served.
    pub(crate) streams: Streams,
    /// A permit for each dry run of a template under way.
    pub(crate) dry_runs: Semaphore,
    pub(crate) instances: Instances,
    /// Why logs cannot be written, if they cannot.
    pub(crate) writable: Writable,
    /// Submits changes of the fleet.
    pub(crate) fleet_changes: ChangeClient,
}

impl Api {
    /// The fleet at its latest known position.
    pub(crate) fn fleet(&self) -> Arc<FleetSnapshot> {
        Arc::clone(&self.fleet.borrow())
    }

    /// How old what is known of the fleet is, and whether it agrees with registrars'.
    pub(crate) fn fleet_seen(&self) -> Seen {
        self.freshness.of_log(&LogId::Fleet)
    }

    /// Why what is known of the fleet is not to be relied upon.
    pub(crate) fn fleet_unready(&self) -> Option<Unready> {
        unready(&self.fleet().status(), &self.fleet_seen())
    }

    /// Why nothing can be changed.
    pub(crate) fn unwritable(&self) -> Option<String> {
        self.writable.borrow().as_deref().map(str::to_owned)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.clock.unix_ms())
    }

    /// An id of 24 hex digits that rises with time and cannot be guessed.
    pub(crate) fn new_id(&self) -> String {
        let random = self.entropy.uuid_v4();
        time_ordered_id(self.now(), random.as_bytes().last_chunk::<6>().copied().unwrap_or_default())
    }
}
