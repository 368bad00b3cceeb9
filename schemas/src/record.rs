//! One record of a log, and strict reading of it: an event in an [`envelope`].

pub(crate) mod envelope;

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    encoding::Time,
    error::{WireError, read},
    event::{latest::Event, upcast},
};

pub use envelope::{Actor, RecordEnvelope};

/// Largest record, bytes.
pub const RECORD_BYTES_MAX: usize = 900 * 1024;

/// One decision, as it is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Unique (UUID v7).
    pub id: Uuid,
    /// The instance whose log it belongs to; `None`: the fleet's.
    pub instance: Option<String>,
    /// When it was decided.
    pub time: Time,
    /// The id of the request that it came of.
    pub cause: String,
    pub actor: Actor,
    /// W3C `traceparent` of the request, if it had one.
    pub traceparent: Option<String>,
    pub event: Event,
}

impl Record {
    /// As compact JSON, in the latest version.
    pub fn to_json(&self) -> Vec<u8> {
        let envelope = RecordEnvelope {
            id: self.id,
            instance: self.instance.clone(),
            kind: self.event.kind().to_owned(),
            version: self.event.version(),
            time: self.time,
            cause: self.cause.clone(),
            actor: self.actor.clone(),
            traceparent: self.traceparent.clone(),
            body: &self.event,
        };
        serde_json::to_vec(&envelope).expect("structs and maps with text keys are always JSON")
    }

    /// Reads a record of any released type and version.
    ///
    /// # Errors
    /// [`WireError`] names what is unknown, missing or wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(WireError::TooLarge { bytes: bytes.len(), max: RECORD_BYTES_MAX });
        }
        let envelope: RecordEnvelope<Box<RawValue>> = read(bytes)?;
        let event = upcast::upcast(&envelope.kind, envelope.version, &envelope.body).map_err(|error| error.under("body"))?;
        Ok(Self {
            id: envelope.id,
            instance: envelope.instance,
            time: envelope.time,
            cause: envelope.cause,
            actor: envelope.actor,
            traceparent: envelope.traceparent,
            event,
        })
    }
}
