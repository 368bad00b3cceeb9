//! How one row is laid out: CRC-32 over the rest and the position, when it was stored, its body.
//!
//! The database checks its pages only when it is opened. The CRC is what notices a page that went bad since, or a row
//! that stands at another row's place, before anyone acts on it.

use bytes::Bytes;
use rollcall_log::BackboneError;

use super::stream::StreamName;

const CRC: usize = 4;
const HEADER: usize = CRC + 8;

/// One stored row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) position: u64,
    pub(crate) stored_at_ms: i64,
    pub(crate) body: Bytes,
}

/// A row as it is stored.
pub(crate) fn encode(position: u64, stored_at_ms: i64, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER + body.len());
    frame.extend_from_slice(&[0; CRC]);
    frame.extend_from_slice(&stored_at_ms.to_le_bytes());
    frame.extend_from_slice(body);
    let crc = checksum(position, &frame[CRC..]);
    frame[..CRC].copy_from_slice(&crc.to_le_bytes());
    frame
}

/// When a row was stored, and its body; without the check, for a row that is about to be removed or filtered out.
pub(crate) fn peek(frame: &[u8]) -> Option<(i64, &[u8])> {
    let (header, body) = frame.split_at_checked(HEADER)?;
    let (_, stored_at) = header.split_at(CRC);
    Some((i64::from_le_bytes(stored_at.try_into().ok()?), body))
}

/// Reads a row.
///
/// # Errors
/// [`BackboneError::Damaged`] with the stream and the position.
pub(crate) fn decode(stream: &StreamName, position: u64, frame: &[u8]) -> Result<Row, BackboneError> {
    let damaged = || {
        stream.damaged(format!("the row at position {position} fails its checksum: restore the data folder from a backup"))
    };
    let (stored_at_ms, body) = peek(frame).ok_or_else(damaged)?;
    let (crc, rest) = frame.split_at(CRC);
    if crc != checksum(position, rest).to_le_bytes() {
        return Err(damaged());
    }
    Ok(Row { position, stored_at_ms, body: Bytes::copy_from_slice(body) })
}

fn checksum(position: u64, rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&position.to_le_bytes());
    hasher.update(rest);
    hasher.finalize()
}
