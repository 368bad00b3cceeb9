//! What a write of a document does inside a transaction.
//!
//! Invariant: a stream of documents holds one row for each key, its latest; the end of the stream never goes back, so no
//! revision comes twice.

use bytes::Bytes;
use redb::{ReadableTable, TableDefinition};
use rollcall_log::{
    BackboneError,
    documents::{PutError, Revision},
};

use super::{
    batch::Batch,
    store::StoreError,
    stream::{Keys, StreamName},
};

impl Batch<'_> {
    /// Puts a body in the place of the row at `expected`.
    pub(crate) fn put_document(
        &mut self,
        stream: &StreamName,
        key: &str,
        expected: Revision,
        body: &Bytes,
    ) -> Result<Result<Revision, PutError>, StoreError> {
        let Some(held) = self.bytes(stream)? else { return Ok(Err(stream.undeclared().into())) };
        if self.document(stream, key)? != expected {
            return Ok(Err(PutError::Conflict));
        }
        let replaced = self.row_bytes(stream, expected.0)?;
        let (max, added) = (self.limits().documents_bytes, body.len() as u64);
        if added > replaced && held.saturating_sub(replaced).saturating_add(added) > max {
            return Ok(Err(BackboneError::LimitReached { what: format!("bytes of documents in {stream}"), max }.into()));
        }
        self.remove_row(stream, expected.0)?;
        let position = self.push(stream, std::slice::from_ref(body))?;
        let name = stream.keys_name();
        let keys: Keys<'_> = TableDefinition::new(&name);
        self.transaction().open_table(keys)?.insert(key, position)?;
        Ok(Ok(Revision(position)))
    }

    /// Removes a key and its row at `expected`.
    pub(crate) fn delete_document(
        &mut self,
        stream: &StreamName,
        key: &str,
        expected: Revision,
    ) -> Result<Result<(), PutError>, StoreError> {
        if self.bytes(stream)?.is_none() {
            return Ok(Err(stream.undeclared().into()));
        }
        if self.document(stream, key)? != expected {
            return Ok(Err(PutError::Conflict));
        }
        self.remove_row(stream, expected.0)?;
        let name = stream.keys_name();
        let keys: Keys<'_> = TableDefinition::new(&name);
        self.transaction().open_table(keys)?.remove(key)?;
        Ok(Ok(()))
    }

    /// The latest revision of a key, with what this transaction has written.
    fn document(&self, stream: &StreamName, key: &str) -> Result<Revision, StoreError> {
        let name = stream.keys_name();
        let keys: Keys<'_> = TableDefinition::new(&name);
        let keys = self.transaction().open_table(keys)?;
        let position = keys.get(key)?.map(|position| Revision(position.value()));
        Ok(position.unwrap_or(Revision::NONE))
    }
}
