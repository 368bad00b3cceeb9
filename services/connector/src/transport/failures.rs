//! Says why a handshake failed: a counter always, an attempt if the chain is from a verified CA certificate, and a line; and
//! why TLS failed after it: a line.
//!
//! Invariant: labels are words of this file and of the domain, never anything that a client has sent; nothing is waited
//! for, and the client has its alert by then.

use std::{io, net::IpAddr, sync::Arc};

use rollcall_domain::{certificate::path::PathError, ids::DeviceId, text};
use rustls::{AlertDescription, Error, PeerIncompatible};
use tokio::time::Instant;

use crate::{
    admission::attempts::RefusedHandshake,
    context::ConnectorContext,
    instance::Instance,
    metrics::{HandshakeEnd, metrics},
    transport::{proxy_protocol::HeaderFault, refused_chain::RefusedChain, sni::HELLO_BYTES_MAX},
};

/// Characters of an SNI that are shown.
const SNI_CHARS_MAX: usize = 253;
/// Lines of established connections are counted apart from those of handshakes.
const AFTER_HANDSHAKE: &str = "after_handshake";

/// What is known of a client whose handshake is under way.
pub(crate) struct Attempted {
    pub(crate) source: IpAddr,
    /// What its ClientHello asked for, lower case.
    pub(crate) server_name: Option<String>,
    /// Whose access domain that is.
    pub(crate) instance: Option<Arc<Instance>>,
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The peer should have said where the connection comes from.
    #[error("{0}")]
    Proxy(#[source] HeaderFault),
    #[error("the client went away: {0}")]
    Gone(#[source] io::Error),
    #[error("no ClientHello: {0}")]
    NotTls(#[source] Error),
    #[error("the ClientHello is longer than {} bytes", HELLO_BYTES_MAX)]
    HelloTooLong,
    #[error("the client names no instance in SNI")]
    NameAbsent,
    #[error("the server name is no access domain")]
    NameUnknown,
    #[error("the instance has no server certificate that can be used")]
    NoServerCertificate,
    /// rustls, or the client's alert, says why.
    #[error("{0}")]
    Tls(#[source] Error),
    #[error("it was not complete in time")]
    TimedOut,
}

impl Fault {
    const fn end(&self) -> HandshakeEnd {
        match self {
            Self::Proxy(_) => HandshakeEnd::ProxyHeader,
            Self::NameAbsent => HandshakeEnd::NameAbsent,
            Self::NameUnknown => HandshakeEnd::NameUnknown,
            Self::NoServerCertificate => HandshakeEnd::NoServerCertificate,
            Self::TimedOut => HandshakeEnd::TimedOut,
            Self::Gone(_) | Self::NotTls(_) | Self::HelloTooLong | Self::Tls(_) => HandshakeEnd::Failed,
        }
    }
}

/// What is counted and said of a fault.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    kind: &'static str,
    /// As RFC 8446 §6 spells it; `none` where none was sent or received.
    alert: &'static str,
    reason: String,
}

/// Reports a handshake that failed; `refused` if it was for the client's chain.
pub(crate) fn report(context: &ConnectorContext, client: &Attempted, fault: &Fault, refused: Option<Box<RefusedChain>>) {
    metrics().handshake(fault.end());
    let Said { kind, alert, reason } = said(fault, refused.as_deref());
    metrics().handshake_failed(kind, alert);
    let (source, instance) = (client.source, client.instance.as_ref());
    if let Some((refused, instance)) = refused.zip(instance) {
        instance.attempts.record_handshake(RefusedHandshake { refused: *refused, source });
    }
    let server_name = client.server_name.as_deref().map(|name| text::shown(name, SNI_CHARS_MAX));
    let instance = instance.map(|instance| instance.id.as_str());
    match fault {
        // Health checks and scans come and go.
        Fault::Gone(_) => tracing::debug!(%source, server_name, instance, "handshake failed: {reason}"),
        // Whoever set up the load balancer has to know: none of its clients gets in.
        Fault::Proxy(_) => {
            if let Some(left_out) = context.handshake_repeats.failed(&reason) {
                tracing::warn!(%source, left_out, "a connection of a listed load balancer was closed: {reason}");
            }
        }
        Fault::NotTls(_)
        | Fault::HelloTooLong
        | Fault::NameAbsent
        | Fault::NameUnknown
        | Fault::NoServerCertificate
        | Fault::Tls(_)
        | Fault::TimedOut => {
            if let Some(left_out) = context.failure_lines.due(source, kind, Instant::now()) {
                tracing::info!(%source, server_name, instance, kind, alert, left_out, "handshake failed: {reason}");
            }
        }
    }
}

/// Reports TLS that has failed after the handshake, such as by an alert of the client; any other end of a connection is not
/// reported. In TLS 1.3 a client may find only then what it cannot take: it has shown its certificate, and a device that was let
/// in would leave at once without a reason.
pub(crate) fn report_established(
    context: &ConnectorContext,
    instance: &Instance,
    device: Option<&DeviceId>,
    source: IpAddr,
    error: &io::Error,
) {
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<Error>()) else { return };
    let Said { kind, alert, reason } = of_tls(error);
    if let Some(left_out) = context.failure_lines.due(source, AFTER_HANDSHAKE, Instant::now()) {
        let (instance, device) = (&instance.id, device.map(tracing::field::display));
        tracing::info!(%source, %instance, device, kind, alert, left_out, "TLS failed after the handshake: {reason}");
    }
}

fn said(fault: &Fault, refused: Option<&RefusedChain>) -> Said {
    let said = |kind, alert| Said { kind, alert, reason: fault.to_string() };
    match (fault, refused) {
        (Fault::Tls(_), Some(refused)) => {
            let error = &refused.unproven.error;
            Said { kind: error.kind(), alert: alert_of(error), reason: error.to_string() }
        }
        (Fault::Tls(error) | Fault::NotTls(error), _) => of_tls(error),
        (Fault::Proxy(_), _) => said("proxy_header", "none"),
        (Fault::HelloTooLong, _) => said("hello_too_long", "decode_error"),
        (Fault::NameAbsent, _) => said("name_absent", "unrecognized_name"),
        (Fault::NameUnknown, _) => said("name_unknown", "unrecognized_name"),
        (Fault::NoServerCertificate, _) => said("no_server_certificate", "internal_error"),
        (Fault::TimedOut, _) => said("timed_out", "none"),
        (Fault::Gone(_), _) => said("gone", "none"),
    }
}

/// The alert that a device gets for its chain: what `client_verifier` makes rustls send (RFC 8446 §6.2).
pub(crate) fn alert_of(error: &PathError) -> &'static str {
    match error {
        PathError::UnknownIssuer | PathError::IssuerEncoding { .. } => "unknown_ca",
        PathError::Distrusted => "certificate_revoked",
        PathError::Expired(_) | PathError::NotYetValid(_) => "certificate_expired",
        PathError::BadSignature => "decrypt_error",
        PathError::WrongPurpose { .. } => "unsupported_certificate",
        PathError::Malformed { .. } => "bad_certificate",
        PathError::Empty
        | PathError::TooLong { .. }
        | PathError::TooManyBytes { .. }
        | PathError::NotPermitted { .. }
        | PathError::WeakKey { .. } => "certificate_unknown",
    }
}

fn of_tls(error: &Error) -> Said {
    let said = |kind, alert, reason: &str| Said { kind, alert, reason: reason.to_owned() };
    match error {
        Error::AlertReceived(alert) => {
            let alert = name(*alert);
            let reason = format!(
                "the client sent {alert}: its own log says more; of these, unknown_ca and bad_certificate \
                                  mean that it does not trust the server's certificate"
            );
            Said { kind: "client_alert", alert, reason }
        }
        Error::NoCertificatesPresented => {
            said("no_certificate", "certificate_required", "the client presents no certificate")
        }
        // The verifier's own errors come as a refused chain; this is the proof of possession.
        Error::InvalidCertificate(_) => {
            said("key_not_held", "decrypt_error", "the client's signature is not by the key of its certificate")
        }
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired,
        ) => said("incompatible", "protocol_version", "the client offers neither TLS 1.2 nor 1.3"),
        Error::PeerIncompatible(_) => said(
            "incompatible",
            "handshake_failure",
            "the client offers no cipher suite, group or signature algorithm in common (docs/reference/tls.md)",
        ),
        Error::PeerMisbehaved(_) => said("misbehaved", "illegal_parameter", "the client breaks the rules of TLS"),
        Error::InvalidMessage(_) => said("garbage", "decode_error", "what came is not TLS, or no message of it"),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            said("misbehaved", "unexpected_message", "a message came out of turn")
        }
        Error::DecryptError => said("misbehaved", "bad_record_mac", "a record cannot be decrypted"),
        Error::PeerSentOversizedRecord => said("misbehaved", "record_overflow", "a record is larger than TLS allows"),
        _ => said("other", "other", "TLS ended the connection"),
    }
}

/// The name of an alert that a client sent.
pub(super) fn name(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CloseNotify => "close_notify",
        AlertDescription::UnexpectedMessage => "unexpected_message",
        AlertDescription::BadRecordMac => "bad_record_mac",
        AlertDescription::RecordOverflow => "record_overflow",
        AlertDescription::HandshakeFailure => "handshake_failure",
        AlertDescription::BadCertificate => "bad_certificate",
        AlertDescription::UnsupportedCertificate => "unsupported_certificate",
        AlertDescription::CertificateRevoked => "certificate_revoked",
        AlertDescription::CertificateExpired => "certificate_expired",
        AlertDescription::CertificateUnknown => "certificate_unknown",
        AlertDescription::IllegalParameter => "illegal_parameter",
        AlertDescription::UnknownCA => "unknown_ca",
        AlertDescription::AccessDenied => "access_denied",
        AlertDescription::DecodeError => "decode_error",
        AlertDescription::DecryptError => "decrypt_error",
        AlertDescription::ProtocolVersion => "protocol_version",
        AlertDescription::InsufficientSecurity => "insufficient_security",
        AlertDescription::InternalError => "internal_error",
        AlertDescription::UserCanceled => "user_canceled",
        AlertDescription::MissingExtension => "missing_extension",
        AlertDescription::UnsupportedExtension => "unsupported_extension",
        _ => "other",
    }
}
