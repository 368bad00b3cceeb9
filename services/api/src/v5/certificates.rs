//! CA certificates (`/certificates`): upload, proof of possession, the template that is bound.
//!
//! Device certificates have paths of their own; [`debug`] asks the domain about one. [`deletion`] says what becomes of
//! the CA. Invariant: the registrar decides what a
//! verification code proves; here the code is only shown, while it is of use.

pub(crate) mod action;
pub(crate) mod debug;
pub(crate) mod deletion;

use axum::{Json, extract::Path};
use rollcall_domain::{
    certificate::{CertificateFacts, SubjectAttribute},
    fleet::Role,
    ids::{CaId, TemplateId},
    registry::{Ca, CaStatus, Command, Event, command::TemplateChange},
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    context::InstanceContext,
    http::{
        codes::Code,
        error::ApiError,
        errors::Errors,
        extract::{Body, Query},
        paging::{self, Page, PageQuery},
        pem,
        responses::Created,
        route::Routes,
        times,
    },
    v5::templates,
};

/// A CA certificate to be uploaded.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewCertificate {
    /// The certificate as PEM: one, and no key.
    #[schema(example = "-----BEGIN CERTIFICATE-----\nMIIB...\n-----END CERTIFICATE-----\n")]
    content: String,
    /// Its resource space; the default one when absent.
    #[schema(max_length = 36)]
    app_id: Option<String>,
}

impl NewCertificate {
    /// The resource space that it names.
    pub(crate) fn app_id(&self) -> Option<&str> {
        self.app_id.as_deref()
    }

    /// The certificate as PEM.
    pub(crate) fn content(&self) -> &str {
        &self.content
    }
}

/// What is to change of a CA certificate; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CertificateChange {
    /// Whether unknown devices may register themselves with it; needs a bound template.
    provision_enable: Option<bool>,
    /// The template to bind; `null` or an empty text unbinds.
    #[serde(default, deserialize_with = "there")]
    #[schema(value_type = Option<String>, max_length = 36)]
    template_id: Option<Option<String>>,
    /// Only `false`: OCSP is not offered.
    ocsp_enable: Option<bool>,
    /// Only `false`: OCSP is not offered.
    ocsp_ssl_enable: Option<bool>,
    /// Only an empty text: OCSP is not offered.
    ocsp_server_ca_id: Option<String>,
}

/// A CA certificate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaCertificate {
    /// Its id.
    certificate_id: String,
    /// Its resource space.
    app_id: String,
    /// The CN of its Subject, or its whole Subject where there is none.
    cn_name: String,
    /// The organization of its Subject; empty where there is none.
    owner: String,
    /// Whether its owner has proven to hold the key.
    status: bool,
    /// The CN that the certificate which proves it must have; only until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    verify_code: Option<String>,
    /// Whether unknown devices may register themselves with it.
    provision_enable: bool,
    /// The template that is bound to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<String>,
    /// Always `false`: OCSP is not offered.
    ocsp_enable: bool,
    /// Always `false`: OCSP is not offered.
    ocsp_ssl_enable: bool,
    /// When it was uploaded, UTC.
    create_date: String,
    /// From when it is good, UTC.
    effective_date: String,
    /// Until when it is good, UTC.
    expiry_date: String,
}

/// A CA certificate with its content.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WholeCertificate {
    #[serde(flatten)]
    certificate: CaCertificate,
    /// Its name for people.
    name: String,
    /// The certificate as PEM.
    content: String,
}

/// A page of CA certificates.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Certificates {
    /// Newest first.
    certificates: Vec<CaCertificate>,
    /// Which page it is.
    page: Page,
}

/// Which CA certificates to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those of this resource space.
    #[param(max_length = 36)]
    app_id: Option<String>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Operator, routes!(add))
        .operation(Role::Viewer, routes!(list))
        .operation(Role::Viewer, routes!(show))
        .operation(Role::Operator, routes!(update))
}

/// Upload a CA certificate
#[utoipa::path(post, path = "/v5/iot/{project_id}/certificates", tag = "CA certificates", params(("project_id" = String, Path)),
    request_body = NewCertificate, responses((status = 201, body = CaCertificate), Errors))]
async fn add(context: InstanceContext, Body(wanted): Body<NewCertificate>) -> Result<Created<CaCertificate>, ApiError> {
    let space = context.space(wanted.app_id.as_deref())?;
    let der = pem::one("content", &wanted.content)?;
    let ca = CaId::parse(&context.api.new_id()).map_err(|error| ApiError::invalid("certificate_id", error))?;
    let command = Command::UploadCa { ca: ca.clone(), space, der };
    let made = match context.command(command).await.map_err(of_upload)?.earlier {
        Some(Event::CaUploaded { ca, .. }) => ca,
        _ => ca,
    };
    found(&context, made.as_str()).map(|ca| Created(shown(&ca)))
}

/// List CA certificates
#[utoipa::path(get, path = "/v5/iot/{project_id}/certificates", tag = "CA certificates", params(("project_id" = String, Path), PageQuery, Filter),
    responses((status = 200, body = Certificates), Errors))]
async fn list(
    context: InstanceContext,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<Certificates>, ApiError> {
    let wanted = page.wanted()?;
    let space = context.space_filter(filter.app_id.as_deref())?;
    let configuration = context.configuration();
    let cas: Vec<&Ca> = configuration
        .cas
        .values()
        .filter(|ca| space.as_ref().is_none_or(|space| ca.space == *space))
        .filter(|ca| context.caller.scope.holds_space(&ca.space))
        .collect();
    let (cas, page) = paging::page(cas, &wanted, |ca| paging::list_key(ca.id.as_str(), ca.created_at));
    Ok(Json(Certificates { certificates: cas.into_iter().map(shown).collect(), page }))
}

/// Show a CA certificate
#[utoipa::path(get, path = "/v5/iot/{project_id}/certificates/{certificate_id}", tag = "CA certificates",
    params(("project_id" = String, Path), ("certificate_id" = String, Path)), responses((status = 200, body = WholeCertificate), Errors))]
async fn show(
    context: InstanceContext,
    Path((_project, certificate_id)): Path<(String, String)>,
) -> Result<Json<WholeCertificate>, ApiError> {
    let ca = found(&context, &certificate_id)?;
    Ok(Json(WholeCertificate { certificate: shown(&ca), name: ca.cn_name.to_string(), content: pem::write(&ca.der) }))
}

/// Bind a template to a CA certificate, switch self-registration on or off
#[utoipa::path(put, path = "/v5/iot/{project_id}/certificates/{certificate_id}", tag = "CA certificates",
    params(("project_id" = String, Path), ("certificate_id" = String, Path)), request_body = CertificateChange,
    responses((status = 200, body = CaCertificate), Errors))]
async fn update(
    context: InstanceContext,
    Path((_project, certificate_id)): Path<(String, String)>,
    Body(change): Body<CertificateChange>,
) -> Result<Json<CaCertificate>, ApiError> {
    let ca = found(&context, &certificate_id)?.id;
    without_ocsp(&change)?;
    let template = match change.template_id {
        None => TemplateChange::Keep,
        Some(None) => TemplateChange::Unbind,
        Some(Some(id)) if id.is_empty() => TemplateChange::Unbind,
        Some(Some(id)) => TemplateChange::Bind(existing_template(&context, &id)?),
    };
    context.command(Command::ConfigureCa { ca, template, self_registration: change.provision_enable }).await?;
    found(&context, &certificate_id).map(|ca| Json(shown(&ca)))
}

/// Tells a field that is `null` from one that is absent.
fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn without_ocsp(change: &CertificateChange) -> Result<(), ApiError> {
    let named = change.ocsp_server_ca_id.as_ref().is_some_and(|id| !id.is_empty());
    let asked = [
        ("ocsp_enable", change.ocsp_enable == Some(true)),
        ("ocsp_ssl_enable", change.ocsp_ssl_enable == Some(true)),
        ("ocsp_server_ca_id", named),
    ];
    match asked.iter().find(|(_, asked)| *asked) {
        None => Ok(()),
        Some((field, _)) => {
            let text = format!("{field}: OCSP is not offered; freeze or delete the device whose certificate is revoked");
            Err(ApiError::new(Code::NotOffered, text))
        }
    }
}

fn existing_template(context: &InstanceContext, template_id: &str) -> Result<TemplateId, ApiError> {
    templates::found(context, template_id).map(|template| template.id)
}

/// The service has a number of its own for the one limit that an upload can meet.
pub(crate) fn of_upload(error: ApiError) -> ApiError {
    match error.code {
        Code::LimitReached => ApiError { code: Code::CaLimitReached, ..error },
        _ => error,
    }
}

/// A CA certificate that the caller may touch.
///
/// # Errors
/// [`Code::CaNotFound`], also for one in a resource space out of scope.
pub(crate) fn found(context: &InstanceContext, certificate_id: &str) -> Result<Ca, ApiError> {
    let ca = CaId::parse(certificate_id).ok().and_then(|id| context.configuration().cas.get(&id).cloned());
    let ca = ca.filter(|ca| context.caller.scope.holds_space(&ca.space));
    ca.ok_or_else(|| ApiError::new(Code::CaNotFound, format!("The CA certificate does not exist: {certificate_id:?}")))
}

/// A CA certificate as lists have it.
pub(crate) fn shown(ca: &Ca) -> CaCertificate {
    let facts = CertificateFacts::from_der(&ca.der);
    let organization = facts.as_ref().ok().and_then(|facts| facts.attribute(SubjectAttribute::Organization).ok());
    CaCertificate {
        certificate_id: ca.id.to_string(),
        app_id: ca.space.to_string(),
        cn_name: ca.cn_name.to_string(),
        owner: organization.unwrap_or_default().to_owned(),
        status: ca.is_verified(),
        verify_code: match &ca.status {
            CaStatus::AwaitingProof { code, .. } => Some(code.to_string()),
            CaStatus::Verified { .. } => None,
        },
        provision_enable: ca.self_registration,
        template_id: ca.template.as_ref().map(ToString::to_string),
        ocsp_enable: false,
        ocsp_ssl_enable: false,
        create_date: times::basic(ca.created_at),
        effective_date: times::basic(ca.not_before),
        expiry_date: times::basic(ca.not_after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_template_is_not_one_that_is_null() {
        let read = |json: &str| serde_json::from_str::<CertificateChange>(json).unwrap().template_id;
        assert_eq!(read("{}"), None);
        assert_eq!(read(r#"{"template_id": null}"#), Some(None));
        assert_eq!(read(r#"{"template_id": ""}"#), Some(Some(String::new())));
        assert_eq!(read(r#"{"template_id": "t"}"#), Some(Some("t".to_owned())));
    }
}
