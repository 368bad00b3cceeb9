//! Which commands of one log are proven: those that an API with one of the configured keys has signed for this log.
//!
//! What a proof binds is the backbone's ([`rollcall_backbone::proof`]). Invariant: without keys nothing is proven; and
//! however many forgeries come, they leave a count each and a log line a minute.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rollcall_backbone::{
    proof::{Bound, Unproven, incarnation, verify},
    signing::PublicKey,
};
use rollcall_chassis::clock::Clock;
use rollcall_domain::{
    ids::{LogId, RequestId},
    time::Timestamp,
};
use rollcall_projection::fleet::FleetSnapshot;
use tokio::{sync::watch, time::Instant};

use crate::{config::Config, metrics::metrics, run::Parts};

/// How long a log line about refused proofs of one log keeps others from being written.
const SAID_AGAIN: Duration = Duration::from_secs(60);

/// See the file.
pub(crate) struct Proofs {
    log: LogId,
    keys: Vec<PublicKey>,
    fleet: watch::Receiver<Arc<FleetSnapshot>>,
    clock: Arc<dyn Clock>,
    said: Option<Instant>,
    /// Refusals since the last line.
    unsaid: u64,
}

impl Proofs {
    pub(crate) fn new(log: LogId, config: &Config, parts: &Parts) -> Self {
        let (fleet, clock) = (parts.fleet.clone(), Arc::clone(&parts.clock));
        Self { log, keys: config.command_keys.clone(), fleet, clock, said: None, unsaid: 0 }
    }

    /// The command behind a good proof.
    pub(crate) fn verify(&mut self, request: &RequestId, queued: &Bytes) -> Result<Bytes, Unproven> {
        let incarnation = incarnation(&self.fleet.borrow().fleet, &self.log);
        let bound = Bound { log: &self.log, incarnation, request };
        let proven = verify(&self.keys, bound, queued, Timestamp::from_unix_ms(self.clock.unix_ms()));
        if let Err(unproven) = &proven {
            self.refused(request, unproven);
        }
        proven
    }

    fn refused(&mut self, request: &RequestId, unproven: &Unproven) {
        metrics().unproven(unproven);
        self.unsaid += 1;
        if self.said.is_some_and(|said| said.elapsed() < SAID_AGAIN) {
            return;
        }
        let (log, refused) = (&self.log, self.unsaid);
        tracing::warn!(%log, %request, reason = %unproven, refused, "commands without a good proof are refused; this is the last of them");
        (self.said, self.unsaid) = (Some(Instant::now()), 0);
    }
}
