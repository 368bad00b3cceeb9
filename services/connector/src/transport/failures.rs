//! Says why a handshake failed: a counter always, an attempt if the chain is from a verified CA certificate, and a line.
//!
//! Invariant: labels are words of this file and of the domain, never anything that a client has sent; nothing is waited
//! for, and the client has its alert by then.

use std::{net::IpAddr, sync::Arc};

use rollcall_domain::{certificate::path::PathError, text};
use rustls::{AlertDescription, Error, PeerIncompatible};
use tokio::time::Instant;

use crate::{
    admission::attempts::RefusedHandshake, context::ConnectorContext, instance::Instance, metrics::metrics,
    transport::refused_chain::RefusedChain,
};

/// Characters of an SNI that are shown.
const SNI_CHARS_MAX: usize = 253;

/// A handshake that failed.
pub(crate) struct FailedHandshake<'a> {
    pub(crate) source: IpAddr,
    /// What the client asked for, if it came so far.
    pub(crate) sni: Option<&'a str>,
    /// What that led to.
    pub(crate) instance: Option<&'a Arc<Instance>>,
    pub(crate) cause: Cause<'a>,
}

/// Why it failed, as far as is known where it did.
pub(crate) enum Cause<'a> {
    /// The verifier refused the chain.
    Chain(Box<RefusedChain>),
    /// TLS ended it.
    Tls(&'a Error),
    /// No SNI, or an IP literal in its place.
    NameAbsent,
    /// An SNI that is no instance's access domain.
    NameUnknown,
    /// The instance has no server certificate that can be used.
    NoServerCertificate,
    /// Not within its deadline.
    TimedOut,
    /// The client went away.
    Gone,
}

/// What is counted and said of a cause.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    kind: &'static str,
    /// As RFC 8446 §6 spells it; `none` where none was sent or received.
    alert: &'static str,
    reason: String,
}

/// Reports a failed handshake.
pub(crate) fn report(context: &ConnectorContext, failed: FailedHandshake<'_>) {
    let Said { kind, alert, reason } = failed.cause.said();
    metrics().handshake_failed(kind, alert);
    let (source, sni) = (failed.source, text::shown(failed.sni.unwrap_or_default(), SNI_CHARS_MAX));
    let level_is_low = matches!(failed.cause, Cause::Gone);
    if let (Cause::Chain(refused), Some(instance)) = (failed.cause, failed.instance) {
        instance.attempts.record_handshake(RefusedHandshake { refused: *refused, source });
    }
    if level_is_low {
        tracing::debug!(%source, sni, kind, "a client left during its TLS handshake");
    } else if let Some(left_out) = context.failure_lines.due(source, kind, Instant::now()) {
        tracing::info!(%source, sni, kind, alert, %reason, left_out, "TLS handshake refused");
    }
}

impl Cause<'_> {
    fn said(&self) -> Said {
        let said = |kind, alert, reason: &str| Said { kind, alert, reason: reason.to_owned() };
        match self {
            Self::Chain(refused) => {
                let error = &refused.unproven.error;
                Said { kind: error.kind(), alert: alert_of(error), reason: error.to_string() }
            }
            Self::Tls(error) => of_tls(error),
            Self::NameAbsent => said("name_absent", "unrecognized_name", "the client names no instance in SNI"),
            Self::NameUnknown => said("name_unknown", "unrecognized_name", "no instance here has this access domain"),
            Self::NoServerCertificate => {
                said("no_server_certificate", "internal_error", "the instance has no server certificate that can be used")
            }
            Self::TimedOut => said("timed_out", "none", "the handshake was not complete within its deadline"),
            Self::Gone => said("gone", "none", "the client went away"),
        }
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
        _ => said("other", "other", "TLS ended the handshake"),
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
