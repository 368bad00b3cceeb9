//! Why a signature does not hold, in words that tell nothing of the right one.

/// How far a request's date may be from ours, ms; the service's own tolerance.
pub(crate) const DATE_OFF_MS_MAX: i64 = 15 * 60 * 1000;

/// Why a signature does not hold. None of the texts tells what the right one would have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The `Authorization` header is not of either form.
    #[error("the Authorization header cannot be read: {0}")]
    Malformed(&'static str),
    /// A header that must be signed is not, or a signed one was not sent.
    #[error("the header {0} must be sent and signed")]
    MissingSignedHeader(String),
    /// A signed header was sent twice: it is ambiguous which one was signed.
    #[error("the signed header {0} was sent more than once")]
    RepeatedSignedHeader(String),
    /// `X-Sdk-Date` is not of the form `yyyyMMdd'T'HHmmss'Z'`.
    #[error("X-Sdk-Date must be a time such as 20260102T030405Z")]
    Date,
    /// Signed too long ago, or in the future.
    #[error("the time of signing is {off_s} s off; {} s are allowed", DATE_OFF_MS_MAX / 1000)]
    TimeOff {
        /// By how much, seconds; without a sign.
        off_s: u64,
    },
    /// The credential of `V11-HMAC-SHA256` is for another day than `X-Sdk-Date`.
    #[error("the credential's date is not that of X-Sdk-Date")]
    ScopeDate,
    /// The body is not the one whose hash was signed.
    #[error("the body does not have the hash in X-Sdk-Content-Sha256")]
    ContentHash,
    /// The signature is not that of this request with this key.
    #[error("the signature is not that of this request")]
    Signature,
}
