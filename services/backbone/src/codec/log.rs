//! Events about a log itself, which concern its readers and no rule of the domain: what is taken over, and whose records
//! are believed.
//!
//! Not for acting on them: a reader does.

use rollcall_domain::ids::Position;
use rollcall_schemas::{
    encoding::Sha256,
    event::latest::{self as wire, Event as Wire},
};

use super::part::{Fault, Read};
use crate::signing::PublicKey;

/// What happened to a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// The records up to `prefix_end` are taken over as they are: an operator vouches for them by their digest.
    Adopted {
        /// The last record that is taken over; [`Position::START`]: there is none.
        prefix_end: Position,
        /// The running digest over all records up to there.
        prefix_digest: [u8; 32],
    },
    /// What this key signs is a registrar's from this record on.
    RegistrarKeyNamed {
        /// The key.
        public_key: PublicKey,
    },
}

impl LogEvent {
    /// The type that its record has.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Adopted { .. } => "LogAdopted",
            Self::RegistrarKeyNamed { .. } => "RegistrarKeyNamed",
        }
    }
}

pub(super) fn to_wire(event: &LogEvent) -> Wire {
    match event {
        LogEvent::Adopted { prefix_end, prefix_digest } => {
            wire::LogAdopted { prefix_end: prefix_end.0, prefix_digest: Sha256(*prefix_digest) }.into()
        }
        LogEvent::RegistrarKeyNamed { public_key } => wire::RegistrarKeyNamed { public_key: public_key.to_string() }.into(),
    }
}

pub(super) fn adopted(event: &wire::LogAdopted) -> LogEvent {
    LogEvent::Adopted { prefix_end: Position(event.prefix_end), prefix_digest: event.prefix_digest.0 }
}

pub(super) fn key_named(event: &wire::RegistrarKeyNamed) -> Read<LogEvent> {
    let fault = |reason: &dyn std::fmt::Display| Fault::new("body.public_key", reason);
    let public_key: PublicKey = event.public_key.parse().map_err(|error| fault(&error))?;
    // One form only, so that equal keys are equal bytes.
    if public_key.to_string() != event.public_key {
        return Err(fault(&crate::signing::KeyError::Public));
    }
    Ok(LogEvent::RegistrarKeyNamed { public_key })
}
