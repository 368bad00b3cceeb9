//! What a write does inside a transaction: the rules of every stream, in one place.
//!
//! Invariants: a job that is refused has written nothing, so that its neighbours in the transaction are not touched;
//! positions rise by one; what others are to learn of is kept as effects until the transaction is on disk.

use std::collections::BTreeMap;

use bytes::Bytes;
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use rollcall_domain::ids::{Position, RequestId};
use rollcall_log::{
    BackboneError,
    limits::{Bounds, Limits},
    log::{self, AppendError},
    requests::{RequestKind, Submitted},
};

use super::{
    beside, frame, queue,
    shared::Shared,
    store::{STREAMS, StoreError},
    stream::{Keys, StreamKind, StreamName},
};

/// Most rows that retention removes at a time, beyond those that were just added: a stream whose bounds were lowered
/// shrinks over some writes, none of which has to wait long.
const TRIMMED_ROWS_MAX: u64 = 256;

/// What happens once the transaction is on disk.
pub(crate) type Effect = Box<dyn FnOnce(&Shared) + Send>;

struct Meta {
    identity: String,
    last: u64,
    bytes: u64,
    changed: bool,
}

/// A transaction, the ends of the streams it has touched, and its effects.
pub(crate) struct Batch<'t> {
    transaction: &'t WriteTransaction,
    shared: &'t Shared,
    metas: BTreeMap<StreamName, Meta>,
    effects: Vec<Effect>,
}

impl<'t> Batch<'t> {
    pub(crate) fn new(transaction: &'t WriteTransaction, shared: &'t Shared) -> Self {
        Self { transaction, shared, metas: BTreeMap::new(), effects: Vec::new() }
    }

    /// Writes down where the streams end now. `None` if the transaction holds nothing.
    pub(crate) fn finish(self) -> Result<Option<Vec<Effect>>, StoreError> {
        let changed = self.metas.iter().filter(|(_, meta)| meta.changed);
        let mut effects = self.effects;
        let mut table = None;
        for (stream, meta) in changed {
            let table = match &mut table {
                Some(table) => table,
                None => table.insert(self.transaction.open_table(STREAMS)?),
            };
            table.insert(stream.as_str(), (meta.identity.as_str(), meta.last, meta.bytes))?;
            let (stream, last) = (stream.clone(), meta.last);
            effects.push(Box::new(move |shared| shared.tails.set(&stream, last)));
        }
        Ok(table.is_some().then_some(effects))
    }

    /// Makes a stream with this identity unless it exists; returns the identity that it has.
    pub(crate) fn declare(&mut self, stream: &StreamName, kind: StreamKind, identity: String) -> Result<String, StoreError> {
        if let Some(meta) = self.meta(stream)? {
            return Ok(meta.identity.clone());
        }
        self.transaction.open_table(stream.rows())?;
        match kind {
            StreamKind::Queue => {
                self.declare_keys(stream)?;
                let stream = stream.clone();
                self.effects.push(Box::new(move |shared| shared.queues.declare(&stream, [])));
            }
            StreamKind::Documents => self.declare_keys(stream)?,
            StreamKind::Log | StreamKind::Attempts | StreamKind::Messages => {}
        }
        let meta = Meta { identity: identity.clone(), last: 0, bytes: 0, changed: true };
        self.metas.insert(stream.clone(), meta);
        Ok(identity)
    }

    /// Appends all records, with what stands beside them, if the log ends at `expected`.
    pub(crate) fn append(
        &mut self,
        log: &StreamName,
        expected: Position,
        batch: &log::Batch,
    ) -> Result<Result<Position, AppendError>, StoreError> {
        match self.meta(log)? {
            None => return Ok(Err(log.undeclared().into())),
            Some(meta) if meta.last != expected.0 => return Ok(Err(AppendError::Conflict { expected })),
            Some(_) => {}
        }
        let now_ms = (self.shared.now_ms)();
        let records: Vec<Bytes> = batch.records.iter().map(|new| new.record.clone()).collect();
        let last = self.push(log, &records)?;
        let mut seal = batch.seal.as_ref();
        for (position, record) in (expected.next().0..).zip(&batch.records) {
            beside::put(self.transaction, log, position, now_ms, seal.take(), record)?;
        }
        Ok(Ok(Position(last)))
    }

    /// Puts a request into a queue unless its kind and id are there.
    pub(crate) fn enqueue(
        &mut self,
        stream: &StreamName,
        kind: RequestKind,
        id: &RequestId,
        request: &[u8],
    ) -> Result<Result<Submitted, BackboneError>, StoreError> {
        if self.meta(stream)?.is_none() {
            return Ok(Err(stream.undeclared()));
        }
        let name = stream.keys_name();
        let keys: Keys<'_> = TableDefinition::new(&name);
        let mut keys = self.transaction.open_table(keys)?;
        let key = queue::key(kind, id);
        if keys.get(key.as_str())?.is_some() {
            return Ok(Ok(Submitted::AlreadyQueued));
        }
        let max = self.shared.limits.requests_waiting;
        if keys.len()? >= max {
            return Ok(Err(BackboneError::LimitReached { what: format!("requests waiting in {stream}"), max }));
        }
        let position = self.push(stream, &[queue::encode(kind, id, request)])?;
        keys.insert(key.as_str(), position)?;
        let stream = stream.clone();
        self.effects.push(Box::new(move |shared| shared.queues.arrived(&stream, position)));
        Ok(Ok(Submitted::Queued))
    }

    /// Removes requests from a queue for good; those that are gone already are passed over.
    pub(crate) fn dequeue(&mut self, stream: &StreamName, positions: Vec<u64>) -> Result<(), StoreError> {
        let name = stream.keys_name();
        let keys: Keys<'_> = TableDefinition::new(&name);
        let mut keys = self.transaction.open_table(keys)?;
        let mut rows = self.transaction.open_table(stream.rows())?;
        let mut bytes = 0;
        for position in &positions {
            let Some(frame) = rows.remove(*position)? else { continue };
            bytes += frame.value().len() as u64;
            let row = frame::decode(stream, *position, frame.value())?;
            let (kind, id, _) = queue::decode(stream, &row)?;
            keys.remove(queue::key(kind, &id).as_str())?;
        }
        drop((keys, rows));
        if let Some(meta) = self.meta(stream)? {
            meta.bytes = meta.bytes.saturating_sub(bytes);
            meta.changed = true;
        }
        let stream = stream.clone();
        self.effects.push(Box::new(move |shared| shared.queues.removed(&stream, &positions)));
        Ok(())
    }

    /// Adds to a stream that is bounded, and removes what is over its bounds.
    pub(crate) fn keep(
        &mut self,
        stream: &StreamName,
        bodies: &[Bytes],
        bounds: Bounds,
    ) -> Result<Result<Position, BackboneError>, StoreError> {
        if self.meta(stream)?.is_none() {
            return Ok(Err(stream.undeclared()));
        }
        let last = self.push(stream, bodies)?;
        self.trim(stream, bounds, bodies.len() as u64)?;
        Ok(Ok(Position(last)))
    }

    /// Removes the oldest rows of a stream while it is over its bounds; at most [`TRIMMED_ROWS_MAX`] and `added` twice.
    pub(crate) fn trim(&mut self, stream: &StreamName, bounds: Bounds, added: u64) -> Result<(), StoreError> {
        let oldest_ms = (self.shared.now_ms)().saturating_sub(bounds.age_ms);
        let transaction = self.transaction;
        let Some(meta) = self.meta(stream)? else { return Ok(()) };
        let mut rows = transaction.open_table(stream.rows())?;
        for _ in 0..TRIMMED_ROWS_MAX.saturating_add(added.saturating_mul(2)) {
            let bytes = match rows.first()? {
                None => break,
                Some((_, frame)) => {
                    let stored_at_ms = frame::peek(frame.value()).map_or(i64::MIN, |(stored_at_ms, _)| stored_at_ms);
                    let over = meta.bytes > bounds.bytes || stored_at_ms < oldest_ms;
                    if !over && rows.len()? <= bounds.entries {
                        break;
                    }
                    frame.value().len() as u64
                }
            };
            rows.pop_first()?;
            meta.bytes = meta.bytes.saturating_sub(bytes);
            meta.changed = true;
        }
        Ok(())
    }

    /// Removes what is over the bounds of its stream, in all of them.
    pub(crate) fn sweep(&mut self) -> Result<(), StoreError> {
        let limits = self.shared.limits;
        for stream in self.shared.tails.streams() {
            match StreamName::stored(stream.as_str())?.1 {
                StreamKind::Attempts => self.trim(&stream, limits.attempts, 0)?,
                StreamKind::Messages => self.trim(&stream, limits.messages, 0)?,
                StreamKind::Log | StreamKind::Queue | StreamKind::Documents => {}
            }
        }
        Ok(())
    }

    /// Writes some stream's end again as it is: a write that changes nothing.
    pub(crate) fn touch(&mut self) -> Result<(), StoreError> {
        let Some(stream) = self.shared.tails.streams().into_iter().next() else { return Ok(()) };
        if let Some(meta) = self.meta(&stream)? {
            meta.changed = true;
        }
        Ok(())
    }

    fn declare_keys(&self, stream: &StreamName) -> Result<(), StoreError> {
        self.transaction.open_table::<&str, u64>(TableDefinition::new(&stream.keys_name()))?;
        Ok(())
    }

    /// Adds rows to a declared stream; returns the position of the last.
    pub(crate) fn push(&mut self, stream: &StreamName, bodies: &[Bytes]) -> Result<u64, StoreError> {
        let now_ms = (self.shared.now_ms)();
        let transaction = self.transaction;
        let Some(meta) = self.meta(stream)? else { return Err(stream.undeclared().into()) };
        let mut rows = transaction.open_table(stream.rows())?;
        for body in bodies {
            meta.last += 1;
            let frame = frame::encode(meta.last, now_ms, body);
            rows.insert(meta.last, frame.as_slice())?;
            meta.bytes += frame.len() as u64;
        }
        meta.changed = true;
        Ok(meta.last)
    }

    /// Removes one row, if it is there.
    pub(crate) fn remove_row(&mut self, stream: &StreamName, position: u64) -> Result<(), StoreError> {
        let removed = self.transaction.open_table(stream.rows())?.remove(position)?.map(|row| row.value().len() as u64);
        if let (Some(bytes), Some(meta)) = (removed, self.meta(stream)?) {
            meta.bytes = meta.bytes.saturating_sub(bytes);
            meta.changed = true;
        }
        Ok(())
    }

    /// How many bytes a row takes; 0 if it is not there.
    pub(crate) fn row_bytes(&self, stream: &StreamName, position: u64) -> Result<u64, StoreError> {
        let rows = self.transaction.open_table(stream.rows())?;
        let bytes = rows.get(position)?.map_or(0, |row| row.value().len() as u64);
        Ok(bytes)
    }

    /// How many bytes a stream takes; `None` if it was never declared.
    pub(crate) fn bytes(&mut self, stream: &StreamName) -> Result<Option<u64>, StoreError> {
        Ok(self.meta(stream)?.map(|meta| meta.bytes))
    }

    pub(crate) const fn transaction(&self) -> &'t WriteTransaction {
        self.transaction
    }

    pub(crate) const fn limits(&self) -> Limits {
        self.shared.limits
    }

    fn meta(&mut self, stream: &StreamName) -> Result<Option<&mut Meta>, StoreError> {
        if !self.metas.contains_key(stream) {
            let table = self.transaction.open_table(STREAMS)?;
            if let Some(stored) = table.get(stream.as_str())? {
                let (identity, last, bytes) = stored.value();
                let meta = Meta { identity: identity.to_owned(), last, bytes, changed: false };
                self.metas.insert(stream.clone(), meta);
            }
        }
        Ok(self.metas.get_mut(stream))
    }
}
