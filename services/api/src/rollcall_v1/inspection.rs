//! What certificates say that somebody has as a file: before an upload, and before anything is asked about them.
//!
//! Nothing is looked up, so that an answer tells of no instance. Invariant: the problems are those of the domain's own checks of
//! an upload.

use std::collections::BTreeMap;

use axum::Json;
use rollcall_domain::{
    certificate::{SubjectAttribute, X509Version, authority, described::Description},
    fleet::Role,
    rejection::Rejection,
    template::EvaluationFault,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    context::FleetContext,
    http::{error::ApiError, errors::Errors, extract::Body, pem, route::Routes, times},
};

/// Certificates to be looked at.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ToInspect {
    /// One to six certificates as PEM, and no key.
    content: String,
}

/// What the certificates say.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Inspected {
    /// In the order of the text.
    certificates: Vec<InspectedCertificate>,
}

/// What one certificate says. All texts are the certificate's own.
#[derive(Debug, Serialize, ToSchema)]
struct InspectedCertificate {
    /// Its whole Subject, such as `CN=Device CA, O=ACME`.
    subject: String,
    /// The Subject of the certificate that it names as its issuer.
    issuer: String,
    /// Hexadecimal.
    serial_number: String,
    /// X.509 version: 1 or 3.
    version: u8,
    /// From when it is good, UTC.
    not_before: String,
    /// Until when it is good, UTC.
    not_after: String,
    /// Kind and size of its key, such as `RSA, 2048 bits`.
    public_key: String,
    /// Such as `ECDSA with SHA-256`.
    signature_algorithm: String,
    /// SHA-256 over it, hex.
    fingerprint_sha256: String,
    /// SHA-1 over it, hex.
    fingerprint_sha1: String,
    /// Whether it says of itself that it is a CA's.
    is_ca: bool,
    /// The Subject attributes that a template may use, by the names of the v5 API without `iotda::certificate::`.
    fields: BTreeMap<String, String>,
    /// Those that are there and that no template can use.
    unusable_fields: Vec<CertificateProblem>,
    /// Why it would be refused if it were uploaded as a CA certificate now: the first fault, or none.
    problems: Vec<CertificateProblem>,
}

/// What stands in the way of a use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct CertificateProblem {
    /// Its code, which has a page in docs/operate/codes.
    pub(super) code: String,
    /// What is wrong, and what to do.
    pub(super) text: String,
}

impl From<&Rejection> for CertificateProblem {
    fn from(rejection: &Rejection) -> Self {
        Self { code: rejection.code().to_owned(), text: rejection.to_string() }
    }
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(inspect))
}

/// Show what certificates say, and whether they could be uploaded as CA certificates
#[utoipa::path(post, path = "/rollcall/v1/certificates/inspect", tag = "CA certificates", request_body = ToInspect,
    responses((status = 200, body = Inspected), Errors))]
async fn inspect(context: FleetContext, Body(given): Body<ToInspect>) -> Result<Json<Inspected>, ApiError> {
    let chain = pem::chain("content", &given.content)?;
    let now = context.api.now();
    let certificates = chain.iter().enumerate().map(|(n, der)| inspected(n, der, now));
    Ok(Json(Inspected { certificates: certificates.collect::<Result<_, _>>()? }))
}

fn inspected(n: usize, der: &[u8], now: Timestamp) -> Result<InspectedCertificate, ApiError> {
    let described = Description::from_der(der).map_err(|error| pem::unreadable_at("content", n, &error))?;
    let name = |attribute: SubjectAttribute| {
        let parameter = attribute.parameter();
        parameter.rsplit("::").next().unwrap_or(parameter).to_owned()
    };
    let (mut fields, mut unusable_fields) = (BTreeMap::new(), Vec::new());
    for (attribute, value) in described.attributes() {
        match value {
            Ok(value) => drop(fields.insert(name(attribute), value.to_owned())),
            Err(fault) => {
                let fault = Rejection::TemplateNotApplicable(EvaluationFault::Attribute { attribute, fault });
                unusable_fields.push(CertificateProblem::from(&fault));
            }
        }
    }
    let refused = authority::examine(der, now).err().map(Rejection::CaRefused);
    Ok(InspectedCertificate {
        version: match described.facts.version {
            X509Version::V1 => 1,
            X509Version::V3 => 3,
        },
        not_before: times::basic(described.facts.not_before),
        not_after: times::basic(described.facts.not_after),
        fingerprint_sha256: hex::encode(described.facts.sha256),
        fingerprint_sha1: hex::encode(described.facts.sha1),
        subject: described.subject,
        issuer: described.issuer,
        serial_number: described.serial_number,
        public_key: described.public_key,
        signature_algorithm: described.signature_algorithm,
        is_ca: described.is_ca,
        fields,
        unusable_fields,
        problems: refused.iter().map(CertificateProblem::from).collect(),
    })
}
