//! What an operator asks about devices, version 1. Absent in an update: leave as it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    encoding::Fingerprint,
    event::v1::{CertificateSlot, DeclaredCredential, DeviceProfile, Tag},
};

/// Enter a device before it first connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreRegisterDevice {
    pub profile: DeviceProfile,
    /// How it will prove who it is.
    pub credential: DeclaredCredential,
}

/// Change what is said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateDevice {
    pub device: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Operator's own JSON, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension_info: Option<String>,
}

/// Set some tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TagDevice {
    pub device: String,
    pub tags: Vec<Tag>,
}

/// Remove some tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UntagDevice {
    pub device: String,
    pub keys: Vec<String>,
}

/// Keep it from connecting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeDevice {
    pub device: String,
}

/// Let it connect again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnfreezeDevice {
    pub device: String,
}

/// Replace one of its fingerprints, or clear it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetFingerprint {
    pub device: String,
    pub slot: CertificateSlot,
    /// What it is to be; absent: the next certificate is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

/// Make one of its certificates active or inactive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchCertificate {
    pub device: String,
    pub fingerprint: Fingerprint,
    /// Whether it may be used.
    pub active: bool,
}

/// Take a certificate away from it, for good: no device comes back with it by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteCertificate {
    pub device: String,
    pub fingerprint: Fingerprint,
}

/// Let a certificate that was taken away from a device be used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadmitCertificate {
    pub fingerprint: Fingerprint,
    /// The only device that it is readmitted for; absent: for whichever it comes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// Remove it; it does not come back by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteDevice {
    pub device: String,
}

/// Let a deleted id register again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadmitDevice {
    pub device: String,
}
