//! Documents with faults: writes that were not done, or done and not acknowledged, and conflicts without another writer.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::LogId;
use rollcall_log::{
    BackboneError,
    documents::{Document, DocumentKey, Documents, PutError, Revision, SessionDocuments},
};

use crate::fault_injection::FaultInjection;

/// [`Documents`] with faults.
pub(crate) struct FaultyDocuments {
    pub(crate) inner: Arc<dyn Documents>,
    pub(crate) injection: Arc<FaultInjection>,
}

impl FaultyDocuments {
    fn reach(&self, attempted: &str) -> Result<(), PutError> {
        self.injection.reach(attempted)?;
        if self.injection.happens(|faults| faults.spurious_conflict) { Err(PutError::Conflict) } else { Ok(()) }
    }
}

#[async_trait]
impl Documents for FaultyDocuments {
    async fn open(&self, log: &LogId) -> Result<(), BackboneError> {
        self.inner.open(log).await
    }

    async fn sessions(&self, log: &LogId) -> Result<SessionDocuments, BackboneError> {
        self.injection.reach("listing sessions")?;
        self.inner.sessions(log).await
    }

    async fn get(&self, log: &LogId, key: &DocumentKey) -> Result<Option<Document>, BackboneError> {
        self.injection.reach("reading a document")?;
        self.inner.get(log, key).await
    }

    async fn put(&self, log: &LogId, key: &DocumentKey, expected: Revision, body: Bytes) -> Result<Revision, PutError> {
        self.reach("putting a document")?;
        let revision = self.inner.put(log, key, expected, body).await?;
        self.injection.acknowledge("putting a document")?;
        Ok(revision)
    }

    async fn delete(&self, log: &LogId, key: &DocumentKey, expected: Revision) -> Result<(), PutError> {
        self.reach("deleting a document")?;
        self.inner.delete(log, key, expected).await?;
        Ok(self.injection.acknowledge("deleting a document")?)
    }
}
