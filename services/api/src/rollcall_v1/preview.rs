//! What a template that is not saved would make of a certificate: for whoever is writing it.
//!
//! Holds no rule: the domain supposes the template in force and asks the registrar's rules. Invariant: nothing of a resource space
//! out of the caller's scope is told, but for what a registrar would tell the owner of the certificate's CA.

mod answer;

use axum::{Json, extract::Path};
use rollcall_domain::{
    certificate::{CertificateFacts, FactsError, SubjectAttribute},
    fleet::{Role, Scope},
    ids::{CaId, SpaceId, TemplateId},
    registry::{Below, ChainIssuer, Devices, Template, issuer_of, preview, supposed},
    rejection::Rejection,
    template::{TemplateBody, TemplateDraft},
    time::Timestamp,
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use self::answer::{Answering, PreviewAnswer};
use crate::{
    context::InstanceContext,
    dry_run::DryRunContext,
    http::{error::ApiError, errors::Errors, extract::Body, pem, route::Routes},
    instances::served::ServedInstance,
    v5::templates::{self, TemplateBodyShape},
};

/// A template and a certificate to try it on.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ToPreview {
    /// What the template would make of a certificate; need not be saved, nor valid.
    #[schema(value_type = TemplateBodyShape)]
    template: serde_json::Value,
    /// The device's certificate, PEM, with those that issued it behind it, if any.
    certificate: String,
    /// The resource space that the device would be in. Absent: that of the CA certificate which the chain is from, else the
    /// default one.
    #[schema(max_length = 36)]
    app_id: Option<String>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(try_out))
}

/// Try a template that is not saved on a certificate
///
/// As if the template were saved, bound to the CA certificate that the chain is from, and self-registration switched on there.
#[utoipa::path(post, path = "/rollcall/v1/instances/{instance_id}/templates/preview", tag = "Provisioning templates",
    params(("instance_id" = String, Path)), request_body = ToPreview,
    responses((status = 200, body = PreviewAnswer), Errors))]
async fn try_out(
    context: InstanceContext,
    Path(_instance): Path<String>,
    Body(given): Body<ToPreview>,
) -> Result<Json<PreviewAnswer>, ApiError> {
    let chain = pem::chain("certificate", &given.certificate)?;
    let facts = chain.first().map_or(Err(nothing()), |der| CertificateFacts::from_der(der));
    let facts = facts.map_err(|error| pem::unreadable_at("certificate", 0, &error))?;
    let named = context.space_filter(given.app_id.as_deref())?;
    let draft = match templates::draft(&given.template) {
        Ok(draft) => draft,
        Err(error) => return Ok(Json(PreviewAnswer::unreadable(error.message))),
    };
    let body = match draft.validate() {
        Ok(body) => body,
        Err(faults) => return Ok(Json(PreviewAnswer::invalid(declared(&draft), &facts, faults))),
    };
    let id = TemplateId::parse(&context.api.new_id()).map_err(|error| ApiError::invalid("template_id", error))?;
    let run = PreviewRun {
        chain,
        facts,
        template: unsaved(id, body, context.now()),
        // Only asked for where the chain does not say.
        space: context.space(given.app_id.as_deref()),
        named,
        scope: context.caller.scope.clone(),
        dry_run: DryRunContext::of(&context)?,
    };
    context.instance.lookup(move |instance| run.run(instance)).await?.map(Json)
}

/// The reader of PEM gives one certificate at least.
fn nothing() -> FactsError {
    FactsError::Malformed { reason: "there is none".into() }
}

/// A template as the rules take it, before it has a name.
pub(super) fn unsaved(id: TemplateId, body: TemplateBody, now: Timestamp) -> Template {
    let (name, description) = (Box::default(), Box::default());
    Template { id, name, description, body, version: 1, created_at: now, updated_at: now }
}

/// The parameters that a draft declares, as far as they are parameters.
fn declared(draft: &TemplateDraft) -> Vec<SubjectAttribute> {
    let names = draft.parameters.iter().filter_map(|(name, _)| SubjectAttribute::from_parameter(name));
    let mut declared: Vec<_> = names.collect();
    declared.sort_unstable();
    declared.dedup();
    declared
}

/// One template tried on one certificate.
struct PreviewRun {
    chain: Vec<Box<[u8]>>,
    facts: CertificateFacts,
    template: Template,
    /// The resource space that the caller names.
    named: Option<SpaceId>,
    /// The resource space where the chain does not say, or why there is none.
    space: Result<SpaceId, ApiError>,
    scope: Scope,
    dry_run: DryRunContext,
}

impl PreviewRun {
    /// `None`: a lookup met a damaged row, so the answer means nothing.
    fn run(self, instance: &ServedInstance) -> Option<Result<PreviewAnswer, ApiError>> {
        let view = instance.view.admission();
        let damaged_before = view.lookups_damaged();
        let real = view.configuration();
        let trust = real.trust_store();
        let context = self.dry_run.decision_context(&trust);
        let in_scope = |space: &SpaceId| self.scope.holds_space(space);
        let wanted = |space: &SpaceId| in_scope(space) && self.named.as_ref().is_none_or(|named| named == space);
        let issuer = issuer_of(&real, &self.chain, &context, &wanted);
        let (space, ca): (SpaceId, Option<&CaId>) = match &issuer {
            Ok(issuer) => (real.cas.get(issuer.ca())?.space.clone(), Some(issuer.ca())),
            Err(_) => match &self.space {
                Ok(space) => (space.clone(), None),
                Err(error) => return Some(Err(error.clone())),
            },
        };
        let below = ca.map_or(Below::Space(&space), Below::Ca);
        let supposed = supposed(&real, self.template.clone(), &in_scope);
        let mut previewed = preview(supposed, view, &self.template, &self.chain, &self.facts, below, &context);
        let is_proven = matches!(&issuer, Ok(ChainIssuer::InForce(_)));
        // What a registrar would tell whoever has the key of the CA, it tells nobody who only has some certificate.
        if !is_proven && previewed.collision.as_ref().is_some_and(|rejection| !self.may_know(rejection, view)) {
            previewed.collision = None;
        }
        let unissued = issuer.as_ref().err().map(|error| Rejection::ChainRefused(error.clone()));
        let answering = Answering {
            configuration: &real,
            space: &space,
            ca,
            parameters: &self.template.body.parameters,
            facts: &self.facts,
        };
        let answer = answering.answer(previewed, unissued);
        (view.lookups_damaged() == damaged_before).then_some(Ok(answer))
    }

    /// Whether a collision is with a device of the caller's resource spaces.
    fn may_know(&self, collision: &Rejection, devices: &dyn Devices) -> bool {
        if self.scope.spaces.is_none() {
            return true;
        }
        let device = answer::collides_with(collision).and_then(|device| devices.entry(device));
        device.is_some_and(|entry| self.scope.holds_space(entry.space()))
    }
}
