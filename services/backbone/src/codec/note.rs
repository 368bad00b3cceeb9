//! What a record says of its own log, for whoever reads logs: that it was adopted, that another key seals from here on, that
//! a record is passed over.

use rollcall_domain::ids::{LogId, Position};

use crate::signing::PublicKey;

/// See the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogNote {
    /// Everything before it is ours.
    Adopted,
    /// What follows is sealed by this key.
    KeyNamed(PublicKey),
    /// The record at this position, or the batch that begins there, is passed over.
    Skipped(Position),
}

/// What a record says of its log; `None` for nearly all, without reading them whole.
pub fn log_note(_log: &LogId, _record: &[u8]) -> Option<LogNote> {
    None
}
