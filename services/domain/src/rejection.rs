//! Why a request is refused by the registrar. Each has one stable code and a page in `docs/operate/codes`.

use crate::{
    certificate::{
        authority::{AuthorityFault, ProofFault},
        path::PathError,
    },
    fault::Fault,
    fleet::names::{AccessKeyId, OperatorName},
    ids::{CaId, DeviceId, InstanceId, PolicyId, ProductId, SpaceId, TemplateId},
    policy::PolicyFault,
    registry::retirement::{Retired, RetirementReason},
    template::{EvaluationFault, TemplateFault},
};

/// What kind of thing a rejection speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    Instance(InstanceId),
    /// A resource space.
    Space(SpaceId),
    Product(ProductId),
    Policy(PolicyId),
    Template(TemplateId),
    /// A CA certificate.
    Ca(CaId),
    Device(DeviceId),
    Operator(OperatorName),
    /// An access key.
    AccessKey(AccessKeyId),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Instance(id) => write!(f, "instance {id}"),
            Self::Space(id) => write!(f, "resource space {id}"),
            Self::Product(id) => write!(f, "product {id}"),
            Self::Policy(id) => write!(f, "policy {id}"),
            Self::Template(id) => write!(f, "template {id}"),
            Self::Ca(id) => write!(f, "CA certificate {id}"),
            Self::Device(id) => write!(f, "device {id}"),
            Self::Operator(name) => write!(f, "operator {name}"),
            Self::AccessKey(id) => write!(f, "access key {id}"),
        }
    }
}

/// Why a request is refused. The variants are what a caller would act on differently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// What is named does not exist.
    #[error("{0} does not exist")]
    NotFound(Subject),
    /// What is to be created exists, with other content.
    #[error("{0} exists already")]
    AlreadyExists(Subject),
    /// Something else has that name.
    #[error("the name {name:?} is taken by {holder}")]
    NameTaken {
        name: String,
        /// Who has it.
        holder: Subject,
    },
    /// The access domain belongs to another instance.
    #[error("the access domain {domain:?} belongs to {holder}")]
    AccessDomainTaken {
        /// The access domain.
        domain: String,
        /// Who has it.
        holder: Subject,
    },
    /// A field breaks a limit or a character set.
    #[error("{field}: {rule}")]
    InvalidField {
        /// Path of the field.
        field: String,
        /// The rule, and what would satisfy it.
        rule: String,
    },
    /// A limit of the instance, space or device is reached.
    #[error("the limit of {max} {what} is reached")]
    LimitReached {
        /// What there are too many of, plural, such as `templates in this instance`.
        what: &'static str,
        max: u64,
    },
    /// The instance would have no log to keep its records in: it is not made.
    #[error("the log of instance {instance} cannot be made, so the instance is not: {reason}")]
    LogNotMade {
        instance: InstanceId,
        /// What the broker said, and what would help.
        reason: String,
    },
    /// It cannot be removed while something uses it.
    #[error("{subject} is still used by {user}")]
    InUse {
        /// What was to be removed.
        subject: Subject,
        /// What uses it.
        user: String,
    },
    /// Nobody would be left who may put things right.
    #[error("operator {0} is the last enabled administrator of the whole fleet: make another one first")]
    LastAdmin(OperatorName),
    /// A template body with faults.
    #[error("the template is not valid: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    InvalidTemplate(Vec<TemplateFault>),
    /// A policy with a fault.
    #[error("the policy is not valid: {0}")]
    InvalidPolicy(#[source] PolicyFault),
    /// A CA certificate that fails its upload checks.
    #[error("the CA certificate is refused: {0}")]
    CaRefused(#[source] AuthorityFault),
    /// The same CA (name and key) is verified in this instance already.
    #[error("this CA is verified in this instance already")]
    CaAlreadyVerified,
    /// The CA was deleted with distrust, by another resource space or as part of a device's chain.
    #[error("the CA is distrusted in this instance, until the resource space that deleted it has verified it again")]
    CaDistrusted,
    /// Proof of possession failed.
    #[error("proof of possession failed: {0}")]
    ProofRefused(#[source] ProofFault),
    /// The verification code has expired; issue another.
    #[error("the verification code has expired: ask for a new one")]
    CodeExpired,
    /// The CA certificate is not verified yet.
    #[error("the CA certificate is not verified")]
    CaNotVerified,
    /// Self-registration needs a bound template.
    #[error("self-registration needs a template bound to the CA certificate")]
    TemplateRequired,
    /// The edition and region have no self-registration.
    #[error("self-registration is not available in edition {edition}, region {region}")]
    SelfRegistrationUnavailable { edition: &'static str, region: String },
    /// Self-registration is off for the CA certificate.
    #[error("self-registration is switched off for the CA certificate")]
    SelfRegistrationDisabled,
    /// The CA certificate has no template.
    #[error("the CA certificate has no template bound")]
    TemplateNotBound,
    /// The chain does not hold.
    #[error("the certificate chain does not hold: {0}")]
    ChainRefused(#[source] PathError),
    /// The device certificate cannot be read.
    #[error("the device certificate cannot be read: {0}")]
    CertificateUnreadable(String),
    /// The template makes no device of the certificate.
    #[error("the template makes no device of this certificate: {0}")]
    TemplateNotApplicable(#[source] EvaluationFault),
    /// The product exists, but in another resource space than the CA certificate.
    #[error("product {product} is not in the resource space of the CA certificate")]
    ProductInAnotherSpace { product: ProductId },
    /// The policy exists, but in another resource space.
    #[error("policy {policy} is not in the resource space it is to be used in")]
    PolicyInAnotherSpace { policy: PolicyId },
    /// The device id belongs to a device with another certificate.
    #[error("device {0} is registered with another certificate")]
    DeviceHasOtherCertificate(DeviceId),
    /// `replace` is on, but the certificate is of another CA or not newer.
    #[error("device {0} may only change to a newer certificate of the same CA")]
    CertificateNotNewer(DeviceId),
    /// The device id belongs to another space or product, or did before it was deleted.
    #[error("the device id {0} is taken in another resource space or product")]
    DeviceElsewhere(DeviceId),
    /// The device id belongs to a device with a secret.
    #[error("device {0} is registered with a secret")]
    DeviceHasSecret(DeviceId),
    /// The device id was deleted.
    #[error("device {0} was deleted: readmit it first")]
    DeviceDeleted(DeviceId),
    /// The fingerprint belongs to another device: one certificate, one device. Named only where it is of the same resource space.
    #[error("the certificate belongs to {} already", named(.0.as_ref()))]
    CertificateHeldByOther(Option<DeviceId>),
    /// The certificate was taken away from its device, which is named only where it was of the same resource space.
    #[error("the certificate was taken away from {} ({}): {} first", named(device.as_ref()), reason.name(), lifted_by(*reason))]
    CertificateRetired { device: Option<DeviceId>, reason: RetirementReason },
    /// The client says that it is this device, but the template says that the certificate is another's.
    #[error("the certificate is not that of device {0}: the template makes another device of it")]
    DeviceMismatch(DeviceId),
    /// The device is frozen.
    #[error("device {0} is frozen")]
    DeviceFrozen(DeviceId),
    /// The request cannot be read: it was damaged, or written by a newer version.
    #[error("the request cannot be read: {0}")]
    MalformedRequest(String),
    /// An operator's command that no API of this fleet has signed, or signed for something else.
    #[error("the command is not proven: {0}")]
    CommandUnproven(String),
}

fn named(device: Option<&DeviceId>) -> String {
    device.map_or_else(|| "a device of another resource space".to_owned(), |device| format!("device {device}"))
}

fn lifted_by(reason: RetirementReason) -> &'static str {
    match reason {
        RetirementReason::DeviceDeleted => "readmit the device, or the certificate",
        RetirementReason::CertificateDeleted | RetirementReason::Replaced => "readmit the certificate",
    }
}

/// Writes `code()` and the list of all codes from one table, so that neither can miss a variant.
macro_rules! codes {
    ($name:ident { $($own:pat => $code:literal,)* } nested { $($nested:ident => $inner:ty,)* }) => {
        impl $name {
            /// The codes of this enum's own variants, in their order.
            const OWN_CODES: &'static [&'static str] = &[$($code),*];

            /// The stable code; its page is `docs/operate/codes/<code>.md`.
            pub fn code(&self) -> &'static str {
                match self {
                    $($own => $code,)*
                    $(Self::$nested(inner) => inner.code(),)*
                }
            }

            /// Every code that [`Self::code`] can give.
            pub fn codes() -> impl Iterator<Item = &'static str> {
                let own = Self::OWN_CODES.iter().copied();
                $(let own = own.chain(<$inner>::codes());)*
                own
            }
        }
    };
}

codes!(Rejection {
    Self::NotFound(_) => "not_found",
    Self::AlreadyExists(_) => "already_exists",
    Self::NameTaken { .. } => "name_taken",
    Self::AccessDomainTaken { .. } => "access_domain_taken",
    Self::InvalidField { .. } => "invalid_field",
    Self::LimitReached { .. } => "limit_reached",
    Self::LogNotMade { .. } => "log_not_made",
    Self::InUse { .. } => "in_use",
    Self::LastAdmin(_) => "last_admin",
    Self::InvalidTemplate(_) => "invalid_template",
    Self::InvalidPolicy(_) => "invalid_policy",
    Self::CaAlreadyVerified => "ca_already_verified",
    Self::CaDistrusted => "ca_distrusted",
    Self::CodeExpired => "verification_code_expired",
    Self::CaNotVerified => "ca_not_verified",
    Self::TemplateRequired => "template_required",
    Self::SelfRegistrationUnavailable { .. } => "self_registration_unavailable",
    Self::SelfRegistrationDisabled => "self_registration_disabled",
    Self::TemplateNotBound => "template_not_bound",
    Self::ChainRefused(_) => "chain_refused",
    Self::CertificateUnreadable(_) => "certificate_unreadable",
    Self::ProductInAnotherSpace { .. } => "product_in_another_space",
    Self::PolicyInAnotherSpace { .. } => "policy_in_another_space",
    Self::DeviceHasOtherCertificate(_) => "certificate_mismatch",
    Self::CertificateNotNewer(_) => "certificate_not_newer",
    Self::DeviceElsewhere(_) => "device_elsewhere",
    Self::DeviceHasSecret(_) => "secret_authenticated",
    Self::DeviceDeleted(_) => "device_deleted",
    Self::CertificateHeldByOther(_) => "certificate_held_by_other",
    Self::CertificateRetired { .. } => "certificate_retired",
    Self::DeviceMismatch(_) => "device_mismatch",
    Self::DeviceFrozen(_) => "device_frozen",
    Self::MalformedRequest(_) => "malformed_request",
    Self::CommandUnproven(_) => "command_unproven",
} nested {
    CaRefused => AuthorityFault,
    ProofRefused => ProofFault,
    TemplateNotApplicable => EvaluationFault,
});

codes!(AuthorityFault {
    Self::Malformed { .. } => "ca_malformed",
    Self::NotVersion3 => "ca_not_version_3",
    Self::NotAnAuthority { .. } => "ca_not_an_authority",
    Self::MayNotSign => "ca_may_not_sign",
    Self::NotValidNow => "ca_not_valid_now",
    Self::UnknownCriticalExtension { .. } => "ca_unknown_critical_extension",
    Self::EmptySubject => "ca_empty_subject",
    Self::WeakKey { .. } => "ca_weak_key",
    Self::WeakSignature { .. } => "ca_weak_signature",
    Self::NameConstraints { .. } => "ca_name_constraints",
} nested {});

codes!(ProofFault {
    Self::Malformed { .. } => "proof_malformed",
    Self::NotSignedByCa => "proof_not_signed_by_ca",
    Self::WrongCode { .. } => "proof_wrong_code",
    Self::WeakSignature { .. } => "proof_weak_signature",
    Self::NotValidNow => "proof_not_valid_now",
} nested {});

codes!(EvaluationFault {
    Self::Attribute { .. } => "certificate_attribute",
    Self::Field { .. } => "derived_field",
} nested {});

impl Rejection {
    /// As a certificate of the resource space `space` is told.
    pub(crate) fn retired(retired: Retired, space: &SpaceId) -> Self {
        let Retired { device, space: of, reason, .. } = retired;
        Self::CertificateRetired { device: (of == *space).then_some(device), reason }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::ChainRefused(_)
            | Self::CertificateUnreadable(_)
            | Self::TemplateNotApplicable(_)
            | Self::DeviceHasOtherCertificate(_)
            | Self::CertificateNotNewer(_)
            | Self::DeviceElsewhere(_)
            | Self::DeviceHasSecret(_)
            | Self::CertificateHeldByOther(_)
            | Self::DeviceMismatch(_) => Fault::Device,
            Self::MalformedRequest(_) | Self::CommandUnproven(_) => Fault::Service,
            Self::LogNotMade { .. } => Fault::Dependency,
            Self::NotFound(_)
            | Self::AlreadyExists(_)
            | Self::NameTaken { .. }
            | Self::AccessDomainTaken { .. }
            | Self::InvalidField { .. }
            | Self::LimitReached { .. }
            | Self::InUse { .. }
            | Self::LastAdmin(_)
            | Self::InvalidTemplate(_)
            | Self::InvalidPolicy(_)
            | Self::CaRefused(_)
            | Self::CaAlreadyVerified
            | Self::CaDistrusted
            | Self::ProofRefused(_)
            | Self::CodeExpired
            | Self::CaNotVerified
            | Self::TemplateRequired
            | Self::SelfRegistrationUnavailable { .. }
            | Self::SelfRegistrationDisabled
            | Self::TemplateNotBound
            | Self::ProductInAnotherSpace { .. }
            | Self::PolicyInAnotherSpace { .. }
            | Self::DeviceDeleted(_)
            | Self::CertificateRetired { .. }
            | Self::DeviceFrozen(_) => Fault::Operator,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::refusal::Refusal;

    #[test]
    fn codes_are_snake_case_and_mean_one_thing() {
        let rejections: Vec<_> = Rejection::codes().collect();
        assert_eq!(rejections.iter().collect::<BTreeSet<_>>().len(), rejections.len(), "each once: {rejections:?}");
        for nested in ["ca_weak_key", "proof_wrong_code", "derived_field"] {
            assert!(rejections.contains(&nested), "{nested}");
        }
        let all: BTreeSet<_> = Refusal::codes().collect();
        assert!(rejections.iter().all(|code| all.contains(code)), "a refusal may be any rejection");
        for code in all {
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{code}");
        }
    }
}
