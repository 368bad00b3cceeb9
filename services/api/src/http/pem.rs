//! Certificates as people send and read them: PEM (RFC 7468) on one side, DER on the other.
//!
//! Does not check certificates; [`rollcall_chassis::pem`] reads them. Invariant: an error never repeats what was sent: it may be
//! a private key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rollcall_chassis::pem::{self, PemError};
use rollcall_domain::{certificate::FactsError, limits};

use crate::http::{codes::Code, error::ApiError};

/// Characters of base64 in one line (RFC 7468 section 2).
const LINE_CHARS: usize = 64;

/// The one certificate that a text holds, as DER. `field` is named in the error.
///
/// # Errors
/// [`Code::InvalidCertificate`] for none, several, or a private key.
pub(crate) fn one(field: &str, text: &str) -> Result<Box<[u8]>, ApiError> {
    holds_no_key(field, text)?;
    let found = pem::certificate(text.as_bytes()).map_err(|fault| unreadable(field, fault))?;
    Ok(found.as_ref().into())
}

/// The certificates that a text holds, the device's own first, as DER. `field` is named in the error.
///
/// # Errors
/// [`Code::InvalidCertificate`] for none, too many, or a private key.
pub(crate) fn chain(field: &str, text: &str) -> Result<Vec<Box<[u8]>>, ApiError> {
    holds_no_key(field, text)?;
    let found = pem::certificates(text.as_bytes()).map_err(|fault| unreadable(field, fault))?;
    let max = limits::CHAIN_CERTIFICATES_MAX;
    match found.len() {
        many if many > max => Err(refused(field, &format!("holds {many} certificates: at most {max} are accepted"))),
        _ => Ok(found.iter().map(|certificate| certificate.as_ref().into()).collect()),
    }
}

/// A certificate as PEM text.
pub(crate) fn write(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = String::with_capacity(base64.len() + base64.len() / LINE_CHARS + 64);
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = base64.as_str();
    while let Some((line, after)) = rest.split_at_checked(LINE_CHARS) {
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        text.push_str(rest);
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

fn holds_no_key(field: &str, text: &str) -> Result<(), ApiError> {
    // Also beside a certificate, and kinds of key that the reader does not know.
    if text.contains("PRIVATE KEY") {
        return Err(refused(field, "holds a private key: send certificates only, and take that key for known to others"));
    }
    Ok(())
}

/// The error for a section of a text that is no certificate, although it is PEM: the `n`th, from 0.
pub(crate) fn unreadable_at(field: &str, n: usize, fault: &FactsError) -> ApiError {
    refused(field, &format!("certificate {}: {fault}", n + 1))
}

fn unreadable(field: &str, fault: PemError) -> ApiError {
    refused(field, &format!("holds no certificate that can be read: {fault}"))
}

fn refused(field: &str, rule: &str) -> ApiError {
    ApiError::new(Code::InvalidCertificate, format!("Invalid certificate content. {field} {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for bytes in [0, 1, 47, 48, 49, 1000] {
            let der: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
            let text = write(&der);
            assert!(text.lines().all(|line| line.len() <= LINE_CHARS), "{text}");
            assert_eq!(*one("content", &text).unwrap(), *der);
            assert_eq!(*one("content", &text.replace('\n', "\r\n")).unwrap(), *der);
        }
    }

    #[test]
    fn one_certificate_is_one_and_a_chain_is_a_few() {
        let certificate = write(&[1, 2, 3]);
        let refused = |outcome: Result<_, ApiError>, what: &str| {
            let error = outcome.err().unwrap();
            assert_eq!(error.code, Code::InvalidCertificate);
            assert!(error.message.contains(what), "{}", error.message);
        };
        refused(one("content", "").map(drop), "line 1: it is empty");
        refused(one("content", "hello").map(drop), "line 1: it is not PEM");
        refused(one("content", &certificate.repeat(2)).map(drop), "line 4: a second certificate");
        refused(one("content", &certificate[..32]).map(drop), "line 1: what begins here has no");
        refused(one("content", &certificate.replace('\n', "\\n")).map(drop), "line 1: its line breaks are written out");
        assert_eq!(chain("verify_content", &certificate.repeat(3)).unwrap().len(), 3);
        refused(chain("verify_content", &certificate.repeat(7)).map(drop), "at most 6");
        refused(chain("verify_content", " ").map(drop), "it is empty");
    }

    #[test]
    fn a_private_key_is_refused_and_never_repeated() {
        for kind in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
            let text = format!("{}-----BEGIN {kind}-----\nc2VjcmV0\n-----END {kind}-----\n", write(&[1]));
            let error = one("content", &text).unwrap_err();
            assert!(error.message.contains("private key") && !error.message.contains("c2VjcmV0"), "{}", error.message);
        }
    }
}
