//! Devices, version 1.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoding::{Base64, Fingerprint, Sha256, Time};

/// One tag of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// 1 to 64 characters.
    pub key: String,
    /// 1 to 128 characters.
    pub value: String,
}

/// What is said of a device beside how it proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceProfile {
    pub device: String,
    /// What its owner calls it.
    pub node_id: String,
    /// The resource space it belongs to.
    pub space: String,
    pub product: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Policies bound to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

/// The certificate that a device was registered, pinned or renewed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresentedCertificate {
    /// Over the DER.
    pub sha256: Sha256,
    /// The certificate, DER.
    pub der: Base64,
    pub not_before: Time,
    /// The CA certificate that it was proven by.
    pub ca: String,
}

/// How a pre-registered device will prove who it is: `"secret"` or `{"certificates": {…}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DeclaredCredential {
    /// By a secret.
    Secret,
    /// By the certificates with these fingerprints; without a primary, the first that connects is pinned.
    Certificates {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        primary: Option<Fingerprint>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secondary: Option<Fingerprint>,
    },
}

/// Which of a device's two fingerprints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSlot {
    /// The one that a first connection pins.
    Primary,
    /// The spare, for a certificate change without interruption.
    Secondary,
}

/// A device registered itself by connecting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceRegistered {
    pub profile: DeviceProfile,
    /// What it came with.
    pub certificate: PresentedCertificate,
    /// The template that made it.
    pub template: String,
    /// The version of the template that made it.
    pub template_version: u32,
}

/// An operator entered a device before it first connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DevicePreRegistered {
    pub profile: DeviceProfile,
    /// How it will prove who it is.
    pub credential: DeclaredCredential,
}

/// A device's certificate is pinned: the first that came after pre-registration or reset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceCertificatePinned {
    pub device: String,
    /// What it came with.
    pub certificate: PresentedCertificate,
}

/// A newer certificate of the same CA took the place of its primary one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceCertificateReplaced {
    pub device: String,
    /// What it came with.
    pub certificate: PresentedCertificate,
}

/// What an operator may change, as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceUpdated {
    pub device: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Operator's own JSON, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension_info: Option<String>,
}

/// All its tags, as they are now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceTagsChanged {
    pub device: String,
    pub tags: Vec<Tag>,
}

/// It may not connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceFrozen {
    pub device: String,
}

/// It may connect again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceUnfrozen {
    pub device: String,
}

/// A fingerprint of it is another, or none: then the next certificate is pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceFingerprintReset {
    pub device: String,
    pub slot: CertificateSlot,
    /// What it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

/// One of its certificates is active or inactive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceCertificateSwitched {
    pub device: String,
    pub fingerprint: Fingerprint,
    /// Whether it may be used.
    pub active: bool,
}

/// It is gone and does not come back by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceDeleted {
    pub device: String,
}

/// A deleted id may register again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceReadmitted {
    pub device: String,
}
