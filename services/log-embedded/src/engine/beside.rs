//! What stands beside the records of a log: a table of its own by position, so that the rows stay as older versions wrote
//! them, and a file of an older version needs no migration (it has no such table, and nothing beside its records).
//!
//! A value is framed as a row is (CRC, time), its body: one byte that says whether a request's digest follows, the digest,
//! then the seal's text. Invariant: it is written in the transaction of its record.

use bytes::Bytes;
use redb::{ReadTransaction, TableDefinition, TableError, WriteTransaction};
use rollcall_domain::ids::Position;
use rollcall_log::log::{Entry, NewRecord, Seal};

use super::{
    frame,
    store::{self, Chunk, StoreError},
    stream::{Rows, StreamName},
};

const NOTHING: u8 = 0;
const DIGEST: u8 = 1;
const DIGEST_BYTES: usize = 32;

/// Writes what stands beside one record, if anything does.
pub(super) fn put(
    transaction: &WriteTransaction,
    log: &StreamName,
    position: u64,
    now_ms: i64,
    seal: Option<&Seal>,
    record: &NewRecord,
) -> Result<(), StoreError> {
    let mut body = Vec::new();
    match (record.request_sha256, seal) {
        (None, None) => return Ok(()),
        (Some(digest), _) => {
            body.push(DIGEST);
            body.extend_from_slice(&digest);
        }
        (None, Some(_)) => body.push(NOTHING),
    }
    if let Some(seal) = seal {
        body.extend_from_slice(seal.to_string().as_bytes());
    }
    let name = log.beside_name();
    transaction.open_table(table(&name))?.insert(position, frame::encode(position, now_ms, &body).as_slice())?;
    Ok(())
}

/// The records after a position, up to and with `last`, with what stands beside them, and how far that reaches.
pub(super) fn entries(
    transaction: &ReadTransaction,
    log: &StreamName,
    after: u64,
    last: u64,
    chunk: Chunk,
) -> Result<(Vec<Entry>, u64), StoreError> {
    let read = store::rows(transaction, log, after, last, chunk, |_| true)?.whole()?;
    let name = log.beside_name();
    let beside = match transaction.open_table(table(&name)) {
        Ok(beside) => Some(beside),
        Err(TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let mut found = match &beside {
        Some(beside) if read.through > after => Some(beside.range(after + 1..=read.through)?),
        Some(_) | None => None,
    };
    let mut next = found.as_mut().and_then(Iterator::next).transpose()?;
    let mut entries = Vec::with_capacity(read.rows.len());
    for row in read.rows {
        let mut entry = Entry::bare(Position(row.position), row.body);
        if let Some((position, value)) = &next
            && position.value() == row.position
        {
            let body = frame::decode(log, row.position, value.value())?.body;
            (entry.seal, entry.request_sha256) = decode(log, row.position, &body)?;
            next = found.as_mut().and_then(Iterator::next).transpose()?;
        }
        entries.push(entry);
    }
    Ok((entries, read.through))
}

fn decode(log: &StreamName, position: u64, body: &Bytes) -> Result<(Option<Seal>, Option<[u8; DIGEST_BYTES]>), StoreError> {
    let damaged = || StoreError::from(log.damaged(format!("what stands beside position {position} cannot be read")));
    let (flag, rest) = body.split_first().ok_or_else(damaged)?;
    let (digest, text) = match *flag {
        NOTHING => (None, rest),
        DIGEST => {
            let (digest, text) = rest.split_first_chunk::<DIGEST_BYTES>().ok_or_else(damaged)?;
            (Some(*digest), text)
        }
        _ => return Err(damaged()),
    };
    if text.is_empty() {
        return Ok((None, digest));
    }
    let seal = std::str::from_utf8(text).ok().and_then(Seal::parse).ok_or_else(damaged)?;
    Ok((Some(seal), digest))
}

fn table(name: &str) -> Rows<'_> {
    TableDefinition::new(name)
}
