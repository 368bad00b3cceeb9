//! One record of a log: the envelope round an event, and strict reading of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    encoding::{Sha256, Time},
    error::{WireError, read},
    event::{latest::Event, upcast},
};

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
    /// Who asked.
    pub actor: Actor,
    /// W3C `traceparent` of the request, if it had one.
    pub traceparent: Option<String>,
    /// What happened.
    pub event: Event,
}

/// Who asked: `{"certificate": "<SHA-256>"}` or `{"operator": "<name>"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A device, by its certificate: SHA-256 over the DER.
    Certificate(Sha256),
    /// An operator, by name.
    Operator(String),
}

/// A record as JSON has it: the body is read when type and version are known.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordEnvelope<B> {
    /// Unique (UUID v7).
    pub id: Uuid,
    /// The instance whose log it belongs to; absent: the fleet's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What kind of event the body is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of the body's shape.
    pub version: u32,
    /// When it was decided.
    pub time: Time,
    /// The id of the request that it came of.
    pub cause: String,
    /// Who asked.
    pub actor: Actor,
    /// W3C `traceparent` of the request, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The event.
    pub body: B,
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
