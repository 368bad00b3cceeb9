//! Which commands of one log are proven: those that an API with one of the configured keys has signed for this log.
//!
//! What a proof binds is the backbone's ([`rollcall_log::proof`]). Invariant: without keys nothing is proven; and
//! however many forgeries come, they leave a count each and a log line now and then.

use std::sync::Arc;

use bytes::Bytes;
use rollcall_chassis::clock::Clock;
use rollcall_domain::{
    ids::{LogId, RequestId},
    time::Timestamp,
};
use rollcall_log::{
    proof::{Bound, Unproven, incarnation, verify},
    repeats::Repeats,
    signing::PublicKey,
};
use rollcall_projection::fleet::FleetSnapshot;
use tokio::sync::watch;

use crate::{config::Config, metrics::metrics, parts::Parts};

pub(crate) struct Proofs {
    log: LogId,
    keys: Vec<PublicKey>,
    fleet: watch::Receiver<Arc<FleetSnapshot>>,
    clock: Arc<dyn Clock>,
    told: Repeats,
}

impl Proofs {
    pub(crate) fn new(log: LogId, config: &Config, parts: &Parts) -> Self {
        let (fleet, clock) = (parts.fleet.clone(), Arc::clone(&parts.clock));
        Self { log, keys: config.command_keys.clone(), fleet, clock, told: Repeats::default() }
    }

    /// The command behind a good proof.
    pub(crate) fn verify(&self, request: &RequestId, queued: &Bytes) -> Result<Bytes, Unproven> {
        let incarnation = incarnation(&self.fleet.borrow().fleet, &self.log);
        let bound = Bound { log: &self.log, incarnation, request };
        let proven = verify(&self.keys, bound, queued, Timestamp::from_unix_ms(self.clock.unix_ms()));
        if let Err(unproven) = &proven {
            self.refused(request, unproven);
        }
        proven
    }

    fn refused(&self, request: &RequestId, unproven: &Unproven) {
        metrics().unproven(unproven);
        // By its kind: texts say how many seconds too old a proof is.
        if let Some(left_out) = self.told.failed(unproven.name()) {
            let log = &self.log;
            tracing::warn!(%log, %request, reason = %unproven, left_out, "commands without a good proof are refused; this is the last of them");
        }
    }
}
