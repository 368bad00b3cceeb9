//! What a connector asks for a device, version 1.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoding::Base64;

/// A certificate that belongs to no known device has connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateConnect {
    /// DER, the device's own certificate first, as presented.
    pub chain: Vec<Base64>,
    /// The device that the client says it is; a claim, never proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
}
