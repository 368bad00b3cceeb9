//! One write that waits for its transaction, and the transaction that several of them share.
//!
//! Invariant: a job is answered once, after the commit that holds it has been synced, or with the reason why not.

use rollcall_log::BackboneError;
use tokio::sync::oneshot;

use super::{
    batch::{Batch, Effect},
    shared::Shared,
    store::StoreError,
};

/// A write of any kind.
pub(crate) trait Job: Send {
    /// Writes into the transaction. An error is the transaction's: a refusal of this job alone is kept for its answer.
    fn apply(&mut self, batch: &mut Batch<'_>) -> Result<(), StoreError>;

    /// Tells the caller how it went.
    fn answer(self: Box<Self>, committed: Result<(), BackboneError>);
}

/// Runs jobs: in a thread of their own, or in the caller.
#[async_trait::async_trait]
pub(crate) trait Committer: Send + Sync {
    /// Takes a job in; it is answered later.
    async fn submit(&self, job: Box<dyn Job>) -> Result<(), BackboneError>;

    /// Runs what was taken in, then no more.
    fn stop(&mut self);
}

/// A job made of a closure, with the channel of its answer.
pub(crate) struct Write<T, E, F> {
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Write<T, E, F>
where
    F: FnOnce(&mut Batch<'_>) -> Result<Result<T, E>, StoreError>,
{
    pub(crate) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Self { work: Some(work), outcome: None, reply }, answer)
    }
}

impl<T, E, F> Job for Write<T, E, F>
where
    T: Send,
    E: From<BackboneError> + Send,
    F: FnOnce(&mut Batch<'_>) -> Result<Result<T, E>, StoreError> + Send,
{
    fn apply(&mut self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        if let Some(work) = self.work.take() {
            self.outcome = Some(work(batch)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), BackboneError>) {
        let outcome = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(BackboneError::Closed.into()),
            (Err(error), _) => Err(error.into()),
        };
        // The caller may have given up waiting; what it asked for is done all the same.
        let _ = self.reply.send(outcome);
    }
}

/// Runs jobs in one transaction and answers them. A job that is refused (a conflict, a limit) fails alone; a database
/// that fails, fails them all.
pub(crate) fn commit(shared: &Shared, mut jobs: Vec<Box<dyn Job>>) {
    let committed = shared.prepare().and_then(|()| {
        run(shared, &mut jobs).inspect_err(|error| {
            if shared.store.failed(error) {
                shared.agree();
            }
        })
    });
    let committed = committed.map(|effects| {
        for effect in effects {
            effect(shared);
        }
    });
    for job in jobs {
        job.answer(committed.clone());
    }
}

fn run(shared: &Shared, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Effect>, BackboneError> {
    shared.store.with("writing", |database| {
        let transaction = database.begin_write()?;
        let mut batch = Batch::new(&transaction, shared);
        for job in jobs {
            job.apply(&mut batch)?;
        }
        // Nothing but refusals: no reason to sync.
        let Some(effects) = batch.finish()? else { return Ok(Vec::new()) };
        transaction.commit()?;
        shared.store.written();
        Ok(effects)
    })
}
