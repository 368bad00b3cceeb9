//! Devices, version 2: a pre-registration carries all that an operator may say of a device, and a certificate that a
//! device came with carries what proved it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    encoding::{Base64, Sha256, Time},
    event::v1::{self, DeclaredCredential, DeviceProfile},
};

/// The certificate that a device was registered, pinned or renewed with, and how it was proven.
///
/// What is recorded of the path is enough to say later, without the other certificates, which CAs stood above the device
/// and for how long each of their certificates was good. `not_after`, `ca_name_and_key_sha256` and `prover` are there
/// together, with a `chain` of at least one; none of them is after version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresentedCertificate {
    /// Over the DER.
    pub sha256: Sha256,
    /// The certificate, DER.
    pub der: Base64,
    pub not_before: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,
    /// The CA certificate that it was proven by: its id, which outlives neither its deletion nor a renewal.
    pub ca: String,
    /// That CA itself: over its subject and public key, as in `CaUploaded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_name_and_key_sha256: Option<Sha256>,
    /// Every certificate of the proven path above this one, nearest first: the intermediates that were presented and
    /// used, then the CA certificate. What was presented and not used is not in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<ChainCertificate>,
    /// Version of the rules by which the path was proven: a proof by older rules may not hold by newer ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prover: Option<u32>,
}

/// A certificate of a proven path above the device's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChainCertificate {
    /// Over its subject and public key, as in `CaUploaded`.
    pub name_and_key_sha256: Sha256,
    pub not_before: Time,
    pub not_after: Time,
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

/// An operator entered a device before it first connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DevicePreRegistered {
    pub profile: DeviceProfile,
    /// How it will prove who it is.
    pub credential: DeclaredCredential,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Operator's own JSON, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension_info: Option<String>,
}

impl From<v1::DevicePreRegistered> for DevicePreRegistered {
    fn from(written: v1::DevicePreRegistered) -> Self {
        let v1::DevicePreRegistered { profile, credential } = written;
        Self { profile, credential, description: None, extension_info: None }
    }
}

impl From<v1::PresentedCertificate> for PresentedCertificate {
    fn from(written: v1::PresentedCertificate) -> Self {
        let v1::PresentedCertificate { sha256, der, not_before, ca } = written;
        let (not_after, ca_name_and_key_sha256, prover) = (None, None, None);
        Self { sha256, der, not_before, not_after, ca, ca_name_and_key_sha256, chain: Vec::new(), prover }
    }
}

impl From<v1::DeviceRegistered> for DeviceRegistered {
    fn from(written: v1::DeviceRegistered) -> Self {
        let v1::DeviceRegistered { profile, certificate, template, template_version } = written;
        Self { profile, certificate: certificate.into(), template, template_version }
    }
}

impl From<v1::DeviceCertificatePinned> for DeviceCertificatePinned {
    fn from(written: v1::DeviceCertificatePinned) -> Self {
        Self { device: written.device, certificate: written.certificate.into() }
    }
}

impl From<v1::DeviceCertificateReplaced> for DeviceCertificateReplaced {
    fn from(written: v1::DeviceCertificateReplaced) -> Self {
        Self { device: written.device, certificate: written.certificate.into() }
    }
}
