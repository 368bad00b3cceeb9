//! Debugging a device certificate, for viewers: held against a CA certificate that is named, as `action_id=debug` of the v5 API,
//! or against the one that its chain is from.
//!
//! Holds no rule: the domain finds the CA certificate and asks the registrar's rules, the edge's own function says whether a
//! connection would be let in. Invariant: a CA certificate out of the caller's scope is as good as none.

use axum::{Json, extract::Path};
use rollcall_domain::{
    authenticate::{Identification, Verdict, authenticate},
    certificate::CertificateFacts,
    fleet::{Role, Scope},
    ids::{DeviceId, SpaceId},
    registry::{ChainIssuer, Configuration, Context, DebugOutcome, Debugged, Devices, debug, issuer_of},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    context::InstanceContext,
    dry_run::DryRunContext,
    http::{error::ApiError, errors::Errors, extract::Body, pem, route::Routes},
    instances::served::ServedInstance,
    v5::certificates::{
        self,
        debug::{self, Certificate, DebugAnswer},
    },
};

/// A device certificate, and how it would connect.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ToDebug {
    /// The device's certificate, PEM, with those that issued it behind it, if any.
    certificate: String,
    /// The client identifier of its CONNECT; as one that is not of the platform's standard form when absent.
    client_id: Option<String>,
    /// The user name of its CONNECT.
    user_name: Option<String>,
}

/// What a device certificate would become, and how its CA certificate was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChainDebugAnswer {
    /// How the CA certificate was found; absent: its chain is from no CA certificate that the caller may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    found_by: Option<FoundBy>,
    /// Whether it would be let in now.
    connection: Connection,
    #[serde(flatten)]
    debugged: DebugAnswer,
}

/// How a CA certificate was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FoundBy {
    /// By genuine signatures, and it is in force.
    Signature,
    /// By genuine signatures, and it is not in force: not verified yet, or its CA is distrusted.
    NotInForce,
    /// By the text of the issuer's name alone: the certificate has it in other bytes, so that the chain does not hold.
    Text,
}

/// What a connection would be answered with now.
#[derive(Debug, Serialize, ToSchema)]
struct Connection {
    /// Whether it would be let in, perhaps after a registration.
    outcome: ConnectionOutcome,
    /// Why it would be refused: a code that has a page in docs/operate/codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The same, for people.
    text: String,
}

/// What would become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ConnectionOutcome {
    /// Let in as a device that is known.
    Accept,
    /// Let in once the registrar has registered, pinned or replaced, which it would.
    Register,
    Refuse,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(ask)).operation(Role::Viewer, routes!(ask_by_chain))
}

/// Debug a device certificate: what it would become, and every check made
#[utoipa::path(post, path = "/rollcall/v1/instances/{instance_id}/certificates/{certificate_id}/debug", tag = "CA certificates",
    params(("instance_id" = String, Path), ("certificate_id" = String, Path)), request_body = Certificate,
    responses((status = 200, body = DebugAnswer), Errors))]
async fn ask(
    context: InstanceContext,
    Path((_instance, certificate_id)): Path<(String, String)>,
    Body(given): Body<Certificate>,
) -> Result<Json<DebugAnswer>, ApiError> {
    let ca = certificates::found(&context, &certificate_id)?;
    debug::of(&context, &ca, given).await.map(Json)
}

/// Debug a device certificate whose CA certificate is found by its chain
///
/// Also says whether a connection with it would be let in now, under the client id and user name that are given.
#[utoipa::path(post, path = "/rollcall/v1/instances/{instance_id}/debug", tag = "CA certificates",
    params(("instance_id" = String, Path)), request_body = ToDebug,
    responses((status = 200, body = ChainDebugAnswer), Errors))]
async fn ask_by_chain(context: InstanceContext, Body(given): Body<ToDebug>) -> Result<Json<ChainDebugAnswer>, ApiError> {
    let run = ChainDebugRun {
        chain: pem::chain("certificate", &given.certificate)?,
        client_id: given.client_id.unwrap_or_default(),
        user_name: given.user_name,
        scope: context.caller.scope.clone(),
        dry_run: DryRunContext::of(&context)?,
    };
    context.instance.lookup(move |instance| run.run(instance)).await.map(Json)
}

struct ChainDebugRun {
    chain: Vec<Box<[u8]>>,
    client_id: String,
    user_name: Option<String>,
    scope: Scope,
    dry_run: DryRunContext,
}

impl ChainDebugRun {
    /// `None`: a lookup met a damaged row, so the outcome means nothing.
    fn run(self, instance: &ServedInstance) -> Option<ChainDebugAnswer> {
        let view = instance.view.admission();
        let damaged_before = view.lookups_damaged();
        let configuration = view.configuration();
        let trust = configuration.trust_store();
        let context = self.dry_run.decision_context(&trust);
        let visible = |space: &SpaceId| self.scope.holds_space(space);
        let (issuer, verdict, debugged) = match issuer_of(&configuration, &self.chain, &context, &visible) {
            Err(error) => (None, None, Debugged::unissued(error)),
            Ok(issuer) => {
                let verdict = match &issuer {
                    ChainIssuer::InForce(_) => self.authenticated(&configuration, view, &context),
                    ChainIssuer::NotInForce(_) | ChainIssuer::ByText(_) => None,
                };
                let claimed = claimed(verdict.as_ref());
                let debugged = debug(&configuration, view, &self.chain, issuer.ca(), claimed, &context);
                (Some(issuer), verdict, debugged)
            }
        };
        let connection = connection(verdict, &debugged.outcome);
        let ca = issuer.as_ref().map(ChainIssuer::ca);
        let debugged = certificates::debug::answer(instance, &configuration, debugged, ca, &self.chain);
        let found_by = issuer.as_ref().map(FoundBy::from);
        (view.lookups_damaged() == damaged_before).then_some(ChainDebugAnswer { found_by, connection, debugged })
    }

    /// What a connector would say; `None` of a chain that does not hold, which it does not ask about.
    fn authenticated(&self, configuration: &Configuration, devices: &dyn Devices, context: &Context<'_>) -> Option<Verdict> {
        let presented: Vec<&[u8]> = self.chain.iter().map(|certificate| &**certificate).collect();
        let path = context.trust.prove(&presented, context.now).ok()?;
        let facts = CertificateFacts::from_der(presented.first()?).ok()?;
        let identification = Identification { client_id: &self.client_id, user_name: self.user_name.as_deref() };
        let Context { instance, availability, now, .. } = context;
        Some(authenticate(configuration, devices, instance, availability, &facts, &path, &identification, *now))
    }
}

fn claimed(verdict: Option<&Verdict>) -> Option<&DeviceId> {
    match verdict {
        Some(Verdict::Register { claimed, .. }) => claimed.as_ref(),
        Some(Verdict::Accept(_) | Verdict::Refuse(_)) | None => None,
    }
}

/// The edge's verdict; where it would ask the registrar, or not even read the certificate, what the rules say.
fn connection(verdict: Option<Verdict>, ruled: &DebugOutcome) -> Connection {
    match (verdict, ruled) {
        (Some(Verdict::Accept(known)), _) => Connection {
            outcome: ConnectionOutcome::Accept,
            code: None,
            text: format!("it would be let in as device {}", known.device),
        },
        (Some(Verdict::Refuse(refusal)), _) => Connection {
            outcome: ConnectionOutcome::Refuse,
            code: Some(refusal.code().to_owned()),
            text: refusal.to_string(),
        },
        (Some(Verdict::Register { .. }) | None, DebugOutcome::Refuse(rejection)) => Connection {
            outcome: ConnectionOutcome::Refuse,
            code: Some(rejection.code().to_owned()),
            text: rejection.to_string(),
        },
        (Some(Verdict::Register { .. }) | None, ruled) => {
            Connection { outcome: ConnectionOutcome::Register, code: None, text: ruled.text() }
        }
    }
}

impl From<&ChainIssuer> for FoundBy {
    fn from(issuer: &ChainIssuer) -> Self {
        match issuer {
            ChainIssuer::InForce(_) => Self::Signature,
            ChainIssuer::NotInForce(_) => Self::NotInForce,
            ChainIssuer::ByText(_) => Self::Text,
        }
    }
}
