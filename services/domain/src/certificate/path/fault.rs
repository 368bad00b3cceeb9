//! What webpki says, in our words. webpki's errors may grow, so what is not known here is shown as it is.

use webpki::Error;

use super::PathError;

/// Of one certificate that webpki does not read.
pub(super) fn of_certificate(index: usize, error: &Error) -> PathError {
    let reason = match error {
        Error::UnsupportedCriticalExtension => "it has a critical extension that is not processed".into(),
        other => other.to_string(),
    };
    PathError::Malformed { index, reason }
}

/// Of a path that webpki does not build.
pub(super) fn of_path(error: &Error) -> PathError {
    let not_permitted = |reason: &str| PathError::NotPermitted { reason: reason.into() };
    let wrong_purpose = |reason: &str| PathError::WrongPurpose { reason: reason.into() };
    match error {
        Error::UnknownIssuer => PathError::UnknownIssuer,
        Error::CertExpired { .. } => PathError::Expired,
        Error::CertNotValidYet { .. } => PathError::NotYetValid,
        Error::InvalidSignatureForPublicKey => PathError::BadSignature,
        Error::UnsupportedSignatureAlgorithmContext(_) => {
            PathError::WeakKey { reason: "a signature algorithm that is not accepted".into() }
        }
        Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            PathError::WeakKey { reason: "a signature algorithm that does not fit the issuer's key".into() }
        }
        Error::CaUsedAsEndEntity => wrong_purpose("it is a CA certificate"),
        Error::RequiredEkuNotFoundContext(_) => wrong_purpose("its extended key usage leaves out client authentication"),
        Error::EmptyEkuExtension => wrong_purpose("its extended key usage is empty"),
        Error::EndEntityUsedAsCa => not_permitted("its issuer is not a CA certificate"),
        Error::PathLenConstraintViolated => not_permitted("the path is longer than a CA certificate allows"),
        Error::NameConstraintViolation => not_permitted("a name is outside the name constraints of a CA certificate"),
        other => not_permitted(&other.to_string()),
    }
}
