//! What an operator asks about CA certificates, version 2: a deletion says whether the CA itself is distrusted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::request::v1;

/// Whether a CA, which is a name and a key, is not to be believed any more: `"no"`, `"yes"` or `"unless_renewed"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Distrust {
    /// Only this certificate of it is not needed.
    No,
    /// Refused while another certificate of it is verified.
    Yes,
    /// Unless another certificate of it is verified, or this one never was.
    UnlessRenewed,
}

/// Removes a CA certificate from its resource space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteCa {
    /// The CA certificate, by its id.
    pub ca: String,
    /// What becomes of its CA.
    pub distrust: Distrust,
}

impl From<v1::DeleteCa> for DeleteCa {
    fn from(written: v1::DeleteCa) -> Self {
        Self { ca: written.ca, distrust: Distrust::No }
    }
}
