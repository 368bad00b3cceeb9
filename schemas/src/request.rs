//! What is put into a request queue: a connector's certificate-connect event or an operator's command, in an envelope.
//!
//! Not in it: which log it is for; the queue says that.

pub mod latest;
pub mod upcast;
pub mod v1;
pub mod v2;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    encoding::Time,
    error::{WireError, read},
    record::Actor,
};
use latest::Ask;

/// Largest request, bytes: what fits a record fits a request.
pub const REQUEST_BYTES_MAX: usize = crate::record::RECORD_BYTES_MAX;

/// One request, as queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The same however often it is sent.
    pub id: String,
    /// When it was submitted.
    pub submitted_at: Time,
    pub actor: Actor,
    /// W3C `traceparent`, if there was one.
    pub traceparent: Option<String>,
    /// What is asked.
    pub ask: Ask,
}

/// A request as JSON has it: the body is read when type and version are known.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestEnvelope<B> {
    /// The same however often it is sent.
    pub id: String,
    /// What kind of request the body is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of the body's shape.
    pub version: u32,
    /// When it was submitted.
    pub submitted_at: Time,
    pub actor: Actor,
    /// W3C `traceparent`, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What is asked.
    pub body: B,
}

impl Request {
    /// As compact JSON, in the latest version.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.envelope(&self.ask)).expect("structs and maps with text keys are always JSON")
    }

    /// Reads a request of any released type and version.
    ///
    /// # Errors
    /// [`WireError`] names what is unknown, missing or wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(WireError::TooLarge { bytes: bytes.len(), max: REQUEST_BYTES_MAX });
        }
        Self::open(read(bytes)?)
    }

    /// In its envelope, with the body given: the ask itself, or its JSON.
    pub(crate) fn envelope<B>(&self, body: B) -> RequestEnvelope<B> {
        RequestEnvelope {
            id: self.id.clone(),
            kind: self.ask.kind().to_owned(),
            version: self.ask.version(),
            submitted_at: self.submitted_at,
            actor: self.actor.clone(),
            traceparent: self.traceparent.clone(),
            body,
        }
    }

    /// Out of its envelope.
    pub(crate) fn open(envelope: RequestEnvelope<Box<RawValue>>) -> Result<Self, WireError> {
        let ask = upcast::upcast(&envelope.kind, envelope.version, &envelope.body).map_err(|error| error.under("body"))?;
        Ok(Self {
            id: envelope.id,
            submitted_at: envelope.submitted_at,
            actor: envelope.actor,
            traceparent: envelope.traceparent,
            ask,
        })
    }
}
