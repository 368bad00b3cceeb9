//! How a request was ruled on, as it is announced. It is not kept: the log is the truth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{WireError, read};

/// The one version there is.
pub const VERSION: u32 = 1;

/// `{"version": 1, "ruling": {"accepted": {…}}}` or `{"version": 1, "ruling": {"rejected": {…}}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RulingEnvelope {
    /// The version of the shape.
    version: u32,
    ruling: Ruling,
}

/// The registrar's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ruling {
    /// Granted, or already so.
    Accepted {
        /// A view that has reached this position knows it.
        position: u64,
    },
    /// Refused, and nothing is recorded.
    Rejected(Rejection),
}

/// Why it was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// The stable code; it has a page in `docs/operate/codes`.
    pub code: String,
    pub message: String,
}

/// Reads no more than the version, so that another one is named before its unknown fields are.
#[derive(Deserialize)]
pub(crate) struct VersionOnly {
    pub(crate) version: u32,
}

/// Says so if bytes are of a version other than `newest`.
pub(crate) fn check_version(kind: &str, newest: u32, bytes: &[u8]) -> Result<(), WireError> {
    let version = read::<VersionOnly>(bytes)?.version;
    if version == newest {
        return Ok(());
    }
    Err(WireError::UnknownVersion { kind: kind.to_owned(), version, newest })
}

impl Ruling {
    /// As compact JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let envelope = RulingEnvelope { version: VERSION, ruling: self.clone() };
        serde_json::to_vec(&envelope).expect("structs and maps with text keys are always JSON")
    }

    /// Reads a ruling.
    ///
    /// # Errors
    /// [`WireError`] names what is unknown, missing or wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Self, WireError> {
        check_version("ruling", VERSION, bytes)?;
        Ok(read::<RulingEnvelope>(bytes)?.ruling)
    }

    /// The JSON Schema of the whole message.
    pub(crate) fn schema() -> schemars::Schema {
        schemars::schema_for!(RulingEnvelope)
    }
}
