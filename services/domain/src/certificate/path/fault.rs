//! What path building and webpki find, before it is known which certificate is to blame; and webpki's errors in our words.
//! Those may grow: one that is not known here gets words that fit any.

use webpki::Error;

use super::{
    super::{
        extensions::{self, Extensions},
        tbs::TbsCertificate,
    },
    PathError,
};

/// What stops a path.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing more is to be found out.
    Of(PathError),
    /// Some certificate of the path is outside its validity.
    Outside,
    /// A path is longer than one of its CA certificates allows.
    PathLength,
    /// There is none; what was presented and left out, if that may be why.
    NoPath(Option<PathError>),
}

impl From<PathError> for Fault {
    fn from(error: PathError) -> Self {
        Self::Of(error)
    }
}

/// Of one certificate that webpki does not read.
pub(super) fn of_certificate(index: usize, certificate: &TbsCertificate<'_>, error: &Error) -> PathError {
    let unknown = || Extensions::read(certificate.extensions).ok().and_then(|extensions| extensions.unknown_critical);
    let reason = match error {
        Error::UnsupportedCriticalExtension => match unknown() {
            Some(oid) => format!("it has the critical extension {}, which is not processed", extensions::dotted(oid)),
            None => "it has a critical extension that is not processed".to_owned(),
        },
        other => words(other).to_owned(),
    };
    PathError::Malformed { index, reason }
}

/// Of a path that webpki does not build. `unaccepted`: what to say of a signature algorithm.
pub(super) fn of_path(error: &Error, unaccepted: impl FnOnce() -> String) -> Fault {
    let not_permitted = |reason: &str| PathError::NotPermitted { reason: reason.into() };
    let wrong_purpose = |reason: &str| PathError::WrongPurpose { reason: reason.into() };
    Fault::Of(match error {
        Error::UnknownIssuer => return Fault::NoPath(None),
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } => return Fault::Outside,
        Error::PathLenConstraintViolated => return Fault::PathLength,
        Error::InvalidSignatureForPublicKey => PathError::BadSignature,
        Error::UnsupportedSignatureAlgorithmContext(_) => PathError::WeakKey { reason: unaccepted() },
        Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            PathError::WeakKey { reason: "a signature algorithm does not fit the issuer's key".into() }
        }
        Error::CaUsedAsEndEntity => {
            wrong_purpose("it is a CA certificate (basicConstraints CA:TRUE): issue the device one without it")
        }
        Error::RequiredEkuNotFoundContext(_) => wrong_purpose(
            "its extended key usage leaves out client authentication: add clientAuth, or leave the extension out",
        ),
        Error::EmptyEkuExtension => wrong_purpose("its extended key usage is empty"),
        Error::EndEntityUsedAsCa => not_permitted("an issuer is not a CA certificate (basicConstraints)"),
        Error::NameConstraintViolation => not_permitted("a name is outside the name constraints of a CA certificate"),
        other => not_permitted(words(other)),
    })
}

/// What a reader of certificates would say.
pub(in crate::certificate) fn words(error: &Error) -> &'static str {
    match error {
        Error::BadDer | Error::TrailingData(_) => "something in it is not proper DER",
        Error::BadDerTime | Error::InvalidCertValidity => "its validity cannot be read",
        Error::ExtensionValueInvalid | Error::MalformedExtensions => "an extension cannot be read",
        Error::InvalidSerialNumber => "its serial number is negative, or longer than 20 bytes",
        Error::SignatureAlgorithmMismatch => "it names two different signature algorithms",
        Error::UnsupportedCertVersion => "it is not X.509 v3",
        Error::UnsupportedCriticalExtension => "it has a critical extension that is not processed",
        Error::MalformedDnsIdentifier => "a DNS name in it is none",
        Error::MalformedNameConstraint | Error::InvalidNetworkMaskConstraint => "its name constraints cannot be read",
        Error::UnsupportedNameType => "its name constraints are of a kind that is not processed",
        Error::MaximumNameConstraintComparisonsExceeded => "its name constraints cost too much to compare",
        Error::MaximumPathBuildCallsExceeded | Error::MaximumSignatureChecksExceeded | Error::MaximumPathDepthExceeded => {
            "it would cost too much to build a path from it"
        }
        _ => "path building does not take it",
    }
}
