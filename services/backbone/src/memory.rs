//! The backbone in memory, with faults: for tests, and for simulations in which one seed gives one history.
//!
//! ```
//! # use rollcall_backbone::memory::{self, MemoryConfig};
//! let backbone = memory::new(MemoryConfig::seeded(7));
//! ```
//!
//! The same rules as the embedded backbone, on the same code, without a disk. It draws no time and no randomness of its
//! own: the clock is given, ids and faults come from the seed, leases and delays are `tokio::time`'s (pause it, and a
//! current-thread runtime repeats itself). What it holds is gone with it.
//!
//! With faults, use [`with_control`]: a simulation heals the backbone before it checks that everything arrived.

mod dice;
mod faulty;
mod inline;

use std::sync::Arc;

use redb::{Database, backends::InMemoryBackend};

use self::dice::Dice;
pub use self::dice::{Control, Faults, SplitMix};
use crate::{
    Backbone,
    limits::{Limits, NewId, NowMs},
    local::{
        core::{self, Core, Shared},
        store::Store,
    },
};

/// Memory for pages beyond those of the database itself, bytes.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

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
    let dice = Arc::new(Dice::new(config.seed, config.faults));
    let control = Control(Arc::clone(&dice));
    let parts = core::parts(&core(&config));
    (faulty::wrap(parts, &dice), control)
}

fn core(config: &MemoryConfig) -> Arc<Core> {
    let database = Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(InMemoryBackend::new());
    let database = database.expect("memory does not fail to be opened");
    let store = Arc::new(Store::new(database, "the log in memory".to_owned(), None));
    let shared = Shared::load(store, config.limits, Arc::clone(&config.now_ms));
    let shared = Arc::new(shared.expect("an empty store has nothing to be damaged"));
    Core::new(Box::new(inline::Inline::new(Arc::clone(&shared))), shared, new_ids(config.seed))
}

fn new_ids(seed: u64) -> NewId {
    let ids = std::sync::Mutex::new(SplitMix::new(seed ^ 0x1d5));
    Arc::new(move || {
        let mut ids = ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (high, low) = (ids.next_u64(), ids.next_u64());
        uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes()).into_uuid()
    })
}
