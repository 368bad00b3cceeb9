//! Setting a fingerprint of a device, or removing it.
//!
//! The certificates themselves are in `device_certificates`. Invariant: a fingerprint is 40 or 64 hex digits here, and no other
//! text that the rules would read.

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::Role,
    ids::Fingerprint,
    registry::{Command, Slot},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Body, route::Routes},
};

/// Which of a device's two fingerprints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum FingerprintType {
    /// The one that a first connection fills.
    #[default]
    Primary,
    /// The spare, for a change of certificate without interruption.
    Secondary,
}

/// The fingerprint to be.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct FingerprintReset {
    /// SHA-1 (40) or SHA-256 (64 hex digits) of the certificate. Absent: there is none, and the next certificate that fits
    /// becomes it.
    #[schema(pattern = "^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$")]
    fingerprint: Option<String>,
    /// Whether to end the device's connection. Whatever is said here, a connection whose certificate the device does not
    /// have any more ends within a second, and one whose certificate it still has goes on.
    #[serde(default)]
    #[schema(default = false)]
    #[expect(dead_code, reason = "both values come to the same here, and a text or number in its place is refused")]
    force_disconnect: Option<bool>,
    /// Which of the two; the primary one when absent.
    #[schema(default = "PRIMARY")]
    fingerprint_type: Option<FingerprintType>,
}

/// The fingerprint as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FingerprintShown {
    /// Of which device.
    device_id: String,
    /// The fingerprint; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    /// Which of the two.
    fingerprint_type: FingerprintType,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Operator, routes!(reset))
}

/// Reset a device's fingerprint
#[utoipa::path(post, path = "/v5/iot/{project_id}/devices/{device_id}/reset-fingerprint", tag = "Devices",
    params(("project_id" = String, Path), ("device_id" = String, Path)), request_body = FingerprintReset,
    responses((status = 200, body = FingerprintShown), Errors))]
async fn reset(
    context: InstanceContext,
    Path((_, device_id)): Path<(String, String)>,
    Body(wanted): Body<FingerprintReset>,
) -> Result<Json<FingerprintShown>, ApiError> {
    let device = context.device(&device_id)?.device.id;
    let fingerprint = wanted.fingerprint.map(|text| read("fingerprint", &text)).transpose()?;
    let fingerprint_type = wanted.fingerprint_type.unwrap_or_default();
    let slot = match fingerprint_type {
        FingerprintType::Primary => Slot::Primary,
        FingerprintType::Secondary => Slot::Secondary,
    };
    context.command(Command::ResetFingerprint { device, slot, fingerprint }).await?;
    let fingerprint = fingerprint.map(|fingerprint| fingerprint.to_string());
    Ok(Json(FingerprintShown { device_id, fingerprint, fingerprint_type }))
}

/// Reads a fingerprint; `field` is named in the error.
///
/// # Errors
/// [`Code::InvalidInput`](crate::http::codes::Code::InvalidInput).
pub(crate) fn read(field: &str, text: &str) -> Result<Fingerprint, ApiError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(text);
    let fingerprint = digits.and_then(Fingerprint::parse);
    fingerprint.ok_or_else(|| ApiError::invalid(field, "give the 40 hex digits of SHA-1 or the 64 of SHA-256"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::codes::Code;

    #[test]
    fn a_fingerprint_is_40_or_64_hex_digits() {
        assert_eq!(read("fingerprint", &"aB".repeat(20)).unwrap(), Fingerprint::Sha1([0xab; 20]));
        assert_eq!(read("fingerprint", &"0f".repeat(32)).unwrap(), Fingerprint::Sha256([0x0f; 32]));
        for wrong in ["", "ab", &"ab:".repeat(20), &"zz".repeat(20), &"a".repeat(41), &"ab".repeat(33)] {
            assert_eq!(read("fingerprint", wrong).unwrap_err().code, Code::InvalidInput, "{wrong}");
        }
    }
}
