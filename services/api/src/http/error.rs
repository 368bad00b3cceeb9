//! The error that a caller gets, in the service's shape, and the one place where errors of other crates become it.
//!
//! Invariant: the text says what was wrong, where, and what to do; it never holds a secret.

use axum::{
    Json,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use rollcall_device_model::message::MessageError;
use rollcall_devices::DevicesError;
use rollcall_log::{BackboneError, codec::RejectedRuling, request_client::RequestClientError};
use rollcall_projection::admission::ViewError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::codes::Code;

/// The body of an error (API reference, "Error codes"). `request_id` is also in the header `X-Request-Id`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// Stable code; each has a page in docs/operate/codes.
    pub(crate) error_code: String,
    /// What was wrong, where, and what to do.
    pub(crate) error_msg: String,
}

/// An error on its way to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// Its code, which says the HTTP status.
    pub(crate) code: Code,
    /// What was wrong, where, and what to do.
    pub(crate) message: String,
    /// Seconds after which trying again may help.
    pub(crate) retry_after_s: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_s: None }
    }

    /// A field that breaks a rule.
    pub(crate) fn invalid(field: &str, rule: impl std::fmt::Display) -> Self {
        Self::new(Code::InvalidInput, format!("Invalid input data. {field}: {rule}"))
    }

    /// The `Idempotency-Key` was used for another request.
    pub(crate) fn key_used() -> Self {
        let text = "Idempotency-Key: the key was used for another request: send this one with a key of its own";
        Self::new(Code::IdempotencyKeyUsed, text)
    }

    /// Trying again may help after so many seconds.
    #[must_use]
    pub(crate) const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The view of an instance cannot be looked up in at the moment.
    pub(crate) fn not_ready() -> Self {
        Self::new(Code::NotReady, "what is known of this instance is being read from its log: try again").retry_after(2)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody { error_code: self.code.as_str().to_owned(), error_msg: self.message };
        let mut response = (self.code.status(), Json(body)).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self.code);
        response
    }
}

impl From<RequestClientError> for ApiError {
    fn from(error: RequestClientError) -> Self {
        match error {
            RequestClientError::TimedOut { deadline, .. } => Self::new(
                Code::RegistrarAway,
                format!(
                    "no registrar has ruled on the change within {} ms; it stays queued and may still come about: try again with the same Idempotency-Key",
                    deadline.as_millis()
                ),
            )
            .retry_after(2),
            RequestClientError::Backbone(error) => error.into(),
        }
    }
}

impl From<BackboneError> for ApiError {
    fn from(error: BackboneError) -> Self {
        match &error {
            BackboneError::Unavailable { .. } | BackboneError::Closed => {
                tracing::warn!(%error, "the backbone is away");
                Self::new(Code::BackboneAway, "the backbone cannot be reached: try again").retry_after(2)
            }
            // The backbone has logged it, once.
            BackboneError::Unwritable { .. } => Self::new(Code::BackboneAway, error.to_string()).retry_after(2),
            BackboneError::LimitReached { what, max } => {
                Self::new(Code::LimitReached, format!("{what} is over its limit of {max}"))
            }
            BackboneError::StreamDiffers { .. } | BackboneError::Full { .. } | BackboneError::Damaged { .. } => {
                tracing::error!(%error, "the backbone cannot be used");
                Self::new(Code::Internal, "the backbone has a fault that an operator of it must look at")
            }
        }
    }
}

impl From<ViewError> for ApiError {
    fn from(error: ViewError) -> Self {
        tracing::warn!(%error, "a view cannot be used");
        Self::not_ready()
    }
}

impl From<DevicesError> for ApiError {
    fn from(error: DevicesError) -> Self {
        match error {
            DevicesError::NotOnline(device) => {
                Self::new(Code::DeviceNotOnline, format!("The device is not online: {device:?}"))
            }
            DevicesError::Message(MessageError::Invalid { field, rule }) => Self::invalid(field, rule),
            DevicesError::Message(error @ MessageError::ForeignTopic { .. }) => {
                Self::new(Code::NotOffered, error.to_string())
            }
            DevicesError::MessageNotFound(id) => {
                Self::new(Code::MessageNotFound, format!("The message does not exist: {id:?}"))
            }
            DevicesError::MessageIdTaken(_) => Self::new(Code::AlreadyExists, error.to_string()),
            DevicesError::KeyUsed => Self::key_used(),
            DevicesError::ShadowVersion { .. } => Self::new(Code::ShadowVersion, format!("version: {error}: read it again")),
            DevicesError::NotListening => Self::new(Code::BackboneAway, format!("{error}: try again")).retry_after(2),
            DevicesError::TooManyRequests { .. } | DevicesError::MessageContended(_) | DevicesError::Contended { .. } => {
                Self::new(Code::Overloaded, format!("{error}: try again")).retry_after(1)
            }
            DevicesError::DocumentTooLarge { .. } => Self::new(Code::LimitReached, error.to_string()),
            DevicesError::Unreadable | DevicesError::Unwritable | DevicesError::DeliveryPanicked => {
                Self::new(Code::Internal, error.to_string())
            }
            DevicesError::NotReady => Self::not_ready(),
            DevicesError::Backbone(error) => error.into(),
            DevicesError::View(error) => error.into(),
        }
    }
}

impl From<RejectedRuling> for ApiError {
    /// The rejection's own code stays in the text, since many rejections share a number of the service.
    fn from(rejected: RejectedRuling) -> Self {
        let Some(code) = code_of(&rejected.code) else {
            tracing::error!(code = rejected.code, "a rejection of a newer registrar");
            return Self::new(Code::InvalidInput, format!("{} ({})", rejected.message, rejected.code));
        };
        Self::new(code, format!("{} ({})", rejected.message, rejected.code))
    }
}

/// The number for a rejection's code. `None`: this version does not know it.
pub(crate) fn code_of(rejection: &str) -> Option<Code> {
    Some(match rejection {
        "not_found" => Code::NotFound,
        "already_exists" => Code::AlreadyExists,
        "name_taken" => Code::NameTaken,
        "access_domain_taken" => Code::AccessDomainTaken,
        "invalid_field" => Code::InvalidInput,
        "limit_reached" | "log_not_made" => Code::LimitReached,
        "in_use" => Code::InUse,
        "invalid_template" => Code::InvalidTemplate,
        "invalid_policy" => Code::InvalidPolicy,
        "ca_already_verified" => Code::CaAlreadyVerified,
        "ca_distrusted" => Code::CaDistrusted,
        "verification_code_expired" => Code::CodeExpired,
        "ca_not_verified" => Code::CaNotVerified,
        "template_required" => Code::TemplateRequired,
        "self_registration_unavailable" => Code::SelfRegistrationUnavailable,
        "device_deleted" => Code::DeviceDeleted,
        "certificate_retired" => Code::CertificateRetired,
        "certificate_held_by_other" => Code::CertificateHeld,
        "secret_authenticated" => Code::SecretAuthenticated,
        "product_in_another_space" | "policy_in_another_space" => Code::AnotherSpace,
        "last_admin" => Code::LastAdmin,
        "malformed_request" => Code::Internal,
        "command_unproven" => Code::CommandUnproven,
        "ca_malformed"
        | "ca_not_version_3"
        | "ca_not_an_authority"
        | "ca_may_not_sign"
        | "ca_not_valid_now"
        | "ca_unknown_critical_extension"
        | "ca_empty_subject"
        | "ca_weak_key"
        | "ca_weak_signature"
        | "ca_name_constraints"
        | "certificate_unreadable" => Code::InvalidCertificate,
        "proof_malformed" | "proof_weak_signature" | "proof_wrong_code" | "proof_not_valid_now" => Code::VerificationFailed,
        "proof_not_signed_by_ca" => Code::ProofOfAnotherCa,
        "self_registration_disabled"
        | "template_not_bound"
        | "chain_refused"
        | "certificate_attribute"
        | "derived_field"
        | "certificate_mismatch"
        | "certificate_not_newer"
        | "device_elsewhere"
        | "device_mismatch"
        | "device_frozen" => Code::ConnectionRefused,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rollcall_domain::rejection::Rejection;

    use super::*;

    #[test]
    fn f20_a_full_disk_is_named_to_whoever_asks_for_a_change() {
        let full = BackboneError::Unwritable {
            what: "the embedded log /data/log/backbone.redb".to_owned(),
            reason: "No space left on device (os error 28)".to_owned(),
        };
        let error = ApiError::from(RequestClientError::Backbone(full));
        assert_eq!(error.code, Code::BackboneAway);
        assert!(error.message.contains("/data/log/backbone.redb") && error.message.contains("No space left"), "{error:?}");
    }

    #[test]
    fn every_rejection_has_a_number() {
        let missing: Vec<_> = Rejection::codes().filter(|code| code_of(code).is_none()).collect();
        assert_eq!(missing, [""; 0], "code_of must know every rejection");
    }
}
