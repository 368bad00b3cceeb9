//! Events about a log itself, which concern its readers and no rule of the domain: what is taken over, and whose records
//! are believed.
//!
//! Does not act on them: a reader does.

use rollcall_domain::ids::{LogId, Position};
use rollcall_schemas::{
    encoding::Sha256,
    event::latest::{self as wire, Event as Wire},
};

use super::{
    AnyEvent, decode_record,
    part::{Read, Violation},
};
use crate::signing::PublicKey;

/// How far into a record its type stands at most: after its id and its instance.
const HEAD_BYTES: usize = 192;
/// What stands before the type.
const TYPE: &[u8] = b"\"type\":\"";
/// The types of all [`LogEvent`]s.
const KINDS: [&str; 3] = ["LogAdopted", "RegistrarKeyNamed", "RecordSkipped"];

/// What happened to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// The records up to `prefix_end` are taken over as they are: an operator vouches for them by their digest.
    Adopted {
        /// The last record that is taken over; [`Position::START`]: there is none.
        prefix_end: Position,
        /// The running digest over all records up to there.
        prefix_digest: [u8; 32],
    },
    /// The record at this position, or the damaged batch that begins there, is passed over.
    RecordSkipped { position: Position },
    /// What this key signs is a registrar's from this record on.
    RegistrarKeyNamed { public_key: PublicKey },
}

impl LogEvent {
    /// What a record says of its log, if it says anything: told from all others by the first bytes.
    pub fn of(log: &LogId, record: &[u8]) -> Option<Self> {
        let head = record.get(..HEAD_BYTES).unwrap_or(record);
        let at = head.windows(TYPE.len()).position(|bytes| bytes == TYPE)? + TYPE.len();
        let kind = head.get(at..).unwrap_or_default();
        if !KINDS.iter().any(|known| kind.starts_with(known.as_bytes())) {
            return None;
        }
        match decode_record(log, record).ok()?.event {
            AnyEvent::Log(event) => Some(event),
            AnyEvent::Fleet(_) | AnyEvent::Registry(_) => None,
        }
    }

    /// The type that its record has.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Adopted { .. } => "LogAdopted",
            Self::RegistrarKeyNamed { .. } => "RegistrarKeyNamed",
            Self::RecordSkipped { .. } => "RecordSkipped",
        }
    }
}

pub(super) fn to_wire(event: &LogEvent) -> Wire {
    match event {
        LogEvent::Adopted { prefix_end, prefix_digest } => {
            wire::LogAdopted { prefix_end: prefix_end.0, prefix_digest: Sha256(*prefix_digest) }.into()
        }
        LogEvent::RecordSkipped { position } => wire::RecordSkipped { position: position.0 }.into(),
        LogEvent::RegistrarKeyNamed { public_key } => wire::RegistrarKeyNamed { public_key: public_key.to_string() }.into(),
    }
}

pub(super) fn adopted(event: &wire::LogAdopted) -> LogEvent {
    LogEvent::Adopted { prefix_end: Position(event.prefix_end), prefix_digest: event.prefix_digest.0 }
}

pub(super) fn skipped(event: &wire::RecordSkipped) -> LogEvent {
    LogEvent::RecordSkipped { position: Position(event.position) }
}

pub(super) fn key_named(event: &wire::RegistrarKeyNamed) -> Read<LogEvent> {
    let fault = |reason: &dyn std::fmt::Display| Violation::new("body.public_key", reason);
    let public_key: PublicKey = event.public_key.parse().map_err(|error| fault(&error))?;
    // One form only, so that equal keys are equal bytes.
    if public_key.to_string() != event.public_key {
        return Err(fault(&crate::signing::KeyError::Public));
    }
    Ok(LogEvent::RegistrarKeyNamed { public_key })
}
