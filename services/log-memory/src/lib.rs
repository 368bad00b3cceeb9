//! The log in memory, with faults: for tests, and for simulations in which one seed gives one history. Nothing that is
//! shipped names it.
//!
//! ```
//! # use rollcall_log_memory::{MemoryConfig, new};
//! let backbone = new(MemoryConfig::seeded(7));
//! ```
//!
//! The same rules as the embedded log, on the same code, without a disk. It draws no time and no randomness of its
//! own: the clock is given, ids and faults come from the seed, leases and delays are `tokio::time`'s (pause it, and a
//! current-thread runtime repeats itself). What it holds is gone with it.
//!
//! With faults, use [`with_control`]: a simulation clears the faults before it checks that everything arrived. What happens to one
//! process and not to the others (it loses sight of the log, it dies) is [`link`]'s.

mod fault_injection;
mod faulty;
pub mod link;

use std::sync::Arc;

use rollcall_log::{
    Backbone,
    limits::{Limits, NewId, NowMs},
};
use rollcall_log_embedded::in_memory;

use self::fault_injection::FaultInjection;
pub use self::fault_injection::{Control, Faults, SplitMix};

/// What the backbone in memory is given.
#[derive(Clone)]
pub struct MemoryConfig {
    /// One seed gives one history of faults and ids.
    pub seed: u64,
    /// What goes wrong, and how often. None by default.
    pub faults: Faults,
    /// The clock: retention and the times of messages. Stands at 0 by default.
    pub now_ms: NowMs,
    /// Leases and bounds.
    pub limits: Limits,
}

impl MemoryConfig {
    /// Without faults, with the default limits.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, faults: Faults::default(), now_ms: Arc::new(|| 0), limits: Limits::default() }
    }
}

/// Makes an empty backbone.
pub fn new(config: MemoryConfig) -> Backbone {
    with_control(config).0
}

/// Makes an empty backbone, and the switch of its faults.
pub fn with_control(config: MemoryConfig) -> (Backbone, Control) {
    let injection = Arc::new(FaultInjection::new(config.seed, config.faults));
    let control = Control(Arc::clone(&injection));
    let (backbone, redelivery) = in_memory::open(config.limits, config.now_ms, new_ids(config.seed));
    (faulty::wrap(backbone, redelivery, &injection), control)
}

fn new_ids(seed: u64) -> NewId {
    let ids = std::sync::Mutex::new(SplitMix::new(seed ^ 0x1d5));
    Arc::new(move || {
        let mut ids = ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (high, low) = (ids.next_u64(), ids.next_u64());
        uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes()).into_uuid()
    })
}
