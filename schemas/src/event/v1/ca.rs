//! CA certificates, version 1.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoding::{Base64, Sha256, Time};

/// A CA certificate with what its upload checks read from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaCertificate {
    /// The certificate, DER.
    pub der: Base64,
    /// Subject CN, for people.
    pub cn_name: String,
    /// Over the DER.
    pub sha256: Sha256,
    /// Over subject and public key: the same for a renewed certificate of one CA.
    pub name_and_key_sha256: Sha256,
    /// First instant of validity.
    pub not_before: Time,
    /// Last instant of validity.
    pub not_after: Time,
}

/// A CA certificate was uploaded and found good; proof of possession is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaUploaded {
    /// The CA certificate, by its id.
    pub ca: String,
    /// The resource space.
    pub space: String,
    /// What was uploaded.
    pub certificate: CaCertificate,
    /// The verification code.
    pub code: String,
    /// After this instant the code is no longer good.
    pub code_expires_at: Time,
}

/// It has a new verification code; the old one is spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaCodeIssued {
    /// The CA certificate, by its id.
    pub ca: String,
    /// The verification code.
    pub code: String,
    /// After this instant the code is no longer good.
    pub code_expires_at: Time,
}

/// Its owner has proven to hold the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaVerified {
    /// The CA certificate, by its id.
    pub ca: String,
}

/// Its template and its self-registration switch, as they are now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaConfigured {
    /// The CA certificate, by its id.
    pub ca: String,
    /// The template bound to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Whether unknown devices may register themselves with it.
    pub self_registration: bool,
}

/// It is gone; what it issued is no longer let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaDeleted {
    /// The CA certificate, by its id.
    pub ca: String,
}
