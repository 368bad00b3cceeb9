//! What happened to a registry. One event is one decision; its meaning never changes once released.

use crate::{
    certificate::path::ChainCertificate,
    ids::{CaId, DeviceId, Fingerprint, NodeId, PolicyId, ProductId, SpaceId, TemplateId},
    policy::Statement,
    registry::state::{ProductDetails, Slot},
    template::{Tag, TemplateBody},
    time::Timestamp,
};

pub use super::retirement::RetirementReason;

/// What a policy is bound to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyTarget {
    Device(DeviceId),
    /// Every device of a product.
    Product(SpaceId, ProductId),
    /// Every device of a resource space.
    Space(SpaceId),
}

/// The certificate that a device was registered, pinned or renewed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedCertificate {
    /// SHA-256 over the DER.
    pub sha256: [u8; 32],
    /// The certificate itself.
    pub der: Box<[u8]>,
    pub not_before: Timestamp,
    /// The CA certificate that it was proven by.
    pub ca: CaId,
    /// How it was proven; `None` in a record of version 1, which did not say.
    pub proof: Option<PathProof>,
}

/// What is recorded of the path that proved a certificate, so that it can be checked later without the other certificates:
/// which CAs stand above the device, and until when all of them are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathProof {
    /// notAfter of the certificate that was proven.
    pub not_after: Timestamp,
    /// The CA by name and key: an id is another's after a deletion, and a renewed certificate of the CA has another.
    pub ca_name_and_key_sha256: [u8; 32],
    /// The path above the device certificate, nearest first, with the CA certificate at the end. Never empty.
    pub chain: Vec<ChainCertificate>,
    /// Version of the rules that it was proven by: [`crate::certificate::path::PROVER`] at that time.
    pub prover: u32,
}

/// How a pre-registered device will prove who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclaredCredential {
    /// By a secret.
    Secret,
    /// By the certificates with these fingerprints; without a primary, the first that connects is pinned.
    Certificates { primary: Option<Fingerprint>, secondary: Option<Fingerprint> },
}

/// What is said of a device beside how it proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceProfile {
    pub device: DeviceId,
    /// What its owner calls it.
    pub node_id: NodeId,
    /// The resource space it belongs to.
    pub space: SpaceId,
    pub product: ProductId,
    pub name: Option<Box<str>>,
    pub tags: Vec<Tag>,
    /// Policies bound to it.
    pub policies: Vec<PolicyId>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A resource space exists, with a policy that allows every custom topic, or with none.
    SpaceCreated { space: SpaceId, name: Box<str>, default_space: bool, default_policy: Option<PolicyId> },
    /// It has another name.
    SpaceRenamed { space: SpaceId, name: Box<str> },
    /// It is gone, and its policies with it. It was empty of products, devices and CA certificates.
    SpaceDeleted { space: SpaceId },
    /// A product exists.
    ProductCreated { space: SpaceId, product: ProductId, details: ProductDetails },
    /// The whole of what it says now.
    ProductUpdated { space: SpaceId, product: ProductId, details: ProductDetails },
    /// It is gone; no device belonged to it.
    ProductDeleted { space: SpaceId, product: ProductId },
    /// A policy exists.
    PolicyCreated { policy: PolicyId, space: SpaceId, name: Box<str>, statements: Vec<Statement> },
    /// The whole of what it says now.
    PolicyUpdated { policy: PolicyId, name: Box<str>, statements: Vec<Statement> },
    /// It is gone, and bound to nothing any more.
    PolicyDeleted { policy: PolicyId },
    /// It applies to a target.
    PolicyBound { policy: PolicyId, target: PolicyTarget },
    /// It no longer does.
    PolicyUnbound { policy: PolicyId, target: PolicyTarget },
    /// A template exists.
    TemplateCreated { template: TemplateId, name: Box<str>, description: Box<str>, body: TemplateBody },
    /// The whole of what it says now.
    TemplateUpdated { template: TemplateId, description: Box<str>, body: TemplateBody },
    /// It is gone; it was bound to no CA certificate.
    TemplateDeleted { template: TemplateId },
    /// A CA certificate was uploaded and found good; proof of possession is awaited.
    CaUploaded { ca: CaId, space: SpaceId, certificate: CaCertificate, code: Box<str>, code_expires_at: Timestamp },
    /// It has a new verification code; the old one is spent.
    CaCodeIssued { ca: CaId, code: Box<str>, code_expires_at: Timestamp },
    /// Its owner has proven to hold the key.
    CaVerified { ca: CaId },
    /// Its template and its self-registration switch, as they are now.
    CaConfigured { ca: CaId, template: Option<TemplateId>, self_registration: bool },
    /// It is gone; what it issued is no longer let in by it. `distrust`: it went because the CA itself, a name and a key, is
    /// not believed any more, and no path leads through it until its space has verified it again.
    CaDeleted { ca: CaId, distrust: bool },
    /// A device registered itself by connecting.
    DeviceRegistered {
        profile: DeviceProfile,
        certificate: PresentedCertificate,
        template: TemplateId,
        template_version: u32,
    },
    /// An operator entered a device before it first connected. Of a device that was deleted in the same resource space, this is
    /// the readmission of its id, and of no certificate.
    DevicePreRegistered {
        profile: DeviceProfile,
        credential: DeclaredCredential,
        description: Option<Box<str>>,
        extension_info: Option<Box<str>>,
    },
    /// A device's certificate is pinned: the first that came after pre-registration or reset.
    DeviceCertificatePinned { device: DeviceId, certificate: PresentedCertificate },
    /// A newer certificate of the same CA took the place of its primary one, which is retired.
    DeviceCertificateReplaced { device: DeviceId, certificate: PresentedCertificate },
    /// What an operator may change, as it is now.
    DeviceUpdated {
        device: DeviceId,
        name: Option<Box<str>>,
        description: Option<Box<str>>,
        extension_info: Option<Box<str>>,
    },
    /// All its tags, as they are now.
    DeviceTagsChanged { device: DeviceId, tags: Vec<Tag> },
    /// It may not connect.
    DeviceFrozen { device: DeviceId },
    /// It may again.
    DeviceUnfrozen { device: DeviceId },
    /// A fingerprint of it is another, and the one before is retired; or it is none: then the next certificate is pinned, the
    /// same one included.
    DeviceFingerprintReset { device: DeviceId, slot: Slot, fingerprint: Option<Fingerprint> },
    /// One of its certificates is active or inactive.
    DeviceCertificateSwitched { device: DeviceId, fingerprint: Fingerprint, active: bool },
    /// It is gone and does not come back by itself, and its certificates are retired.
    DeviceDeleted { device: DeviceId },
    /// A deleted id may register again, with the certificates that it had last; not with one that was INACTIVE then.
    DeviceReadmitted { device: DeviceId },
    /// A certificate that the device has belongs to none any more, whatever id it would come to. `not_after` is its own, where it
    /// is known.
    CertificateRetired { fingerprint: Fingerprint, device: DeviceId, reason: RetirementReason, not_after: Option<Timestamp> },
    /// That is lifted, for one device or for whichever it comes to.
    CertificateReadmitted { fingerprint: Fingerprint, device: Option<DeviceId> },
    /// Retirements that need not be kept, because the certificates are past their own notAfter.
    RetiredForgotten { fingerprints: Vec<Fingerprint> },
}

/// A CA certificate with what its upload checks read from it, so that `evolve` parses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCertificate {
    pub der: Box<[u8]>,
    /// Shown to people; no rule reads it.
    pub cn_name: Box<str>,
    /// SHA-256 over the DER.
    pub sha256: [u8; 32],
    /// SHA-256 over subject and key.
    pub name_and_key_sha256: [u8; 32],
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last instant of validity.
    pub not_after: Timestamp,
}

/// The live sessions that an event may take something from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AffectedSessions {
    None,
    /// Those of this device.
    OfDevice(DeviceId),
    /// Those of this device, and those of any device with one of these certificates (SHA-256 over the DER): they are this device's
    /// now, or nobody's, and another may have had them by a typed fingerprint.
    OfCertificates(DeviceId, Vec<[u8; 32]>),
    All,
}

impl AffectedSessions {
    /// Whether the session of `device`, connected with the certificate `sha256`, is to be authenticated again.
    pub fn contains(&self, device: &DeviceId, sha256: &[u8; 32]) -> bool {
        match self {
            Self::None => false,
            Self::OfDevice(affected) => affected == device,
            Self::OfCertificates(affected, certificates) => affected == device || certificates.contains(sha256),
            Self::All => true,
        }
    }

    fn of_pins<'a>(device: &DeviceId, fingerprints: impl Iterator<Item = &'a Fingerprint>) -> Self {
        let sha256 = fingerprints.filter_map(|fingerprint| match fingerprint {
            Fingerprint::Sha256(digest) => Some(*digest),
            Fingerprint::Sha1(_) => None,
        });
        Self::OfCertificates(device.clone(), sha256.collect())
    }
}

impl Event {
    /// The device that this is about, if it is about one.
    pub fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::DeviceRegistered { profile, .. } | Self::DevicePreRegistered { profile, .. } => Some(&profile.device),
            Self::DeviceCertificatePinned { device, .. }
            | Self::DeviceCertificateReplaced { device, .. }
            | Self::DeviceUpdated { device, .. }
            | Self::DeviceTagsChanged { device, .. }
            | Self::DeviceFrozen { device }
            | Self::DeviceUnfrozen { device }
            | Self::DeviceFingerprintReset { device, .. }
            | Self::DeviceCertificateSwitched { device, .. }
            | Self::DeviceDeleted { device }
            | Self::DeviceReadmitted { device }
            | Self::CertificateRetired { device, .. }
            | Self::PolicyBound { target: PolicyTarget::Device(device), .. }
            | Self::PolicyUnbound { target: PolicyTarget::Device(device), .. } => Some(device),
            Self::CertificateReadmitted { device, .. } => device.as_ref(),
            Self::SpaceCreated { .. }
            | Self::SpaceRenamed { .. }
            | Self::SpaceDeleted { .. }
            | Self::ProductCreated { .. }
            | Self::ProductUpdated { .. }
            | Self::ProductDeleted { .. }
            | Self::PolicyCreated { .. }
            | Self::PolicyUpdated { .. }
            | Self::PolicyDeleted { .. }
            | Self::PolicyBound { .. }
            | Self::PolicyUnbound { .. }
            | Self::TemplateCreated { .. }
            | Self::TemplateUpdated { .. }
            | Self::TemplateDeleted { .. }
            | Self::CaUploaded { .. }
            | Self::CaCodeIssued { .. }
            | Self::CaVerified { .. }
            | Self::CaConfigured { .. }
            | Self::CaDeleted { .. }
            | Self::RetiredForgotten { .. } => None,
        }
    }

    /// Which live sessions may lose their right by this, so that only those are authenticated again. Rights to topics are
    /// not in it: [`affected_topics`](Self::affected_topics) has those.
    pub fn affected_sessions(&self) -> AffectedSessions {
        match self {
            Self::TemplateUpdated { .. }
            | Self::TemplateDeleted { .. }
            | Self::CaConfigured { .. }
            | Self::CaDeleted { .. } => AffectedSessions::All,
            // Proven for this device, the certificate is no other's, who may have had it by a typed fingerprint.
            Self::DeviceRegistered { profile: DeviceProfile { device, .. }, certificate, .. }
            | Self::DeviceCertificatePinned { device, certificate }
            | Self::DeviceCertificateReplaced { device, certificate } => {
                AffectedSessions::OfCertificates(device.clone(), vec![certificate.sha256])
            }
            Self::DeviceFrozen { device }
            | Self::DeviceCertificateSwitched { device, .. }
            | Self::DeviceDeleted { device }
            | Self::DeviceReadmitted { device } => AffectedSessions::OfDevice(device.clone()),
            Self::DeviceFingerprintReset { device, fingerprint, .. } => {
                AffectedSessions::of_pins(device, fingerprint.iter())
            }
            // Whichever device is connected with it: no session says what its certificate's SHA-1 is.
            Self::CertificateRetired { fingerprint: Fingerprint::Sha1(_), .. } => AffectedSessions::All,
            Self::CertificateRetired { device, fingerprint, .. } => {
                AffectedSessions::of_pins(device, std::iter::once(fingerprint))
            }
            // Readmitted for one device, it is so for no other.
            Self::CertificateReadmitted { device: None, .. } => AffectedSessions::None,
            Self::CertificateReadmitted { fingerprint: Fingerprint::Sha1(_), .. } => AffectedSessions::All,
            Self::CertificateReadmitted { device: Some(device), fingerprint } => {
                AffectedSessions::of_pins(device, std::iter::once(fingerprint))
            }
            Self::DevicePreRegistered { profile, credential, .. } => match credential {
                DeclaredCredential::Secret => AffectedSessions::None,
                DeclaredCredential::Certificates { primary, secondary } => {
                    AffectedSessions::of_pins(&profile.device, primary.iter().chain(secondary))
                }
            },
            Self::SpaceCreated { .. }
            | Self::SpaceRenamed { .. }
            | Self::SpaceDeleted { .. }
            | Self::ProductCreated { .. }
            | Self::ProductUpdated { .. }
            | Self::ProductDeleted { .. }
            | Self::PolicyCreated { .. }
            | Self::PolicyUpdated { .. }
            | Self::PolicyDeleted { .. }
            | Self::PolicyBound { .. }
            | Self::PolicyUnbound { .. }
            | Self::TemplateCreated { .. }
            | Self::CaUploaded { .. }
            | Self::CaCodeIssued { .. }
            | Self::CaVerified { .. }
            | Self::DeviceUpdated { .. }
            | Self::DeviceTagsChanged { .. }
            | Self::DeviceUnfrozen { .. }
            | Self::RetiredForgotten { .. } => AffectedSessions::None,
        }
    }

    /// For which live sessions other policies may apply after this, so that what those have subscribed to is authorized again.
    pub fn affected_topics(&self) -> AffectedSessions {
        match self {
            Self::PolicyCreated { .. }
            | Self::PolicyUpdated { .. }
            | Self::PolicyDeleted { .. }
            | Self::PolicyBound { target: PolicyTarget::Product(..) | PolicyTarget::Space(_), .. }
            | Self::PolicyUnbound { target: PolicyTarget::Product(..) | PolicyTarget::Space(_), .. }
            | Self::SpaceDeleted { .. }
            | Self::ProductDeleted { .. } => AffectedSessions::All,
            Self::PolicyBound { target: PolicyTarget::Device(device), .. }
            | Self::PolicyUnbound { target: PolicyTarget::Device(device), .. }
            | Self::DeviceDeleted { device }
            | Self::DeviceReadmitted { device } => AffectedSessions::OfDevice(device.clone()),
            Self::DeviceRegistered { profile, .. } | Self::DevicePreRegistered { profile, .. } => {
                AffectedSessions::OfDevice(profile.device.clone())
            }
            Self::SpaceCreated { .. }
            | Self::SpaceRenamed { .. }
            | Self::ProductCreated { .. }
            | Self::ProductUpdated { .. }
            | Self::TemplateCreated { .. }
            | Self::TemplateUpdated { .. }
            | Self::TemplateDeleted { .. }
            | Self::CaUploaded { .. }
            | Self::CaCodeIssued { .. }
            | Self::CaVerified { .. }
            | Self::CaConfigured { .. }
            | Self::CaDeleted { .. }
            | Self::DeviceCertificatePinned { .. }
            | Self::DeviceCertificateReplaced { .. }
            | Self::DeviceUpdated { .. }
            | Self::DeviceTagsChanged { .. }
            | Self::DeviceFrozen { .. }
            | Self::DeviceUnfrozen { .. }
            | Self::DeviceFingerprintReset { .. }
            | Self::DeviceCertificateSwitched { .. }
            | Self::CertificateRetired { .. }
            | Self::CertificateReadmitted { .. }
            | Self::RetiredForgotten { .. } => AffectedSessions::None,
        }
    }

    /// Whether this changes the [`Configuration`](super::Configuration), else devices or what is retired.
    pub fn changes_configuration(&self) -> bool {
        let retirement = matches!(self, Self::CertificateReadmitted { .. } | Self::RetiredForgotten { .. });
        self.device().is_none() && !retirement
    }
}
