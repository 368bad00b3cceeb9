//! A rejected attempt, kept for people to look at and to replay: the request whole, why it was refused, what was checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    encoding::Time,
    error::{WireError, read},
    request::{REQUEST_BYTES_MAX, Request, RequestEnvelope},
    ruling::{Rejection, check_version},
};

/// The one version there is.
pub const VERSION: u32 = 1;
/// Largest attempt, bytes: its request and as much again for the checks.
pub const ATTEMPT_BYTES_MAX: usize = 2 * REQUEST_BYTES_MAX;

/// A rejected attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it was ruled on.
    pub time: Time,
    pub request: Request,
    /// Why it was refused.
    pub rejection: Rejection,
    /// The template that was consulted, if one was.
    pub template: Option<ConsultedTemplate>,
    /// Every check made, in order.
    pub checks: Vec<Check>,
}

/// The template that was consulted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsultedTemplate {
    pub id: String,
    /// Its version at that instant.
    pub version: u32,
}

/// One check and how it came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Stable name, `snake_case`.
    pub name: String,
    /// Whether it held.
    pub passed: bool,
    /// What was found, for people.
    pub detail: String,
}

/// An attempt as JSON has it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AttemptEnvelope<B> {
    /// The version of the shape.
    version: u32,
    /// When it was ruled on.
    time: Time,
    request: RequestEnvelope<B>,
    /// Why it was refused.
    rejection: Rejection,
    /// The template that was consulted, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    template: Option<ConsultedTemplate>,
    /// Every check made, in order.
    checks: Vec<Check>,
}

impl Attempt {
    /// As compact JSON.
    pub fn to_json(&self) -> Vec<u8> {
        const ALWAYS: &str = "structs and maps with text keys are always JSON";
        let envelope = AttemptEnvelope {
            version: VERSION,
            time: self.time,
            request: self.request.envelope(to_raw_value(&self.request.ask).expect(ALWAYS)),
            rejection: self.rejection.clone(),
            template: self.template.clone(),
            checks: self.checks.clone(),
        };
        serde_json::to_vec(&envelope).expect(ALWAYS)
    }

    /// Reads an attempt.
    ///
    /// # Errors
    /// [`WireError`] names what is unknown, missing or wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > ATTEMPT_BYTES_MAX {
            return Err(WireError::TooLarge { bytes: bytes.len(), max: ATTEMPT_BYTES_MAX });
        }
        check_version("attempt", VERSION, bytes)?;
        let envelope: AttemptEnvelope<Box<RawValue>> = read(bytes)?;
        Ok(Self {
            time: envelope.time,
            request: Request::open(envelope.request).map_err(|error| error.under("request"))?,
            rejection: envelope.rejection,
            template: envelope.template,
            checks: envelope.checks,
        })
    }

    /// The JSON Schema of the whole message; the request's body is described by the request's own schema.
    pub(crate) fn schema() -> schemars::Schema {
        schemars::schema_for!(AttemptEnvelope<serde_json::Value>)
    }
}
