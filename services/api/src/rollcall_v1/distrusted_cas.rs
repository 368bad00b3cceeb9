//! CAs that an instance distrusts. They are distrusted by deleting a CA certificate and forgiven by verifying one again,
//! both of which are v5's.

use axum::Json;
use rollcall_domain::fleet::Role;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    context::InstanceContext,
    http::{errors::Errors, route::Routes, times},
};

/// A CA that is refused wherever it stands above a device certificate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DistrustedCa {
    /// Over the public key (SubjectPublicKeyInfo, DER) and the subject's Name, SHA-256 in hexadecimal: which CA it is.
    name_and_key_sha256: String,
    /// The name of the certificate that was deleted.
    cn_name: String,
    /// The id that this certificate had; it may be another's now.
    certificate_id: String,
    /// The resource space that deleted it. The distrust ends when a certificate of the CA is verified there again.
    app_id: String,
    /// When it was deleted; RFC 3339, UTC.
    since: String,
}

/// The CAs that an instance distrusts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DistrustedCas {
    /// Those of the resource spaces in scope, in no order that means anything.
    distrusted_cas: Vec<DistrustedCa>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(list))
}

/// List the CAs that are distrusted
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/distrusted-cas", tag = "Trust",
    params(("instance_id" = String, Path)), responses((status = 200, body = DistrustedCas), Errors))]
async fn list(context: InstanceContext) -> Json<DistrustedCas> {
    let configuration = context.configuration();
    let distrusted = configuration.distrusted.iter();
    let in_scope = distrusted.filter(|(_, distrusted)| context.caller.scope.holds_space(&distrusted.space));
    let shown = in_scope.map(|(name_and_key_sha256, distrusted)| DistrustedCa {
        name_and_key_sha256: hex::encode(name_and_key_sha256),
        cn_name: distrusted.cn_name.to_string(),
        certificate_id: distrusted.ca.to_string(),
        app_id: distrusted.space.to_string(),
        since: times::with_milliseconds(distrusted.since),
    });
    Json(DistrustedCas { distrusted_cas: shown.collect() })
}
