//! The embedded log without a disk: what it holds is gone with it.
//!
//! Runs each write at once, in its caller: nothing is left to the scheduling of threads, so that a simulation repeats
//! itself. For `log-memory`, which puts faults round it; nothing that is shipped opens it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use redb::{Database, backends::InMemoryBackend};
use rollcall_domain::ids::LogId;
use rollcall_log::{
    Backbone, BackboneError,
    limits::{Limits, NewId, NowMs},
    requests::Receipt,
};

use crate::engine::{
    core::Core,
    job::{self, Committer, Job},
    parts::parts,
    requests::LocalRequests,
    shared::Shared,
    store::Store,
};

/// Memory for pages beyond those of the database itself, bytes.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// Ends leases early, which no caller of the traits can: a fault that a simulation injects.
#[derive(Clone)]
pub struct Redelivery(Arc<LocalRequests>);

impl Redelivery {
    /// Makes a delivery come again although its lease has not run out.
    pub fn hand_out_again(&self, log: &LogId, receipt: &Receipt) {
        self.0.hand_out_again(log, receipt);
    }
}

/// Opens an empty log.
pub fn open(limits: Limits, now_ms: NowMs, new_id: NewId) -> (Backbone, Redelivery) {
    let database = Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(InMemoryBackend::new());
    let database = database.expect("memory does not fail to be opened");
    let store = Arc::new(Store::new(database, "the log in memory".to_owned(), None));
    let shared = Shared::load(store, limits, now_ms);
    let shared = Arc::new(shared.expect("an empty store has nothing to be damaged"));
    let parts = parts(&Core::new(Box::new(Inline::new(Arc::clone(&shared))), shared, new_id));
    let redelivery = Redelivery(Arc::clone(&parts.requests));
    (parts.into(), redelivery)
}

/// Commits in the caller, one at a time.
struct Inline {
    shared: Arc<Shared>,
    turn: Mutex<()>,
}

impl Inline {
    fn new(shared: Arc<Shared>) -> Self {
        Self { shared, turn: Mutex::default() }
    }
}

#[async_trait]
impl Committer for Inline {
    async fn submit(&self, job: Box<dyn Job>) -> Result<(), BackboneError> {
        // Effects of one commit come before those of the next, as they do with a writer's thread.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        job::commit(&self.shared, vec![job]);
        Ok(())
    }

    fn stop(&mut self) {}
}
