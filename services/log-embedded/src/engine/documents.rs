//! Documents on the local store: rows of a stream, of which a key has the latest. A revision is a row's position.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use redb::TableDefinition;
use rollcall_domain::ids::InstanceId;
use rollcall_log::{
    BackboneError,
    documents::{CursorName, Document, DocumentKey, Documents, PutError, Revision, check_size},
};

use super::{
    core::Core,
    frame,
    stream::{Keys, StreamKind, StreamName},
};

/// [`Documents`] on a [`Core`].
pub(crate) struct LocalDocuments(pub(crate) Arc<Core>);

#[async_trait]
impl Documents for LocalDocuments {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        self.0.declare(StreamName::documents(instance), StreamKind::Documents).await.map(|_| ())
    }

    async fn get(&self, instance: &InstanceId, key: &DocumentKey) -> Result<Option<Document>, BackboneError> {
        let (stream, key) = (StreamName::documents(instance), text(key));
        if self.0.shared.tails.last(&stream).is_none() {
            return Err(stream.undeclared());
        }
        let read = self.0.shared.store.read("reading a document", move |transaction| {
            let name = stream.keys_name();
            let keys: Keys<'_> = TableDefinition::new(&name);
            let Some(position) = transaction.open_table(keys)?.get(key.as_str())?.map(|position| position.value()) else {
                return Ok(None);
            };
            let rows = transaction.open_table(stream.rows())?;
            let Some(row) = rows.get(position)? else {
                return Err(stream.damaged(format!("the row at {position} of {key} is missing")).into());
            };
            let row = frame::decode(&stream, position, row.value())?;
            Ok(Some(Document { revision: Revision(position), body: row.body }))
        });
        read.await
    }

    async fn put(
        &self,
        instance: &InstanceId,
        key: &DocumentKey,
        expected: Revision,
        body: Bytes,
    ) -> Result<Revision, PutError> {
        check_size(&body)?;
        let (stream, key) = (StreamName::documents(instance), text(key));
        self.0.write(move |batch| batch.put_document(&stream, &key, expected, &body)).await
    }

    async fn delete(&self, instance: &InstanceId, key: &DocumentKey, expected: Revision) -> Result<(), PutError> {
        let (stream, key) = (StreamName::documents(instance), text(key));
        self.0.write(move |batch| batch.delete_document(&stream, &key, expected)).await
    }
}

/// A key as it is stored. No id can hold `/`.
fn text(key: &DocumentKey) -> String {
    match key {
        DocumentKey::Shadow(device) => format!("shadow/{device}"),
        DocumentKey::Messages(device) => format!("messages/{device}"),
        DocumentKey::Message(device, number) => format!("message/{device}/{number}"),
        DocumentKey::Cursor(CursorName::Reports) => "cursor/reports".to_owned(),
    }
}
