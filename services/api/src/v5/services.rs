//! Services of devices, as commands, properties, shadows and products name them: their limits.

use crate::http::error::ApiError;

/// Characters of a service's id.
pub(super) const SERVICE_ID_CHARS_MAX: usize = 64;
/// Services in one request, and of one product.
pub(super) const SERVICES_MAX: usize = 500;

/// Checks the length of a service's id; `field` is named in the error.
///
/// # Errors
/// [`Code::InvalidInput`](crate::http::codes::Code::InvalidInput).
pub(super) fn check_id(field: &str, service_id: &str) -> Result<(), ApiError> {
    if (1..=SERVICE_ID_CHARS_MAX).contains(&service_id.chars().count()) {
        return Ok(());
    }
    Err(ApiError::invalid(field, format!("give 1 to {SERVICE_ID_CHARS_MAX} characters")))
}
