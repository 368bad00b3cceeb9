//! What is remembered of certificates that were taken away from their device, and what such a memory is looked up by.
//!
//! What a record retires and lifts is `RetirementChange`. How far a fingerprint counts is
//! [`PinKey`]: what a CA has proven counts in the whole instance, what an operator typed counts in the resource space of the
//! device. Otherwise an operator of one space could bar another's certificates by typing their fingerprints, which are no
//! secret.

use crate::{
    ids::{DeviceId, Fingerprint, SpaceId},
    time::Timestamp,
};

/// Why a certificate is retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetirementReason {
    /// Its device was deleted.
    DeviceDeleted,
    /// The certificate itself was taken away from its device.
    CertificateDeleted,
    /// Another certificate took its place.
    Replaced,
}

impl RetirementReason {
    /// `device_deleted`, `certificate_deleted` or `replaced`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeviceDeleted => "device_deleted",
            Self::CertificateDeleted => "certificate_deleted",
            Self::Replaced => "replaced",
        }
    }
}

/// A fingerprint and how far it counts: what pins and retirements are looked up by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PinKey {
    pub fingerprint: Fingerprint,
    /// `None`: a CA has proven the certificate, and it is the same one in the whole instance. Else an operator has typed the
    /// fingerprint for a device of this resource space, and it says nothing of certificates that another space's CA proves.
    pub space: Option<SpaceId>,
}

impl PinKey {
    pub const fn proven(fingerprint: Fingerprint) -> Self {
        Self { fingerprint, space: None }
    }

    pub fn typed(fingerprint: Fingerprint, space: &SpaceId) -> Self {
        Self { fingerprint, space: Some(space.clone()) }
    }

    /// Whether it is the SHA-1 of a certificate that was proven. A retirement is found by it, and is that of the certificate's
    /// SHA-256: counted, listed and forgotten once.
    pub const fn is_second_digest(&self) -> bool {
        matches!((&self.fingerprint, &self.space), (Fingerprint::Sha1(_), None))
    }
}

/// What is remembered of a retired certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    /// The device that it was of.
    pub device: DeviceId,
    /// The resource space of that device.
    pub space: SpaceId,
    pub reason: RetirementReason,
    /// When it was taken away.
    pub since: Timestamp,
    /// Its own notAfter; `None` where only a fingerprint is known, or the record that brought it did not say. Then it is kept
    /// until it is lifted.
    pub not_after: Option<Timestamp>,
    /// The one device that an operator has readmitted it for.
    pub readmitted_for: Option<DeviceId>,
    /// The other digest of a certificate that was proven: it is retired under both, and lifted under both.
    pub other_digest: Option<Fingerprint>,
}
