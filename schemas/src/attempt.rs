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

/// The newest version. An attempt without an [`Attribution`] is written as version 1, which older readers know.
pub const VERSION: u32 = 2;
/// The version that has no [`Attribution`].
const VERSION_1: u32 = 1;
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
    /// Whose the certificate was; absent of a command, and of what version 1 wrote.
    pub attribution: Option<Attribution>,
}

/// Whose a refused certificate was at that instant, and how it was presented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attribution {
    /// Id of the verified CA certificate that it was from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The device that had the certificate, or that the template made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// IP address of the client; absent where the writer did not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether the client had proven to hold the certificate's key; absent where the writer could not know. Certificates are
    /// public: without that anybody may have sent this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_proven: Option<bool>,
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

/// The same with whose it was: version 2.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AttributedEnvelope<B> {
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
    attribution: Attribution,
}

impl Attempt {
    /// As compact JSON.
    pub fn to_json(&self) -> Vec<u8> {
        const ALWAYS: &str = "structs and maps with text keys are always JSON";
        let (time, rejection, template, checks) =
            (self.time, self.rejection.clone(), self.template.clone(), self.checks.clone());
        let request = self.request.envelope(to_raw_value(&self.request.ask).expect(ALWAYS));
        let written = match self.attribution.clone() {
            None => {
                let version = VERSION_1;
                serde_json::to_vec(&AttemptEnvelope { version, time, request, rejection, template, checks })
            }
            Some(attribution) => {
                let version = VERSION;
                serde_json::to_vec(&AttributedEnvelope { version, time, request, rejection, template, checks, attribution })
            }
        };
        written.expect(ALWAYS)
    }

    /// Reads an attempt.
    ///
    /// # Errors
    /// [`WireError`] names what is unknown, missing or wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > ATTEMPT_BYTES_MAX {
            return Err(WireError::TooLarge { bytes: bytes.len(), max: ATTEMPT_BYTES_MAX });
        }
        if check_version("attempt", VERSION_1, bytes).is_ok() {
            let AttemptEnvelope { time, request, rejection, template, checks, .. } =
                read::<AttemptEnvelope<Box<RawValue>>>(bytes)?;
            let request = Request::open(request).map_err(|error| error.under("request"))?;
            return Ok(Self { time, request, rejection, template, checks, attribution: None });
        }
        check_version("attempt", VERSION, bytes)?;
        let AttributedEnvelope { time, request, rejection, template, checks, attribution, .. } =
            read::<AttributedEnvelope<Box<RawValue>>>(bytes)?;
        let request = Request::open(request).map_err(|error| error.under("request"))?;
        Ok(Self { time, request, rejection, template, checks, attribution: Some(attribution) })
    }

    /// The JSON Schemas of the whole message, versions 1 and 2; the request's body is described by the request's own schema.
    pub(crate) fn schemas() -> [schemars::Schema; 2] {
        [
            schemars::schema_for!(AttemptEnvelope<serde_json::Value>),
            schemars::schema_for!(AttributedEnvelope<serde_json::Value>),
        ]
    }
}
