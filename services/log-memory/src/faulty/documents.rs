//! Documents with faults: writes that were not done, or done and not acknowledged, and conflicts without another writer.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::InstanceId;
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
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        self.inner.open(instance).await
    }

    async fn sessions(&self, instance: &InstanceId) -> Result<SessionDocuments, BackboneError> {
        self.injection.reach("listing sessions")?;
        self.inner.sessions(instance).await
    }

    async fn get(&self, instance: &InstanceId, key: &DocumentKey) -> Result<Option<Document>, BackboneError> {
        self.injection.reach("reading a document")?;
        self.inner.get(instance, key).await
    }

    async fn put(
        &self,
        instance: &InstanceId,
        key: &DocumentKey,
        expected: Revision,
        body: Bytes,
    ) -> Result<Revision, PutError> {
        self.reach("putting a document")?;
        let revision = self.inner.put(instance, key, expected, body).await?;
        self.injection.acknowledge("putting a document")?;
        Ok(revision)
    }

    async fn delete(&self, instance: &InstanceId, key: &DocumentKey, expected: Revision) -> Result<(), PutError> {
        self.reach("deleting a document")?;
        self.inner.delete(instance, key, expected).await?;
        Ok(self.injection.acknowledge("deleting a document")?)
    }
}
