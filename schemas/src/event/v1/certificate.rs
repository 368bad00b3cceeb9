//! Certificates that are retired, version 1: those that no device is to come back with by itself.
//!
//! A fingerprint, not a device, is what is retired: a template may derive another device id from the same certificate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoding::{Fingerprint, Time};

/// Why a certificate is retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetirementReason {
    /// Its device was deleted.
    DeviceDeleted,
    /// The certificate itself was taken away from its device.
    CertificateDeleted,
    /// Another certificate took its place.
    Replaced,
}

/// A certificate is taken away from the device that has it: from this record on it belongs to no device, whatever id it would come to.
///
/// Not the only record that retires one: the deletion of a device does, and what takes the place of a certificate. This one says
/// so of a certificate whose device goes on without it. Readable since 0.2.0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateRetired {
    /// Which certificate; SHA-1 where an operator gave no more.
    pub fingerprint: Fingerprint,
    /// The device that it was of.
    pub device: String,
    pub reason: RetirementReason,
    /// The certificate's own notAfter; absent where only its fingerprint is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,
}

/// An operator lifts the retirement of a certificate. A fingerprint that an operator enters for a device, and the readmission of
/// a device, lift one too. Readable since 0.2.0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateReadmitted {
    pub fingerprint: Fingerprint,
    /// The only device that it is readmitted for; absent: for whichever it comes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// Retirements that say nothing any more, because the certificates are past their own notAfter, and need not be kept. Those of a
/// certificate that is not past it stay. Readable since 0.2.0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetiredForgotten {
    /// Which certificates: 1 to 1000.
    #[schemars(length(min = 1, max = 1000))]
    pub fingerprints: Vec<Fingerprint>,
}
