//! The core of an in-process log: what its traits share, and who may write.
//!
//! Invariant: when the last holder is dropped, writing stops, then the database is closed and its file released;
//! followers that are still there end with [`BackboneError::Closed`].

use std::sync::Arc;

use rollcall_log::{BackboneError, limits::NewId};

use super::{
    batch::Batch,
    job::{Committer, Write},
    shared::Shared,
    store::StoreError,
    stream::{StreamKind, StreamName},
};

/// [`Shared`], and who may write.
pub(crate) struct Core {
    committer: Box<dyn Committer>,
    pub(crate) shared: Arc<Shared>,
    new_id: NewId,
}

impl Core {
    pub(crate) fn new(committer: Box<dyn Committer>, shared: Arc<Shared>, new_id: NewId) -> Arc<Self> {
        Arc::new(Self { committer, shared, new_id })
    }

    /// Writes in a transaction of its own or shared; returns when it is on disk.
    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<BackboneError> + Send + 'static,
        F: FnOnce(&mut Batch<'_>) -> Result<Result<T, E>, StoreError> + Send + 'static,
    {
        let (job, answer) = Write::new(work);
        self.committer.submit(Box::new(job)).await?;
        answer.await.unwrap_or_else(|_| Err(BackboneError::Closed.into()))
    }

    /// Makes a stream unless it exists; returns its identity.
    pub(crate) async fn declare(&self, stream: StreamName, kind: StreamKind) -> Result<String, BackboneError> {
        let identity = (self.new_id)().simple().to_string();
        self.write(move |batch| batch.declare(&stream, kind, identity).map(Ok)).await
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.committer.stop();
        self.shared.store.close();
    }
}
