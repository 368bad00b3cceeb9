//! What all connections share, read at each use: configuration, limits, instances, and whether the connector is stopping.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use rollcall_chassis::entropy::Entropy;
use rollcall_domain::refusal::Refusal;
use rollcall_log::repeats::Repeats;
use rollcall_projection::fleet::FleetSnapshot;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    instances::Instances,
    transport::{failure_lines::FailureLines, turns::Turns, unproven::Unproven},
};

/// Shared by all connections of one connector.
pub(crate) struct ConnectorContext {
    pub(crate) config: Arc<Config>,
    pub(crate) instances: Instances,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) turns: Turns,
    pub(crate) unproven: Arc<Unproven>,
    /// What has been said of load balancers that send no header.
    pub(crate) handshake_repeats: Repeats,
    /// Whether connections are accepted.
    pub(crate) accepting: AtomicBool,
    /// What has been said of clients whose handshakes fail.
    pub(crate) failure_lines: FailureLines,
    pub(crate) stopping: CancellationToken,
    started: Instant,
}

impl ConnectorContext {
    pub(crate) fn new(config: Arc<Config>, entropy: Arc<dyn Entropy>, fleet: watch::Receiver<Arc<FleetSnapshot>>) -> Self {
        Self {
            turns: Turns::new(config.limits.handshakes_max),
            unproven: Unproven::new(config.limits.unproven()),
            handshake_repeats: Repeats::default(),
            accepting: AtomicBool::new(false),
            instances: Instances::new(fleet),
            failure_lines: FailureLines::default(),
            stopping: CancellationToken::new(),
            started: Instant::now(),
            config,
            entropy,
        }
    }

    /// Milliseconds on the clock of the MQTT state machines.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The same clock's instant.
    pub(crate) fn instant(&self, now_ms: u64) -> Instant {
        self.started + Duration::from_millis(now_ms)
    }

    /// When a refused client should try again, seconds: spread out, so that a storm does not come back as one.
    pub(crate) fn retry_after_s(&self, refusal: &Refusal) -> Option<u32> {
        let again_helps = matches!(
            refusal,
            Refusal::RegistrationShed
                | Refusal::RegistrationTimedOut
                | Refusal::RegistryUnavailable
                | Refusal::NotReady
                | Refusal::ShuttingDown
        );
        let base = self.config.limits.retry_after_s;
        let spread = |base: u32| base.saturating_add((self.entropy.uuid_v4().as_u128() % (u128::from(base) + 1)) as u32);
        again_helps.then(|| spread(base))
    }
}
