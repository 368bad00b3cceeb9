//! Why a connection is not let in, or not kept. Each has one stable code, the same in MQTT 5 reason strings, logs,
//! metrics and `docs/operate/codes`.

use crate::rejection::Rejection;

/// Whose fault something is: decides log level, status and who is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The device or its certificate.
    Device,
    /// Whoever configured the instance.
    Operator,
    /// Rollcall itself, or its limits.
    Service,
    /// Something that Rollcall depends on.
    Dependency,
}

/// Why a connection is not let in, or not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The CA certificate has been deleted or is not verified.
    #[error("the CA certificate is no longer trusted by this instance")]
    CaNotTrusted,
    /// The CA certificate is outside its validity.
    #[error("the CA certificate is not within its validity")]
    CaExpired,
    /// The device certificate is past its notAfter.
    #[error("the device certificate has expired")]
    CertificateExpired,
    /// The device certificate is before its notBefore.
    #[error("the device certificate is not yet valid")]
    CertificateNotYetValid,
    /// An operator has made the certificate INACTIVE.
    #[error("the device certificate has been made inactive")]
    CertificateInactive,
    /// An operator has frozen the device.
    #[error("the device is frozen")]
    DeviceFrozen,
    /// The device was deleted; an operator must readmit it.
    #[error("the device was deleted and has not been readmitted")]
    DeviceDeleted,
    /// Client id and user name name a device that does not exist, and the certificate makes another or none.
    #[error("client id and user name name a device that this certificate does not belong to")]
    DeviceMismatch,
    /// The device exists with another certificate.
    #[error("the device is registered with another certificate")]
    CertificateMismatch,
    /// Unknown device; the CA certificate has no template.
    #[error("the device is unknown and the CA certificate has no template bound")]
    TemplateNotBound,
    /// Unknown device; self-registration is switched off for the CA certificate.
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
    /// More connections than the connector's limit.
    #[error("this connector has as many connections as it may")]
    ConnectionLimit,
    /// Keep-alive outside 30 to 1200 seconds.
    #[error("the keep-alive must be between 30 and 1200 seconds")]
    KeepAliveOutOfRange,
    /// Not MQTT 3.1, 3.1.1 or 5.0.
    #[error("this MQTT version is not supported")]
    ProtocolVersion,
    /// An empty client id where the standard forbids it, or one that is too long.
    #[error("the client id is not acceptable")]
    ClientId,
    /// A will message.
    #[error("will messages are not supported")]
    WillUnsupported,
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
    /// More messages a second than allowed.
    #[error("the device sends more than it may")]
    RateExceeded,
}

impl Refusal {
    /// The stable code; its page is `docs/operate/codes/<code>.md`.
    pub fn code(&self) -> &str {
        match self {
            Self::CaNotTrusted => "ca_not_trusted",
            Self::CaExpired => "ca_expired",
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateNotYetValid => "certificate_not_yet_valid",
            Self::CertificateInactive => "certificate_inactive",
            Self::DeviceFrozen => "device_frozen",
            Self::DeviceDeleted => "device_deleted",
            Self::DeviceMismatch => "device_mismatch",
            Self::CertificateMismatch => "certificate_mismatch",
            Self::TemplateNotBound => "template_not_bound",
            Self::SelfRegistrationDisabled => "self_registration_disabled",
            Self::SelfRegistrationUnavailable => "self_registration_unavailable",
            Self::TemplateNoLongerDerives => "template_no_longer_derives",
            Self::RegistrationRejected(rejection) => rejection.code(),
            Self::RegistrationRuledOut { code, .. } => code,
            Self::SecretAuthenticated => "secret_authenticated",
            Self::RegistrationTimedOut => "registration_timed_out",
            Self::RegistryUnavailable => "registry_unavailable",
            Self::RegistrationShed => "registration_shed",
            Self::NotReady => "not_ready",
            Self::ShuttingDown => "shutting_down",
            Self::ConnectionLimit => "connection_limit",
            Self::KeepAliveOutOfRange => "keep_alive_out_of_range",
            Self::ProtocolVersion => "protocol_version",
            Self::ClientId => "client_id",
            Self::WillUnsupported => "will_unsupported",
            Self::AuthenticationMethod => "authentication_method",
            Self::ProtocolError => "protocol_error",
            Self::PacketTooLarge => "packet_too_large",
            Self::KeepAliveTimedOut => "keep_alive_timed_out",
            Self::TakenOver => "taken_over",
            Self::SlowConsumer => "slow_consumer",
            Self::RateExceeded => "rate_exceeded",
        }
    }
}
