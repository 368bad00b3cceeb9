//! Every error code that the API answers with: number, HTTP status, meaning.
//!
//! Numbers of the service are used where they are known (see docs/operate/codes); elsewhere Rollcall has its own in 014900 to
//! 014999, which the service does not use as far as is known. Invariant: a code never changes its meaning, and each has its page
//! in `docs/operate/codes`.

use axum::http::StatusCode;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $status:ident,)*) => {
        /// A code. The variants are what a caller would act on differently.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As it stands in `error_code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The HTTP status that it is answered with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),* }
            }
        }
    };
}

codes! {
    /// Something failed that should not have.
    Internal = "IOTDA.000001" INTERNAL_SERVER_ERROR,
    /// No credentials, or a signature that does not hold.
    Unauthenticated = "IOTDA.000002" UNAUTHORIZED,
    /// A token that is not good, or not any more.
    InvalidToken = "IOTDA.000004" FORBIDDEN,
    /// A field breaks a rule; the text names it.
    InvalidInput = "IOTDA.000006" BAD_REQUEST,
    /// The body is not JSON, or not of the right shape.
    MalformedBody = "IOTDA.000008" BAD_REQUEST,
    /// A time is not written as `yyyyMMdd'T'HHmmss'Z'`.
    TimeFormat = "IOTDA.000009" BAD_REQUEST,
    /// A period ends before it begins.
    TimeOrder = "IOTDA.000010" BAD_REQUEST,
    /// `limit` is not within its range.
    LimitOutOfRange = "IOTDA.000017" BAD_REQUEST,
    /// `marker` or `offset` is not within its range.
    PageOutOfRange = "IOTDA.000018" BAD_REQUEST,
    /// The caller may not do this here.
    NoPermission = "IOTDA.000021" FORBIDDEN,
    /// The resource space does not exist; 403, as the service has it.
    SpaceNotFound = "IOTDA.001000" FORBIDDEN,
    /// The device does not exist.
    DeviceNotFound = "IOTDA.014000" NOT_FOUND,
    /// The device is not connected.
    DeviceNotOnline = "IOTDA.014016" FORBIDDEN,
    /// The device did not answer in time; 200, as the service has it.
    DeviceTimedOut = "IOTDA.014111" OK,
    /// The device id is taken.
    DeviceExists = "IOTDA.014031" BAD_REQUEST,
    /// The instance has as many CA certificates as it may.
    CaLimitReached = "IOTDA.014300" BAD_REQUEST,
    /// The certificate cannot be used; the text says why.
    InvalidCertificate = "IOTDA.014301" BAD_REQUEST,
    /// The verification certificate proves nothing; the text says why.
    VerificationFailed = "IOTDA.014307" BAD_REQUEST,
    /// The verification certificate is not signed by this CA.
    ProofOfAnotherCa = "IOTDA.014308" BAD_REQUEST,
    /// Too many requests; try again after the time that `Retry-After` says.
    RateLimited = "IOTDA.021101" FORBIDDEN,
    /// The body is larger than 1 MB.
    BodyTooLarge = "IOTDA.021105" FORBIDDEN,
    /// The signing time is more than 15 minutes off.
    SigningTime = "APIGW.0303" UNAUTHORIZED,
    /// What is named does not exist.
    NotFound = "IOTDA.014900" NOT_FOUND,
    /// The product does not exist.
    ProductNotFound = "IOTDA.014901" NOT_FOUND,
    /// The policy does not exist.
    PolicyNotFound = "IOTDA.014902" NOT_FOUND,
    /// The template does not exist.
    TemplateNotFound = "IOTDA.014903" NOT_FOUND,
    /// The CA certificate does not exist.
    CaNotFound = "IOTDA.014904" NOT_FOUND,
    /// The device certificate does not exist.
    DeviceCertificateNotFound = "IOTDA.014905" NOT_FOUND,
    /// The message does not exist.
    MessageNotFound = "IOTDA.014906" NOT_FOUND,
    /// The instance does not exist.
    InstanceNotFound = "IOTDA.014907" NOT_FOUND,
    /// The operator does not exist.
    OperatorNotFound = "IOTDA.014908" NOT_FOUND,
    /// The access key does not exist.
    AccessKeyNotFound = "IOTDA.014909" NOT_FOUND,
    /// The attempt does not exist, or not any more.
    AttemptNotFound = "IOTDA.014910" NOT_FOUND,
    /// Several instances, and the request names none.
    InstanceRequired = "IOTDA.014911" BAD_REQUEST,
    /// There is no such operation.
    NoSuchOperation = "IOTDA.014912" NOT_FOUND,
    /// The path has no such method.
    MethodNotAllowed = "IOTDA.014913" METHOD_NOT_ALLOWED,
    /// Part of the service that Rollcall does not offer.
    NotOffered = "IOTDA.014914" BAD_REQUEST,
    /// Too many failures from this source: try again after the time that `Retry-After` says.
    Delayed = "IOTDA.014915" FORBIDDEN,
    /// What is to be created exists, with other content.
    AlreadyExists = "IOTDA.014920" CONFLICT,
    /// The name is taken.
    NameTaken = "IOTDA.014921" CONFLICT,
    /// The access domain belongs to another instance.
    AccessDomainTaken = "IOTDA.014922" CONFLICT,
    /// It cannot be removed while something uses it.
    InUse = "IOTDA.014923" CONFLICT,
    /// A limit is reached; the text says which.
    LimitReached = "IOTDA.014924" FORBIDDEN,
    /// The template is not valid; the text lists every fault.
    InvalidTemplate = "IOTDA.014925" BAD_REQUEST,
    /// The policy is not valid.
    InvalidPolicy = "IOTDA.014926" BAD_REQUEST,
    /// Self-registration needs a bound template.
    TemplateRequired = "IOTDA.014927" BAD_REQUEST,
    /// The CA certificate is not verified.
    CaNotVerified = "IOTDA.014928" BAD_REQUEST,
    /// The CA is verified in this instance already.
    CaAlreadyVerified = "IOTDA.014929" CONFLICT,
    /// The verification code has expired.
    CodeExpired = "IOTDA.014930" BAD_REQUEST,
    /// Edition and region have no self-registration.
    SelfRegistrationUnavailable = "IOTDA.014931" FORBIDDEN,
    /// The device was deleted: readmit it first.
    DeviceDeleted = "IOTDA.014932" CONFLICT,
    /// The certificate belongs to another device.
    CertificateHeld = "IOTDA.014933" CONFLICT,
    /// The device is authenticated by a secret.
    SecretAuthenticated = "IOTDA.014934" BAD_REQUEST,
    /// Something is not in the resource space that it is to be used in.
    AnotherSpace = "IOTDA.014935" BAD_REQUEST,
    /// The last enabled administrator of the fleet.
    LastAdmin = "IOTDA.014936" CONFLICT,
    /// A device certificate was refused; the text says why.
    ConnectionRefused = "IOTDA.014937" CONFLICT,
    /// The shadow has another version.
    ShadowVersion = "IOTDA.014938" CONFLICT,
    /// The registrar takes no commands of this API, or not this one; the text says why.
    CommandUnproven = "IOTDA.014939" INTERNAL_SERVER_ERROR,
    /// The certificate was taken away from its device: readmit it first.
    CertificateRetired = "IOTDA.014940" CONFLICT,
    /// The CA is distrusted, by a resource space that alone lifts it.
    CaDistrusted = "IOTDA.014945" CONFLICT,
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyUsed = "IOTDA.014946" CONFLICT,
    /// A change by a browser's session that no page of this server has caused.
    ForeignOrigin = "IOTDA.014947" FORBIDDEN,
    /// No registrar has ruled on the change in time.
    RegistrarAway = "IOTDA.014950" SERVICE_UNAVAILABLE,
    /// The backbone cannot be reached.
    BackboneAway = "IOTDA.014951" SERVICE_UNAVAILABLE,
    /// What is known of the instance is not up to date yet.
    NotReady = "IOTDA.014952" SERVICE_UNAVAILABLE,
    /// More requests under way than this process takes on.
    Overloaded = "IOTDA.014953" SERVICE_UNAVAILABLE,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_number_means_one_thing() {
        let numbers: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(numbers.len(), Code::ALL.len());
        // Retried by the SDK's transport, which loses the body.
        assert!(Code::ALL.iter().all(|code| code.status() != StatusCode::TOO_MANY_REQUESTS));
    }
}
