//! Runs each write at once, in its caller: nothing is left to the scheduling of threads.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::{
    error::BackboneError,
    local::{
        core::Shared,
        job::{self, Committer, Job},
    },
};

/// Commits in the caller, one at a time.
pub(crate) struct Inline {
    shared: Arc<Shared>,
    turn: Mutex<()>,
}

impl Inline {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
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
