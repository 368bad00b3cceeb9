//! What a changed template would do to the devices that it has registered, and another one to those of a CA certificate, asked
//! before it is changed or bound.
//!
//! Holds no rule: the domain says what another body would make of a certificate, [`outcomes`] counts the outcomes. Invariants:
//! nothing is changed; the work for one request is bounded, and an incomplete answer says so.

mod outcomes;

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::Path};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rollcall_domain::{
    fleet::Role,
    ids::TemplateId,
    registry::{Ca, Command, Configuration, Template, command::TemplateChange, supposed},
    template::{TemplateBody, TemplateDraft},
};
use rollcall_projection::directory::{CertificateId, ListedCertificate};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::routes;

use self::outcomes::{Counts, Examples, OutcomeCounts};
use super::preview::unsaved;
use crate::{
    context::InstanceContext,
    dry_run,
    http::{error::ApiError, errors::Errors, extract::Body, route::Routes},
    instances::{
        records::{self, StoredRecord},
        served::ServedInstance,
    },
    v5::{certificates, templates},
};

/// Device certificates examined for one request.
const CERTIFICATES_MAX: u64 = 100_000;
/// Longest time for one request.
const EXAMINING_MAX: Duration = Duration::from_secs(30);
/// Certificates looked up in one batch.
const CERTIFICATES_AT_A_TIME: usize = 500;
/// Records read at a time.
const READS_AT_A_TIME: usize = 16;

/// The template as it might be.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Proposal {
    /// What it would make of a certificate: a `TemplateBody`. Anything else is answered with what is wrong with it.
    #[schema(value_type = Value)]
    template_body: serde_json::Value,
}

/// What the change would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhatIfAnswer {
    /// Whether the body is a template at all. If not, nobody is examined.
    valid: bool,
    /// Every fault of the body.
    faults: Vec<FaultShown>,
    /// Why the change would be refused although the body is valid, such as a product of another resource space.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<RejectionShown>,
    /// Whether every device certificate that came by the template was examined.
    complete: bool,
    /// Why not every one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    limited_by: Option<LimitedBy>,
    /// How many device certificates would fare how.
    counts: Counts,
    /// Some of those that would not fare as now, the newest first; at most 100 of each kind.
    examples: Examples,
}

/// One fault of a template body.
#[derive(Debug, Serialize, ToSchema)]
struct FaultShown {
    /// Its path in the body.
    field: String,
    /// The rule that it breaks, and what would satisfy it.
    rule: String,
}

/// Why a change would be refused.
#[derive(Debug, Serialize, ToSchema)]
struct RejectionShown {
    /// Its code, which has a page in docs/operate/codes.
    code: String,
    /// What is wrong, and what to do.
    message: String,
}

/// What an answer was limited by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum LimitedBy {
    /// There are more device certificates than are examined for one question.
    Certificates,
    /// It took too long.
    Time,
    /// The caller may not use the resource spaces of all CA certificates that the template is bound to.
    Scope,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(ask)).operation(Role::Viewer, routes!(ask_of_certificate))
}

/// Ask what a changed template would do to existing devices
///
/// Only connections that a template is asked about can change: a client that names its device in the platform's standard
/// form gets in by that device's own record, whatever the template says.
#[utoipa::path(post, path = "/rollcall/v1/instances/{instance_id}/templates/{template_id}/what-if", tag = "Provisioning templates",
    params(("instance_id" = String, Path), ("template_id" = String, Path)), request_body = Proposal,
    responses((status = 200, body = WhatIfAnswer), Errors))]
async fn ask(
    context: InstanceContext,
    Path((_instance, template_id)): Path<(String, String)>,
    Body(proposal): Body<Proposal>,
) -> Result<Json<WhatIfAnswer>, ApiError> {
    let template = templates::found(&context, &template_id)?;
    let (draft, body) = match read(&proposal) {
        Ok(read) => read,
        Err(faults) => return Ok(Json(invalid(faults))),
    };
    let _permit = dry_run::permit(&context)?;
    let change = Command::UpdateTemplate { template: template.id.clone(), description: None, body: Some(draft) };
    let examination = Examination::of_template(&context, &template, body.clone());
    answered(&context, &body, None, change, examination).await.map(Json)
}

/// Ask what a template, saved or not, would do to the devices of a CA certificate if it were bound there
///
/// In place of the one that is bound now, if one is. As for a changed template, only connections that a template is asked about
/// can change.
#[utoipa::path(post, path = "/rollcall/v1/instances/{instance_id}/certificates/{certificate_id}/what-if", tag = "CA certificates",
    params(("instance_id" = String, Path), ("certificate_id" = String, Path)), request_body = Proposal,
    responses((status = 200, body = WhatIfAnswer), Errors))]
async fn ask_of_certificate(
    context: InstanceContext,
    Path((_instance, certificate_id)): Path<(String, String)>,
    Body(proposal): Body<Proposal>,
) -> Result<Json<WhatIfAnswer>, ApiError> {
    let ca = certificates::found(&context, &certificate_id)?;
    let (_, body) = match read(&proposal) {
        Ok(read) => read,
        Err(faults) => return Ok(Json(invalid(faults))),
    };
    let _permit = dry_run::permit(&context)?;
    let template = TemplateId::parse(&context.api.new_id()).map_err(|error| ApiError::invalid("template_id", error))?;
    let bind = TemplateChange::Bind(template.clone());
    let change = Command::ConfigureCa { ca: ca.id.clone(), template: bind, self_registration: None };
    let template = unsaved(template, body.clone(), context.now());
    let supposed = supposed(&context.configuration(), template, &|_| true);
    let examination = Examination::of_ca(&context, ca, body.clone());
    answered(&context, &body, Some(Arc::new(supposed)), change, examination).await.map(Json)
}

/// The template that is proposed.
///
/// # Errors
/// Everything that is wrong with it.
fn read(proposal: &Proposal) -> Result<(TemplateDraft, TemplateBody), Vec<FaultShown>> {
    let draft = templates::draft(&proposal.template_body)
        .map_err(|error| vec![FaultShown { field: "template_body".into(), rule: error.message }])?;
    let body = draft.validate().map_err(|faults| {
        let faults = faults.into_iter().map(|fault| FaultShown { field: fault.field, rule: fault.rule });
        faults.collect::<Vec<_>>()
    })?;
    Ok((draft, body))
}

/// What the registrar would say to `change`, on `supposed` if that is given, and what is found by the examination.
async fn answered(
    context: &InstanceContext,
    body: &TemplateBody,
    supposed: Option<Arc<Configuration>>,
    change: Command,
    mut examination: Examination,
) -> Result<WhatIfAnswer, ApiError> {
    let rejection = match not_in_scope(context, body) {
        Some(rejection) => Some(rejection),
        None => dry_run::ruling(context, supposed, change)
            .await?
            .err()
            .map(|rejection| RejectionShown { code: rejection.code().to_owned(), message: rejection.to_string() }),
    };
    let limited_by = examination.run().await?;
    let (counts, examples) = examination.outcomes.shown();
    let (faults, complete) = (Vec::new(), limited_by.is_none());
    Ok(WhatIfAnswer { valid: true, faults, rejection, complete, limited_by, counts, examples })
}

fn invalid(faults: Vec<FaultShown>) -> WhatIfAnswer {
    let (counts, examples) = OutcomeCounts::default().shown();
    WhatIfAnswer { valid: false, faults, rejection: None, complete: false, limited_by: None, counts, examples }
}

/// What a caller who is limited to resource spaces is told of a body that names what is in none of them: the registrar's own
/// rejection would say whether it is anywhere else.
fn not_in_scope(context: &InstanceContext, body: &TemplateBody) -> Option<RejectionShown> {
    let spaces = context.caller.scope.spaces.as_ref()?;
    if templates::fits_any(&context.configuration(), spaces, body) {
        return None;
    }
    let message = "the product and the policies that the template names are in none of the resource spaces that you may use";
    Some(RejectionShown { code: "not_found".to_owned(), message: message.to_owned() })
}

/// The examination of one request.
struct Examination {
    instance: Arc<ServedInstance>,
    /// The CA certificates in scope that the template is bound to.
    cas: Vec<Ca>,
    all_in_scope: bool,
    /// The template today; `None`: none is bound.
    now: Option<Arc<TemplateBody>>,
    proposed: Arc<TemplateBody>,
    outcomes: OutcomeCounts,
}

impl Examination {
    /// Of a template that is to be changed.
    fn of_template(context: &InstanceContext, template: &Template, proposed: TemplateBody) -> Self {
        let configuration = context.configuration();
        let bound = |ca: &&Ca| ca.template.as_ref() == Some(&template.id);
        let in_scope = |ca: &&Ca| context.caller.scope.holds_space(&ca.space);
        let mut cas: Vec<Ca> = configuration.cas.values().filter(bound).filter(in_scope).cloned().collect();
        // Devices are those of a CA, whichever of its certificates proved them: of renewals the one that is good for longest.
        cas.sort_by_key(|ca| (ca.name_and_key_sha256, std::cmp::Reverse(ca.not_after)));
        cas.dedup_by_key(|ca| ca.name_and_key_sha256);
        Self {
            instance: Arc::clone(&context.instance),
            cas,
            all_in_scope: configuration.cas.values().filter(bound).all(|ca| in_scope(&ca)),
            now: Some(Arc::new(template.body.clone())),
            proposed: Arc::new(proposed),
            outcomes: OutcomeCounts::default(),
        }
    }

    /// Of a CA certificate that is to have another template.
    fn of_ca(context: &InstanceContext, ca: Ca, proposed: TemplateBody) -> Self {
        let configuration = context.configuration();
        let bound = ca.template.as_ref().and_then(|template| configuration.templates.get(template));
        Self {
            instance: Arc::clone(&context.instance),
            now: bound.map(|template| Arc::new(template.body.clone())),
            cas: vec![ca],
            all_in_scope: true,
            proposed: Arc::new(proposed),
            outcomes: OutcomeCounts::default(),
        }
    }

    /// Examines every certificate, or up to a limit, which it returns.
    async fn run(&mut self) -> Result<Option<LimitedBy>, ApiError> {
        let ends = Instant::now() + EXAMINING_MAX;
        for ca in self.cas.clone() {
            let (ca, mut after) = (Arc::new(ca), None);
            loop {
                if self.outcomes.examined() >= CERTIFICATES_MAX {
                    return Ok(Some(LimitedBy::Certificates));
                }
                let Ok(examined) = tokio::time::timeout_at(ends, self.examine_batch(&ca, after)).await else {
                    return Ok(Some(LimitedBy::Time));
                };
                match examined? {
                    Some(last) => after = Some(last),
                    None => break,
                }
            }
        }
        Ok((!self.all_in_scope).then_some(LimitedBy::Scope))
    }

    /// Examines a batch of a CA certificate's device certificates; `None` when there are no more.
    async fn examine_batch(
        &mut self,
        ca: &Arc<Ca>,
        after: Option<CertificateId>,
    ) -> Result<Option<CertificateId>, ApiError> {
        let issuer = ca.name_and_key_sha256;
        let look = move |instance: &ServedInstance| instance.view.certificates_below(&issuer, after, CERTIFICATES_AT_A_TIME);
        let mut found = self.instance.lookup(look).await?;
        let Some(last) = found.last().map(|certificate| certificate.id) else { return Ok(None) };
        // Those of a CA below this one are by its own template.
        found.retain(|certificate| certificate.path.last() == Some(&issuer));
        let instance = &self.instance;
        let read = stream::iter(found).map(|certificate| async move {
            let der = der(instance, &certificate).await?;
            Ok::<_, ApiError>((certificate, der))
        });
        let read: Vec<_> = read.buffered(READS_AT_A_TIME).try_collect().await?;
        let (ca, now, proposed) = (Arc::clone(ca), self.now.clone(), Arc::clone(&self.proposed));
        let mut outcomes = std::mem::take(&mut self.outcomes);
        self.outcomes = self
            .instance
            .lookup(move |instance| {
                let devices = instance.view.admission();
                let damaged_before = devices.lookups_damaged();
                for (certificate, der) in &read {
                    outcomes.add(certificate, der.as_deref(), &ca, now.as_deref(), &proposed, devices);
                }
                (devices.lookups_damaged() == damaged_before).then_some(outcomes)
            })
            .await?;
        Ok(Some(last))
    }
}

/// A certificate's DER from the log; `None` where the record differs from the view.
async fn der(instance: &ServedInstance, certificate: &ListedCertificate) -> Result<Option<Box<[u8]>>, ApiError> {
    let stored = records::at(instance, certificate.id.position).await?;
    let presented = stored.as_ref().and_then(StoredRecord::event).and_then(records::presented);
    Ok(presented.filter(|presented| presented.sha256 == certificate.sha256).map(|presented| presented.der.clone()))
}
