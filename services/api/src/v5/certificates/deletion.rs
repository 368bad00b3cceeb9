//! Deleting a CA certificate, and what becomes of its CA.
//!
//! Does not decide who is let in: the domain says which CA certificates still vouch for what this one vouched for. What is
//! told of them is bounded by the certificates that are looked at, the newest first.

use axum::{
    extract::Path,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use rollcall_domain::{
    fleet::Role,
    ids::{CaId, Position},
    registry::{Command, command::Distrust},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::found;
use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Query, route::Routes},
    v5::devices::POSITION,
};

/// Whether the CA is distrusted from then on.
const DISTRUSTED: HeaderName = HeaderName::from_static("rollcall-distrusted");
/// The CA certificates that still vouch for devices of the one that was deleted.
const STILL_VOUCHING: HeaderName = HeaderName::from_static("rollcall-still-vouching");
/// Device certificates whose recorded paths are looked at.
const EXAMINED_MAX: usize = 1000;

/// What becomes of the CA.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Deletion {
    /// Rollcall's own. Whether the CA, by name and key, is refused from then on wherever it stands above a device certificate,
    /// until a certificate of it is verified again in this resource space. Absent: yes, unless another certificate of the same
    /// CA is verified, or this one never was.
    distrust: Option<bool>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Operator, routes!(delete))
}

/// Delete a CA certificate: the devices that it vouches for are not let in any more
#[utoipa::path(delete, path = "/v5/iot/{project_id}/certificates/{certificate_id}", tag = "CA certificates",
    params(("project_id" = String, Path), ("certificate_id" = String, Path), Deletion), responses((status = 204, headers(
        ("Rollcall-Position" = u64, description = "Where the instance's log says so: a connector whose position is not before it lets nobody in by this CA certificate"),
        ("Rollcall-Distrusted" = bool, description = "Whether the CA itself is refused from then on, also between a device certificate and another CA certificate"),
        ("Rollcall-Still-Vouching" = Option<String>, description = "Verified CA certificates that may still let devices of this one in, as far as is recorded, by id, with commas between; absent if there are none"))),
        Errors))]
async fn delete(
    context: InstanceContext,
    Path((_project, certificate_id)): Path<(String, String)>,
    Query(deletion): Query<Deletion>,
) -> Result<Deleted, ApiError> {
    let gone = found(&context, &certificate_id)?;
    let distrust = match deletion.distrust {
        None => Distrust::UnlessRenewed,
        Some(true) => Distrust::Yes,
        Some(false) => Distrust::No,
    };
    let accepted = context.command(Command::DeleteCa { ca: gone.id.clone(), distrust }).await?;
    let ca = gone.name_and_key_sha256;
    let below = context.instance.lookup(move |instance| instance.view.certificates_below(&ca, None, EXAMINED_MAX)).await?;
    let paths: Vec<_> = below.into_iter().map(|certificate| certificate.path).collect();
    let configuration = context.configuration();
    let in_scope = |id: &CaId| configuration.cas.get(id).is_some_and(|ca| context.caller.scope.holds_space(&ca.space));
    Ok(Deleted {
        position: accepted.position,
        distrusted: configuration.is_distrusted(&ca),
        still_vouching: configuration.still_vouching(&gone, &paths).into_iter().filter(in_scope).collect(),
    })
}

/// 204, as the service answers, with three headers of Rollcall's own.
struct Deleted {
    position: Position,
    distrusted: bool,
    still_vouching: Vec<CaId>,
}

impl IntoResponse for Deleted {
    fn into_response(self) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        headers.insert(POSITION, HeaderValue::from(self.position.0));
        headers.insert(DISTRUSTED, HeaderValue::from_static(if self.distrusted { "true" } else { "false" }));
        let named = self.still_vouching.iter().map(CaId::as_str).collect::<Vec<_>>().join(",");
        // The id of a CA certificate is letters, digits, `_` and `-`.
        if let Some(named) = HeaderValue::from_str(&named).ok().filter(|named| !named.is_empty()) {
            headers.insert(STILL_VOUCHING, named);
        }
        response
    }
}
