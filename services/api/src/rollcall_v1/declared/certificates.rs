//! Declaring a CA certificate. Its proof of possession, template and switch are v5's.

use axum::{Json, extract::Path};
use rollcall_domain::{
    fleet::Role,
    ids::CaId,
    registry::{CaStatus, Command},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{Declared, Needed, as_in_path, taken};
use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Body, pem, route::Routes, times},
    v5::certificates::{CaCertificate, NewCertificate, found, of_upload, shown},
};

/// What a declaration came to, and how the CA certificate stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CertificateDeclared {
    #[serde(flatten)]
    declared: Declared,
    #[serde(flatten)]
    certificate: CaCertificate,
    /// From when on the verification code proves nothing any more, RFC 3339, UTC; only while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    verify_code_expires_at: Option<String>,
    /// Whether it has expired: another one is to be asked for by `action_id=issue-code`.
    verify_code_expired: bool,
    /// Whether its CA is distrusted since a certificate of it was deleted: proving possession of its key lifts that.
    distrusted: bool,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Operator, routes!(put))
}

/// Declare a CA certificate
#[utoipa::path(put, path = "/rollcall/v1/instances/{instance_id}/apps/{app_id}/certificates/{certificate_id}", tag = "Declarations",
    params(("instance_id" = String, Path), ("app_id" = String, Path), ("certificate_id" = String, Path, min_length = 1, max_length = 36, pattern = "^[A-Za-z0-9_-]+$", description = "As the caller chooses it")),
    request_body = NewCertificate, responses((status = 200, body = CertificateDeclared), Errors))]
async fn put(
    context: InstanceContext,
    Path((_instance, app_id, certificate_id)): Path<(String, String, String)>,
    Body(wanted): Body<NewCertificate>,
) -> Result<Json<CertificateDeclared>, ApiError> {
    let space = context.space(Some(&app_id))?;
    as_in_path("app_id", wanted.app_id(), &app_id)?;
    let ca = CaId::parse(&certificate_id).map_err(|error| ApiError::invalid("certificate_id", error))?;
    let der = pem::one("content", wanted.content())?;
    let needed = match context.configuration().cas.get(&ca) {
        Some(found) if found.der == der && found.space == space => Needed::Nothing,
        Some(_) => {
            return Err(taken("CA certificate", &certificate_id, "with another certificate or in another resource space"));
        }
        None => Needed::Create(Command::UploadCa { ca, space, der }),
    };
    let declared = needed.ask(&context).await.map_err(of_upload)?;
    let ca = found(&context, &certificate_id)?;
    let expires_at = match &ca.status {
        CaStatus::AwaitingProof { expires_at, .. } => Some(*expires_at),
        CaStatus::Verified { .. } => None,
    };
    Ok(Json(CertificateDeclared {
        declared,
        certificate: shown(&ca),
        verify_code_expires_at: expires_at.map(times::with_milliseconds),
        verify_code_expired: expires_at.is_some_and(|at| at <= context.now()),
        distrusted: context.configuration().is_distrusted(&ca.name_and_key_sha256),
    }))
}
