//! Certificates as people send and read them: PEM (RFC 7468) on one side, DER on the other.
//!
//! Does not check certificates. Invariant: an error never repeats what was sent: it may be a private key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rollcall_domain::limits;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use crate::http::{codes::Code, error::ApiError};

/// Characters of base64 in one line (RFC 7468 section 2).
const LINE_CHARS: usize = 64;

/// The one certificate that a text holds, as DER. `field` is named in the error.
///
/// # Errors
/// [`Code::InvalidCertificate`] for none, several, or a private key.
pub(crate) fn one(field: &str, text: &str) -> Result<Box<[u8]>, ApiError> {
    let mut found = certificates(field, text)?;
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (Some(_), others) => Err(refused(field, &format!("holds {} certificates: send exactly one", others + 1))),
        (None, _) => Err(refused(field, "holds no certificate: send one as PEM, from -----BEGIN CERTIFICATE----- on")),
    }
}

/// The certificates that a text holds, the device's own first, as DER. `field` is named in the error.
///
/// # Errors
/// [`Code::InvalidCertificate`] for none, too many, or a private key.
pub(crate) fn chain(field: &str, text: &str) -> Result<Vec<Box<[u8]>>, ApiError> {
    let found = certificates(field, text)?;
    let max = limits::CHAIN_CERTIFICATES_MAX;
    match found.len() {
        0 => Err(refused(field, "holds no certificate: send the device's own as PEM, then those that issued it, if any")),
        many if many > max => Err(refused(field, &format!("holds {many} certificates: at most {max} are accepted"))),
        _ => Ok(found),
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

fn certificates(field: &str, text: &str) -> Result<Vec<Box<[u8]>>, ApiError> {
    // Also kinds of key that the reader below does not know, such as encrypted ones.
    if text.contains("PRIVATE KEY") {
        return Err(refused(field, "holds a private key: send certificates only, and take that key for known to others"));
    }
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let read = read.map_err(|_| refused(field, "is not well-formed PEM: a line is damaged, or an END line is missing"))?;
    Ok(read.iter().map(|certificate| certificate.as_ref().into()).collect())
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
        refused(one("content", "").map(drop), "no certificate");
        refused(one("content", "hello").map(drop), "no certificate");
        refused(one("content", &certificate.repeat(2)).map(drop), "2 certificates");
        refused(one("content", &certificate[..40]).map(drop), "not well-formed");
        assert_eq!(chain("verify_content", &certificate.repeat(3)).unwrap().len(), 3);
        refused(chain("verify_content", &certificate.repeat(7)).map(drop), "at most 6");
        refused(chain("verify_content", " ").map(drop), "no certificate");
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
