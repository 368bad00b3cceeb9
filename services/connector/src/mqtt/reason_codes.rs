//! The answer to each refusal in MQTT: CONNACK code, MQTT 5 reason codes, reason string.
//!
//! One exhaustive match: a new refusal does not compile until it has an answer here. The code in the reason string is
//! the one that logs, metrics and `docs/operate/codes` use; the numbers only steer the client's library.

use rmqtt_codec::{
    v3::ConnectAckReason as Connack3,
    v5::{ConnectAckReason as Connack5, DisconnectReasonCode as Disconnect5},
};
use rollcall_domain::refusal::Refusal;

use super::limits::REASON_BYTES_MAX;

/// The numbers of one refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codes {
    /// CONNACK return code of MQTT 3.1 and 3.1.1; `None`: they have no code for it and the connection is closed.
    pub(crate) connack_3: Option<Connack3>,
    /// CONNACK reason code of MQTT 5.
    pub(crate) connack_5: Connack5,
    /// DISCONNECT reason code of MQTT 5, for a session that was open.
    pub(crate) disconnect_5: Disconnect5,
}

/// The numbers of a refusal.
///
/// 3.1.1 codes as the service uses them: 1 version, 2 client id or keep-alive, 3 try again, 4 wrong credentials (device
/// SDKs do not try again), 5 not authorised.
pub(crate) fn codes(refusal: &Refusal) -> Codes {
    let not_authorised = |disconnect_5| codes_of(Some(Connack3::NotAuthorized), Connack5::NotAuthorized, disconnect_5);
    let wrong_credentials =
        codes_of(Some(Connack3::BadUserNameOrPassword), Connack5::BadUserNameOrPassword, Disconnect5::NotAuthorized);
    let unavailable = |connack_5, disconnect_5| codes_of(Some(Connack3::ServiceUnavailable), connack_5, disconnect_5);
    match refusal {
        Refusal::CaNotTrusted
        | Refusal::CaDistrusted
        | Refusal::CertificateInactive
        | Refusal::DeviceFrozen
        | Refusal::DeviceDeleted
        | Refusal::CertificateRetired
        | Refusal::TemplateNotBound
        | Refusal::SelfRegistrationDisabled
        | Refusal::SelfRegistrationUnavailable
        | Refusal::TemplateNoLongerDerives => not_authorised(Disconnect5::AdministrativeAction),
        Refusal::CaExpired(_)
        | Refusal::CertificateExpired(_)
        | Refusal::CertificateNotYetValid(_)
        | Refusal::RegistrationRejected(_)
        | Refusal::RegistrationRuledOut { .. } => not_authorised(Disconnect5::NotAuthorized),
        Refusal::DeviceMismatch | Refusal::CertificateMismatch | Refusal::SecretAuthenticated => wrong_credentials,
        Refusal::RegistrationTimedOut | Refusal::RegistryUnavailable | Refusal::NotReady => {
            unavailable(Connack5::ServerUnavailable, Disconnect5::ServerBusy)
        }
        Refusal::RegistrationShed => unavailable(Connack5::ServerBusy, Disconnect5::ServerBusy),
        Refusal::ShuttingDown => unavailable(Connack5::ServerUnavailable, Disconnect5::ServerShuttingDown),
        Refusal::TakenOver => unavailable(Connack5::UnspecifiedError, Disconnect5::SessionTakenOver),
        Refusal::KeepAliveTimedOut => unavailable(Connack5::UnspecifiedError, Disconnect5::KeepAliveTimeout),
        Refusal::SlowConsumer => unavailable(Connack5::QuotaExceeded, Disconnect5::QuotaExceeded),
        Refusal::ProtocolVersion => codes_of(
            Some(Connack3::UnacceptableProtocolVersion),
            Connack5::UnsupportedProtocolVersion,
            Disconnect5::ProtocolError,
        ),
        Refusal::ClientId => {
            codes_of(Some(Connack3::IdentifierRejected), Connack5::ClientIdentifierNotValid, Disconnect5::ProtocolError)
        }
        // MQTT 5 has no reason for a keep-alive; "client identifier not valid", 3.1.1's neighbour, would mislead.
        Refusal::KeepAliveOutOfRange => codes_of(
            Some(Connack3::IdentifierRejected),
            Connack5::ImplementationSpecificError,
            Disconnect5::ImplementationSpecificError,
        ),
        Refusal::AuthenticationMethod => {
            codes_of(Some(Connack3::NotAuthorized), Connack5::BadAuthenticationMethod, Disconnect5::BadAuthenticationMethod)
        }
        Refusal::ProtocolError => codes_of(None, Connack5::ProtocolError, Disconnect5::ProtocolError),
        Refusal::PacketTooLarge => codes_of(None, Connack5::PacketTooLarge, Disconnect5::PacketTooLarge),
    }
}

const fn codes_of(connack_3: Option<Connack3>, connack_5: Connack5, disconnect_5: Disconnect5) -> Codes {
    Codes { connack_3, connack_5, disconnect_5 }
}

/// `<code>: <text>`, made fit for an MQTT string: a rejection's text may quote a certificate.
pub(crate) fn reason_string(code: &str, text: &dyn std::fmt::Display) -> String {
    let mut reason: String = format!("{code}: {text}")
        .chars()
        .map(|character| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character })
        .collect();
    reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f8_a_reason_string_holds_no_control_character_and_has_a_limit() {
        let text = format!("CN \"a\r\n\u{0}\" {}", "ü".repeat(600));
        let reason = reason_string("template_not_applicable", &text);
        assert!(reason.starts_with("template_not_applicable: CN \"a"));
        assert!(!reason.chars().any(char::is_control));
        assert!(reason.len() <= REASON_BYTES_MAX);
    }

    #[test]
    fn clients_are_told_to_stop_or_to_come_back() {
        let number = |refusal: &Refusal| codes(refusal).connack_3.map(u8::from);
        assert_eq!(number(&Refusal::ProtocolVersion), Some(1));
        assert_eq!(number(&Refusal::KeepAliveOutOfRange), Some(2));
        assert_eq!(number(&Refusal::RegistrationTimedOut), Some(3));
        assert_eq!(number(&Refusal::RegistrationShed), Some(3));
        assert_eq!(number(&Refusal::CertificateMismatch), Some(4));
        assert_eq!(number(&Refusal::DeviceFrozen), Some(5));
        assert_eq!(number(&Refusal::ProtocolError), None);
        assert_eq!(u8::from(codes(&Refusal::DeviceFrozen).connack_5), 0x87);
        assert_eq!(u8::from(codes(&Refusal::RegistrationTimedOut).connack_5), 0x88);
        assert_eq!(u8::from(codes(&Refusal::TakenOver).disconnect_5), 0x8e);
    }
}
