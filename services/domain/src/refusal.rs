//! Why a connection is not let in, or not kept. Each has one stable code, the same in MQTT 5 reason strings, logs,
//! metrics and `docs/operate/codes`.

use crate::{
    certificate::{
        lapse::{Lapse, Link},
        path::PathError,
    },
    fault::Fault,
    rejection::Rejection,
};

/// Why a connection is not let in, or not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The CA certificate has been deleted or is not verified.
    #[error("the CA certificate is no longer trusted by this instance")]
    CaNotTrusted,
    /// A CA that stands above the certificate was deleted with distrust.
    #[error("the chain leads through a CA that this instance distrusts")]
    CaDistrusted,
    /// The CA certificate is outside its validity.
    #[error("{0}")]
    CaExpired(Box<Lapse>),
    /// The device certificate, or one between it and the CA certificate, is past its notAfter.
    #[error("{0}")]
    CertificateExpired(Box<Lapse>),
    /// The device certificate, or one between it and the CA certificate, is before its notBefore.
    #[error("{0}")]
    CertificateNotYetValid(Box<Lapse>),
    /// An operator has made the certificate INACTIVE.
    #[error("the device certificate has been made inactive")]
    CertificateInactive,
    /// An operator has frozen the device.
    #[error("the device is frozen")]
    DeviceFrozen,
    /// The device was deleted; an operator must readmit it.
    #[error("the device was deleted and has not been readmitted")]
    DeviceDeleted,
    /// The certificate was taken away from its device; an operator must readmit it.
    #[error("the device certificate was taken away from its device and has not been readmitted")]
    CertificateRetired,
    /// Client id and user name name a device that does not exist, and the certificate makes another or none.
    #[error("client id and user name name a device that this certificate does not belong to")]
    DeviceMismatch,
    /// The device exists with another certificate.
    #[error("the device is registered with another certificate")]
    CertificateMismatch,
    /// The CA certificate has no template: only registered devices that use the standard client id and user name get in.
    #[error("the CA certificate has no template bound: only a registered device with the standard client id gets in")]
    TemplateNotBound,
    /// Self-registration is switched off for the CA certificate: no new device, and of those registered only one that uses the
    /// standard client id and user name.
    #[error("self-registration is switched off for the CA certificate")]
    SelfRegistrationDisabled,
    /// Unknown device; this edition and region has no self-registration.
    #[error("self-registration is not available in this edition and region")]
    SelfRegistrationUnavailable,
    /// The template, as it stands now, does not make this device of this certificate.
    #[error("the template no longer derives this device from the certificate")]
    TemplateNoLongerDerives,
    /// The registrar's rule, applied at the edge, said no.
    #[error("registration was rejected: {0}")]
    RegistrationRejected(#[source] Box<Rejection>),
    /// The registrar said no: its rejection as it travelled.
    #[error("registration was rejected: {text}")]
    RegistrationRuledOut {
        /// [`Rejection::code`].
        code: Box<str>,
        /// The rejection's text.
        text: Box<str>,
    },
    /// The device is one that proves itself by a secret.
    #[error("the device is registered with a secret, not with a certificate")]
    SecretAuthenticated,
    /// The registrar's answer did not come within the deadline; the request is kept.
    #[error("registration has not been answered in time; connect again")]
    RegistrationTimedOut,
    /// The log cannot be reached.
    #[error("the registry cannot be reached; connect again")]
    RegistryUnavailable,
    /// Too many registrations are under way.
    #[error("too many registrations are under way; connect again later")]
    RegistrationShed,
    /// This connector has not read the registry yet.
    #[error("this connector is still reading the registry; connect again")]
    NotReady,
    /// This connector is stopping.
    #[error("this connector is shutting down; connect again")]
    ShuttingDown,
    /// A keep-alive that a client before MQTT 5 may not have: under 5 seconds, over 1200, or none.
    #[error("the keep-alive must be 5 to 1200 seconds, and not 0")]
    KeepAliveOutOfRange,
    /// Not MQTT 3.1, 3.1.1 or 5.0.
    #[error("this MQTT version is not supported")]
    ProtocolVersion,
    /// An empty client id where the standard forbids it, or one that is too long.
    #[error("the client id is not acceptable")]
    ClientId,
    /// MQTT 5 enhanced authentication.
    #[error("enhanced authentication is not supported; the certificate is enough")]
    AuthenticationMethod,
    /// The packet breaks the MQTT standard.
    #[error("the packet breaks the MQTT standard")]
    ProtocolError,
    /// A packet larger than announced.
    #[error("the packet is larger than this server accepts")]
    PacketTooLarge,
    /// Nothing came within one and a half keep-alives.
    #[error("nothing was received within one and a half times the keep-alive")]
    KeepAliveTimedOut,
    /// The same device connected elsewhere.
    #[error("the device has connected again; the newer connection wins")]
    TakenOver,
    /// The client does not read what is sent to it.
    #[error("the client does not take what is sent to it")]
    SlowConsumer,
}

/// Writes `code()` and the list of all codes from one table, so that neither can miss a variant.
macro_rules! codes {
    ($($own:pat => $code:literal,)*) => {
        impl Refusal {
            /// The codes of this enum's own variants, in their order.
            const OWN_CODES: &'static [&'static str] = &[$($code),*];

            /// The stable code; its page is `docs/operate/codes/<code>.md`.
            pub fn code(&self) -> &str {
                match self {
                    $($own => $code,)*
                    Self::RegistrationRejected(rejection) => rejection.code(),
                    Self::RegistrationRuledOut { code, .. } => code,
                }
            }
        }
    };
}

codes! {
    Refusal::CaNotTrusted => "ca_not_trusted",
    Refusal::CaDistrusted => "ca_distrusted",
    Refusal::CaExpired(_) => "ca_expired",
    Refusal::CertificateExpired(_) => "certificate_expired",
    Refusal::CertificateNotYetValid(_) => "certificate_not_yet_valid",
    Refusal::CertificateInactive => "certificate_inactive",
    Refusal::DeviceFrozen => "device_frozen",
    Refusal::DeviceDeleted => "device_deleted",
    Refusal::CertificateRetired => "certificate_retired",
    Refusal::DeviceMismatch => "device_mismatch",
    Refusal::CertificateMismatch => "certificate_mismatch",
    Refusal::TemplateNotBound => "template_not_bound",
    Refusal::SelfRegistrationDisabled => "self_registration_disabled",
    Refusal::SelfRegistrationUnavailable => "self_registration_unavailable",
    Refusal::TemplateNoLongerDerives => "template_no_longer_derives",
    Refusal::SecretAuthenticated => "secret_authenticated",
    Refusal::RegistrationTimedOut => "registration_timed_out",
    Refusal::RegistryUnavailable => "registry_unavailable",
    Refusal::RegistrationShed => "registration_shed",
    Refusal::NotReady => "not_ready",
    Refusal::ShuttingDown => "shutting_down",
    Refusal::KeepAliveOutOfRange => "keep_alive_out_of_range",
    Refusal::ProtocolVersion => "protocol_version",
    Refusal::ClientId => "client_id",
    Refusal::AuthenticationMethod => "authentication_method",
    Refusal::ProtocolError => "protocol_error",
    Refusal::PacketTooLarge => "packet_too_large",
    Refusal::KeepAliveTimedOut => "keep_alive_timed_out",
    Refusal::TakenOver => "taken_over",
    Refusal::SlowConsumer => "slow_consumer",
}

impl From<Lapse> for Refusal {
    fn from(lapse: Lapse) -> Self {
        match lapse.link {
            Link::Ca(_) => Self::CaExpired(lapse.into()),
            Link::Presented(_) if lapse.is_expiry() => Self::CertificateExpired(lapse.into()),
            Link::Presented(_) => Self::CertificateNotYetValid(lapse.into()),
        }
    }
}

/// Of a chain that does not hold.
impl From<PathError> for Refusal {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Expired(lapse) | PathError::NotYetValid(lapse) => (*lapse).into(),
            PathError::Distrusted => Self::CaDistrusted,
            PathError::Empty | PathError::UnknownIssuer | PathError::BadSignature => Self::CaNotTrusted,
            PathError::TooLong { .. }
            | PathError::TooManyBytes { .. }
            | PathError::Malformed { .. }
            | PathError::IssuerEncoding { .. }
            | PathError::NotPermitted { .. }
            | PathError::WeakKey { .. }
            | PathError::WrongPurpose { .. } => Self::RegistrationRejected(Box::new(Rejection::ChainRefused(error))),
        }
    }
}

impl Refusal {
    /// Every code that [`Self::code`] can give, the registrar's rejections included; some are in both.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        Self::OWN_CODES.iter().copied().chain(Rejection::codes())
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::CertificateExpired(_)
            | Self::CertificateNotYetValid(_)
            | Self::DeviceMismatch
            | Self::CertificateMismatch
            | Self::SecretAuthenticated
            | Self::RegistrationRuledOut { .. }
            | Self::KeepAliveOutOfRange
            | Self::ProtocolVersion
            | Self::ClientId
            | Self::AuthenticationMethod
            | Self::ProtocolError
            | Self::PacketTooLarge
            | Self::KeepAliveTimedOut
            | Self::TakenOver
            | Self::SlowConsumer => Fault::Device,
            Self::CaNotTrusted
            | Self::CaDistrusted
            | Self::CaExpired(_)
            | Self::CertificateInactive
            | Self::DeviceFrozen
            | Self::DeviceDeleted
            | Self::CertificateRetired
            | Self::TemplateNotBound
            | Self::SelfRegistrationDisabled
            | Self::SelfRegistrationUnavailable
            | Self::TemplateNoLongerDerives => Fault::Operator,
            Self::RegistrationRejected(rejection) => rejection.fault(),
            Self::RegistrationShed | Self::NotReady | Self::ShuttingDown => Fault::Service,
            Self::RegistrationTimedOut | Self::RegistryUnavailable => Fault::Dependency,
        }
    }
}
