//! The envelope round an event, as JSON has it. The body can be anything, so that it is read once its type is known.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::encoding::{Sha256, Time};

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
    pub actor: Actor,
    /// W3C `traceparent` of the request, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    pub body: B,
}
