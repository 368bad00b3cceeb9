//! Attempts: why a device was not let in, or a change was rejected; and replaying one after a fix.
//!
//! A registrar stores what it has rejected, a connector what it has refused by itself; a registrar replays both. Attempts have no
//! resource space, so that only callers with the whole instance see them. Invariant: text out of a certificate is escaped before
//! people see it; the certificate itself is in the request, as DER.

use std::sync::Arc;

use axum::{Json, extract::Path};
use rollcall_domain::{
    certificate::{CertificateFacts, SubjectAttribute, path::TrustStore},
    fleet::Role,
    ids::Position,
    registry::{Actor, RequestBody},
    text,
};
use rollcall_log::codec::{AnyRequest, Attempt, decode_attempt, encode_request};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    context::InstanceContext,
    http::{codes::Code, error::ApiError, errors::Errors, extract::Query, paging, route::Routes, times},
    instances::{
        recent_attempts::{AttemptFilter, AttemptGroup, device, presented},
        served::ServedInstance,
    },
};

/// Characters of one Subject attribute that are shown.
const ATTRIBUTE_CHARS_MAX: usize = 64;
/// Groups of one answer.
const GROUPS_MAX: usize = 200;

/// Which attempts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Refused with this code, such as `chain_refused`.
    #[param(max_length = 64)]
    code: Option<String>,
    /// Of this certificate: the beginning of its SHA-256 in hex, or part of its CN, in any case.
    #[param(max_length = 256)]
    certificate: Option<String>,
    /// Of this device: that had the certificate then or was made of it by the template, whatever the client called itself;
    /// or claimed by the client, or named by the command.
    #[param(max_length = 128)]
    device: Option<String>,
    /// From this CA certificate, by the id that it had then; attempts of version 0.1 do not say.
    #[param(max_length = 36)]
    certificate_id: Option<String>,
    /// By this template.
    #[param(max_length = 36)]
    template_id: Option<String>,
    /// From this IP address, where it was seen.
    #[param(max_length = 45)]
    source: Option<String>,
    /// Not before this time, as `20151212T121212Z`.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    since: Option<String>,
    /// Not after this time, as `20151212T121212Z`.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    until: Option<String>,
    /// Before this position: `next` of the page before.
    #[param(minimum = 1)]
    before: Option<i64>,
    /// Entries of the page, 1 to 50; 10 when absent.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<i64>,
}

/// Why something was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptShown {
    /// Where it is kept.
    pub(super) position: u64,
    /// When it was ruled on; RFC 3339, UTC.
    time: String,
    /// Stable code; each has a page in docs/operate/codes.
    code: String,
    /// What was wrong.
    message: String,
    /// Who asked: `certificate <sha256>` or `operator <name>`.
    actor: String,
    /// The certificate that wanted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateShown>,
    /// The device that was claimed, or that the command was about; else the device that had the certificate then, or that
    /// the template made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    /// The device that had the certificate then, or that the template made of it, whatever the client called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_device_id: Option<String>,
    /// IP address of the client, where it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// Whether the client had proven to hold the certificate's key. `false`: TLS refused the certificate before, and anybody
    /// may have sent it, for certificates are public. Absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_proven: Option<bool>,
    /// The template that was consulted.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<TemplateConsulted>,
}

/// A certificate that wanted in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CertificateShown {
    /// SHA-256 over the DER, hex.
    fingerprint: String,
    /// The Subject for people: what is not printable is escaped. Empty if it cannot be read.
    subject: String,
    /// The CA certificate of the instance that it was from, by its id then.
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_certificate_id: Option<String>,
}

/// A template that was consulted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TemplateConsulted {
    /// Its id.
    template_id: String,
    /// Its version then.
    version: u32,
}

/// A page of attempts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptsShown {
    /// Newest first.
    attempts: Vec<AttemptShown>,
    /// `before` of the next page; absent when this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// Which attempts to count.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichGroups {
    /// Refused with this code, such as `chain_refused`.
    #[param(max_length = 64)]
    code: Option<String>,
    /// Of this certificate: the beginning of its SHA-256 in hex, or part of its CN, in any case.
    #[param(max_length = 256)]
    certificate: Option<String>,
    /// Of this device, as in the list.
    #[param(max_length = 128)]
    device: Option<String>,
    /// From this CA certificate, by the id that it had then.
    #[param(max_length = 36)]
    certificate_id: Option<String>,
    /// By this template.
    #[param(max_length = 36)]
    template_id: Option<String>,
    /// From this IP address, where it was seen.
    #[param(max_length = 45)]
    source: Option<String>,
    /// Not before this time, as `20151212T121212Z`.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    since: Option<String>,
    /// Not after this time, as `20151212T121212Z`.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    until: Option<String>,
}

/// Attempts that were refused for one reason, from one CA certificate, by one template, from one source.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptGroupShown {
    /// The code of the refusal.
    code: String,
    /// The CA certificate, by the id that it had then.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_id: Option<String>,
    /// The CN of that, while it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_name: Option<String>,
    /// The template that was consulted.
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<String>,
    /// IP address of the client, where it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// How many attempts.
    count: u64,
    /// How many different certificates among them; 0 where they are changes by operators.
    certificates: u64,
    /// How many different devices among them, as far as it is known whose they were.
    devices: u64,
    /// When the first was ruled on; RFC 3339, UTC.
    first_at: String,
    /// When the last was.
    last_at: String,
    /// Where the last is kept.
    last_position: u64,
}

/// The attempts that are kept, in groups.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptGroups {
    /// Those with the most attempts first, at most 200.
    groups: Vec<AttemptGroupShown>,
    /// How many groups there are beside: narrow what is asked.
    left_out: u64,
}

/// All that is known of an attempt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptWhole {
    #[serde(flatten)]
    attempt: AttemptShown,
    /// Every check made, in order.
    checks: Vec<CheckShown>,
    /// The request as it was queued; a certificate's chain is DER in base64.
    #[schema(value_type = Object)]
    request: serde_json::Value,
}

/// One check.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckShown {
    /// Which.
    name: String,
    /// Whether it held.
    passed: bool,
    /// What was found.
    detail: String,
}

/// What became of an attempt that was tried again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Replayed {
    /// `true`; a refusal is answered as an error.
    accepted: bool,
    /// Where the record is, or the log's end if it was already so.
    position: u64,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .operation(Role::Viewer, routes!(list))
        .operation(Role::Viewer, routes!(groups))
        .operation(Role::Viewer, routes!(show))
        .operation(Role::Operator, routes!(replay))
}

/// List why connections and changes were refused
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/attempts", tag = "Attempts",
    params(("instance_id" = String, Path), Which), responses((status = 200, body = AttemptsShown), Errors))]
async fn list(context: InstanceContext, Query(which): Query<Which>) -> Result<Json<AttemptsShown>, ApiError> {
    context.require_whole_instance()?;
    let limit = paging::limit(which.limit)?;
    let filter = which.filter()?;
    let attempts = &*context.instance.backbone.attempts;
    let mut positions = context.instance.attempts.find(attempts, &context.instance.log(), &filter, limit + 1).await?;
    let more = positions.len() > limit;
    positions.truncate(limit);
    let next = positions.last().filter(|_| more).map(|position| position.0);
    let mut found = Vec::with_capacity(positions.len());
    for position in positions {
        found.extend(read(&context, position).await?.map(|attempt| (position, attempt)));
    }
    Ok(Json(AttemptsShown { attempts: shown(&context.instance, found).await?, next }))
}

/// Count why connections and changes were refused, in groups of one code, CA certificate, template and source
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/attempts/groups", tag = "Attempts",
    params(("instance_id" = String, Path), WhichGroups), responses((status = 200, body = AttemptGroups), Errors))]
async fn groups(context: InstanceContext, Query(which): Query<WhichGroups>) -> Result<Json<AttemptGroups>, ApiError> {
    context.require_whole_instance()?;
    let filter = Which::from(which).filter()?;
    let attempts = &*context.instance.backbone.attempts;
    let (groups, all) = context.instance.attempts.groups(attempts, &context.instance.log(), &filter, GROUPS_MAX).await?;
    let left_out = all.saturating_sub(groups.len()) as u64;
    let configuration = context.configuration();
    let shown = |group: AttemptGroup| AttemptGroupShown {
        code: group.code.into(),
        ca_name: group.ca.as_ref().and_then(|ca| configuration.cas.get(ca)).map(|ca| ca.cn_name.to_string()),
        certificate_id: group.ca.map(|ca| ca.to_string()),
        template_id: group.template.map(|template| template.to_string()),
        source: group.source.map(|source| source.to_string()),
        count: group.count,
        certificates: group.certificates,
        devices: group.devices,
        first_at: times::with_milliseconds(group.first_at),
        last_at: times::with_milliseconds(group.last_at),
        last_position: group.last.0,
    };
    Ok(Json(AttemptGroups { groups: groups.into_iter().map(shown).collect(), left_out }))
}

/// Show all that is known of an attempt
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/attempts/{position}", tag = "Attempts",
    params(("instance_id" = String, Path), ("position" = String, Path)), responses((status = 200, body = AttemptWhole), Errors))]
async fn show(
    context: InstanceContext,
    Path((_, position)): Path<(String, String)>,
) -> Result<Json<AttemptWhole>, ApiError> {
    context.require_whole_instance()?;
    let (position, attempt) = found(&context, &position).await?;
    let request = serde_json::from_slice(&encode_request(&attempt.request)).unwrap_or_default();
    let checks = attempt.checks.iter();
    let checks =
        checks.map(|(name, passed, detail)| CheckShown { name: name.clone(), passed: *passed, detail: detail.clone() });
    let checks = checks.collect();
    let attempt =
        shown(&context.instance, vec![(position, attempt)]).await?.pop().ok_or_else(|| not_found(&position.to_string()))?;
    Ok(Json(AttemptWhole { attempt, checks, request }))
}

/// Try to let a device in again, after a fix
///
/// The same certificate is ruled on again, as things stand now.
#[utoipa::path(post, path = "/rollcall/v1/instances/{instance_id}/attempts/{position}/replay", tag = "Attempts",
    params(("instance_id" = String, Path), ("position" = String, Path)), responses((status = 200, body = Replayed), Errors))]
async fn replay(context: InstanceContext, Path((_, position)): Path<(String, String)>) -> Result<Json<Replayed>, ApiError> {
    context.require_whole_instance()?;
    let (_, attempt) = found(&context, &position).await?;
    let body = match attempt.request.request {
        AnyRequest::Registry(request) => request.body,
        AnyRequest::Fleet { .. } => return Err(not_found(&position)),
    };
    match body {
        RequestBody::CertificateConnect { .. } => {}
        RequestBody::Command(_) => {
            let text = "this was an operator's change: send it again; only what a device attempted can be replayed";
            return Err(ApiError::new(Code::NotOffered, text));
        }
    }
    let accepted = context.request(0, body).await?;
    Ok(Json(Replayed { accepted: true, position: accepted.position.0 }))
}

impl Which {
    fn filter(self) -> Result<AttemptFilter, ApiError> {
        let time = |field, text: Option<String>| text.map(|text| times::read(field, &text)).transpose();
        let (since, until) = (time("since", self.since)?, time("until", self.until)?);
        if since.zip(until).is_some_and(|(since, until)| since > until) {
            return Err(ApiError::new(Code::TimeOrder, "since is after until"));
        }
        let before = match self.before.map(u64::try_from) {
            None => None,
            Some(Ok(before)) if before > 0 => Some(Position(before)),
            Some(_) => return Err(ApiError::invalid("before", "give a position, 1 or more")),
        };
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (code, certificate, device) = (said(self.code), said(self.certificate), said(self.device));
        let (ca, template) = (said(self.certificate_id), said(self.template_id));
        let read = |text: String| text.parse().map_err(|_| ApiError::invalid("source", "give an IP address"));
        let source = said(self.source).map(read).transpose()?;
        Ok(AttemptFilter { code, certificate, device, ca, template, source, since, until, before })
    }
}

impl From<WhichGroups> for Which {
    fn from(which: WhichGroups) -> Self {
        let WhichGroups { code, certificate, device, certificate_id, template_id, source, since, until } = which;
        Self { code, certificate, device, certificate_id, template_id, source, since, until, before: None, limit: None }
    }
}

fn not_found(position: &str) -> ApiError {
    ApiError::new(Code::AttemptNotFound, format!("there is no attempt at {position:?}, or not any more"))
}

async fn found(context: &InstanceContext, position: &str) -> Result<(Position, Attempt), ApiError> {
    let at = position.parse().ok().filter(|at| *at > 0).map(Position).ok_or_else(|| not_found(position))?;
    let attempt = read(context, at).await?.ok_or_else(|| not_found(position))?;
    Ok((at, attempt))
}

/// `None`: the stream has dropped it.
async fn read(context: &InstanceContext, position: Position) -> Result<Option<Attempt>, ApiError> {
    let before = Position(position.0.saturating_sub(1));
    let entry = context.instance.backbone.attempts.read(&context.instance.log(), before, 1).await?.pop();
    let Some(entry) = entry.filter(|entry| entry.position == position) else { return Ok(None) };
    decode_attempt(&entry.record).map(Some).map_err(|error| {
        tracing::error!(%position, %error, "an attempt cannot be read");
        ApiError::new(Code::Internal, "the attempt cannot be read by this version")
    })
}

/// Where blocking is allowed: verifying the chains keeps a processor busy.
pub(super) async fn shown(
    instance: &Arc<ServedInstance>,
    attempts: Vec<(Position, Attempt)>,
) -> Result<Vec<AttemptShown>, ApiError> {
    let trust = instance.configuration().trust_store();
    instance
        .lookup(move |_| Some(attempts.iter().map(|(position, attempt)| one_shown(*position, attempt, &trust)).collect()))
        .await
}

fn one_shown(position: Position, attempt: &Attempt, trust: &TrustStore) -> AttemptShown {
    let actor = match &attempt.request.request {
        AnyRequest::Fleet { actor, .. } => actor,
        AnyRequest::Registry(request) => &request.actor,
    };
    let attribution = attempt.attribution.as_ref();
    let attributed = attribution.and_then(|attribution| attribution.device.as_ref());
    AttemptShown {
        position: position.0,
        time: times::with_milliseconds(attempt.time),
        code: attempt.rejection.code.clone(),
        message: attempt.rejection.message.clone(),
        actor: match actor {
            Actor::Certificate(sha256) => format!("certificate {}", hex::encode(sha256)),
            Actor::Operator(name) => format!("operator {name}"),
        },
        certificate: presented(attempt).map(|der| certificate(der, attempt, trust)),
        device_id: device(attempt).or(attributed).map(ToString::to_string),
        certificate_device_id: attributed.map(ToString::to_string),
        source: attribution.and_then(|attribution| attribution.source).map(|source| source.to_string()),
        key_proven: attribution.and_then(|attribution| attribution.key_proven),
        template: attempt
            .template
            .as_ref()
            .map(|(id, version)| TemplateConsulted { template_id: id.to_string(), version: *version }),
    }
}

fn certificate(der: &[u8], attempt: &Attempt, trust: &TrustStore) -> CertificateShown {
    use sha2::{Digest as _, Sha256};
    let facts = CertificateFacts::of_refused(der).ok();
    let chain: Vec<&[u8]> = match &attempt.request.request {
        AnyRequest::Registry(request) => match &request.body {
            RequestBody::CertificateConnect { chain, .. } => chain.iter().map(|der| &**der).collect(),
            RequestBody::Command(_) => Vec::new(),
        },
        AnyRequest::Fleet { .. } => Vec::new(),
    };
    CertificateShown {
        fingerprint: hex::encode(Sha256::digest(der)),
        subject: facts.as_ref().map(subject).unwrap_or_default(),
        ca_certificate_id: match &attempt.attribution {
            Some(attribution) => attribution.ca.as_ref().map(ToString::to_string),
            // One of version 1 does not say: then it is the CA certificate that it would lead to now.
            None => trust.prove(&chain, attempt.time).ok().map(|proven| proven.ca.to_string()),
        },
    }
}

/// The Subject as `CN=…, O=…`, without attributes that cannot be used.
fn subject(facts: &CertificateFacts) -> String {
    let attributes = SubjectAttribute::ALL.into_iter().rev().filter_map(|attribute| {
        let value = facts.attribute(attribute).ok()?;
        Some(format!("{attribute}={}", text::shown(value, ATTRIBUTE_CHARS_MAX)))
    });
    attributes.collect::<Vec<_>>().join(", ")
}
