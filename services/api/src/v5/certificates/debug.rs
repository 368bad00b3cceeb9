//! Debugging a device certificate: what it would become if it connected now, and every check made on the way.
//!
//! Holds no rule: the domain applies the registrar's own, over the same state, and nothing is recorded. Invariant: nothing of
//! another resource space than the CA certificate's is shown.

use rollcall_domain::{
    certificate::CertificateFacts,
    ids::{CaId, Fingerprint},
    registry::{Ca, Check, Configuration, DebugOutcome, Debugged, Device, DeviceEntry, Devices as _, PinKey, debug},
    rejection::Rejection,
    template::DerivedDevice,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    context::InstanceContext,
    dry_run::DryRunContext,
    http::{error::ApiError, pem, times},
    instances::served::ServedInstance,
    v5::devices::object::TagShown,
};

/// What it is done with.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Certificate {
    /// `verify`: the certificate that this CA has issued to the verification code as CN, PEM. `debug`: the device's
    /// certificate, PEM, with those that issued it behind it, if any.
    pub(super) verify_content: Option<String>,
    /// `debug`: the same, by a better name.
    device_certificate: Option<String>,
}

/// What a device certificate would become.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DebugAnswer {
    /// What would happen.
    outcome: Outcome,
    /// The same, for people.
    text: String,
    /// Why it would be refused: the rejection's own code, which has a page in docs/operate/codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<String>,
    /// The CA certificate that it was held against; absent where none was named and its chain is from none.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_id: Option<String>,
    /// The CA certificate of the same resource space that it is from, where that is another: the outcome is what would
    /// happen there.
    #[serde(skip_serializing_if = "Option::is_none")]
    leads_to_certificate_id: Option<String>,
    /// The template that is bound, in force or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    template_version: Option<u32>,
    /// What the certificate says; absent if it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_certificate: Option<CertificateSays>,
    /// The device that the template makes of it, also where something else forbids it; the device itself if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<WouldBe>,
    /// Every check, in order.
    checks: Vec<CheckMade>,
}

/// What would happen to a certificate that connects now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// A new device would be registered.
    Register,
    /// It is a registered device's already.
    AlreadyRegistered,
    /// It would be the first certificate of a device that waits for one.
    Pin,
    /// It would take the place of a device's old certificate.
    Replace,
    /// It would be refused.
    Refuse,
}

/// What a certificate says.
#[derive(Debug, Serialize, ToSchema)]
struct CertificateSays {
    /// The CN of its Subject, for people.
    common_name: String,
    /// SHA-256 over it, hex.
    fingerprint: String,
    /// From when it is good, UTC.
    effective_date: String,
    /// Until when it is good, UTC.
    expiry_date: String,
}

/// A device as it would be.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WouldBe {
    /// Its id.
    device_id: String,
    /// What its owner calls it.
    node_id: String,
    /// Its product.
    product_id: String,
    /// Its resource space.
    app_id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_name: Option<String>,
    /// Its tags.
    tags: Vec<TagShown>,
    /// The policies that are bound to it itself.
    policy_ids: Vec<String>,
}

/// One check.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckMade {
    /// Which.
    name: String,
    /// Whether it held.
    passed: bool,
    /// What was found.
    detail: String,
}

/// Debugs the device certificate that is given, as seen from a CA certificate that the caller may touch.
///
/// # Errors
/// [`InvalidCertificate`](crate::Code::InvalidCertificate) if none is given; [`NotReady`](crate::Code::NotReady).
pub(crate) async fn of(context: &InstanceContext, ca: &Ca, given: Certificate) -> Result<DebugAnswer, ApiError> {
    let (field, text) = match (given.device_certificate, given.verify_content) {
        (Some(text), _) => ("device_certificate", text),
        (None, text) => ("verify_content", text.unwrap_or_default()),
    };
    let run = DebugRun { chain: pem::chain(field, &text)?, ca: ca.id.clone(), dry_run: DryRunContext::of(context)? };
    context.instance.lookup(move |instance| run.run(instance)).await
}

/// One certificate, and the CA certificate that it is checked against.
struct DebugRun {
    chain: Vec<Box<[u8]>>,
    ca: CaId,
    dry_run: DryRunContext,
}

impl DebugRun {
    /// `None`: a lookup met a damaged row, so the outcome means nothing.
    fn run(self, instance: &ServedInstance) -> Option<DebugAnswer> {
        let view = instance.view.admission();
        let damaged_before = view.lookups_damaged();
        let configuration = view.configuration();
        // Built for each request: an instance has a hundred CA certificates at most, and people debug seldom.
        let trust = configuration.trust_store();
        let context = self.dry_run.decision_context(&trust);
        let debugged = debug(&configuration, view, &self.chain, &self.ca, None, &context);
        let answer = answer(instance, &configuration, debugged, Some(&self.ca), &self.chain);
        (view.lookups_damaged() == damaged_before).then_some(answer)
    }
}

/// What was found out about the first certificate of `chain`, held against `ca`.
pub(crate) fn answer(
    instance: &ServedInstance,
    configuration: &Configuration,
    debugged: Debugged,
    ca: Option<&CaId>,
    chain: &[Box<[u8]>],
) -> DebugAnswer {
    let view = instance.view.admission();
    let facts = chain.first().and_then(|der| CertificateFacts::from_der(der).ok());
    let space = ca.and_then(|ca| configuration.cas.get(ca)).map(|ca| &ca.space);
    let holder = facts.as_ref().zip(space).and_then(|(facts, space)| {
        let sha256 = Fingerprint::Sha256(facts.sha256);
        [PinKey::proven(sha256), PinKey::typed(sha256, space)].iter().find_map(|key| view.holder(key))
    });
    let known = match (&debugged.outcome, holder.and_then(|holder| view.entry(&holder))) {
        (DebugOutcome::AlreadyRegistered, Some(DeviceEntry::Live(device))) if space == Some(&device.space) => {
            Some(is(&device))
        }
        (_, Some(_) | None) => None,
    };
    let derived = debugged.derived.as_ref().zip(space);
    let device = known.or_else(|| derived.map(|(derived, space)| would_be(derived, space.as_str())));
    worded(debugged, ca, facts.as_ref(), device)
}

fn worded(debugged: Debugged, ca: Option<&CaId>, facts: Option<&CertificateFacts>, device: Option<WouldBe>) -> DebugAnswer {
    let text = match debugged.instead.as_ref().zip(ca) {
        Some((instead, ca)) => {
            format!("the certificate is from CA certificate {instead}, not from {ca}; there {}", debugged.outcome.text())
        }
        None => debugged.outcome.text(),
    };
    let instead = debugged.instead.map(|instead| instead.to_string());
    let (outcome, rejection) = outcome(&debugged.outcome);
    let (template_id, template_version) = debugged.template.map(|(id, version)| (id.to_string(), version)).unzip();
    let certificate_id = ca.map(ToString::to_string);
    let checks = debugged.checks.into_iter().map(CheckMade::from).collect();
    let device_certificate = facts.map(CertificateSays::from);
    DebugAnswer {
        outcome,
        text,
        rejection,
        certificate_id,
        leads_to_certificate_id: instead,
        template_id,
        template_version,
        device_certificate,
        device,
        checks,
    }
}

/// What would happen, and the code of the rejection.
pub(crate) fn outcome(outcome: &DebugOutcome) -> (Outcome, Option<String>) {
    match outcome {
        DebugOutcome::Register => (Outcome::Register, None),
        DebugOutcome::AlreadyRegistered => (Outcome::AlreadyRegistered, None),
        DebugOutcome::Pin => (Outcome::Pin, None),
        DebugOutcome::Replace => (Outcome::Replace, None),
        DebugOutcome::Refuse(rejection) => (Outcome::Refuse, Some(Rejection::code(rejection).to_owned())),
    }
}

impl From<Check> for CheckMade {
    fn from(check: Check) -> Self {
        Self { name: check.name.to_owned(), passed: check.passed, detail: check.detail }
    }
}

impl From<&CertificateFacts> for CertificateSays {
    fn from(facts: &CertificateFacts) -> Self {
        Self {
            common_name: facts.display_name(),
            fingerprint: hex::encode(facts.sha256),
            effective_date: times::basic(facts.not_before),
            expiry_date: times::basic(facts.not_after),
        }
    }
}

pub(crate) fn would_be(derived: &DerivedDevice, space: &str) -> WouldBe {
    WouldBe {
        device_id: derived.device_id.to_string(),
        node_id: derived.node_id.to_string(),
        product_id: derived.product_id.to_string(),
        app_id: space.to_owned(),
        device_name: derived.device_name.as_deref().map(str::to_owned),
        tags: derived.tags.iter().map(TagShown::from).collect(),
        policy_ids: derived.policy_ids.iter().map(ToString::to_string).collect(),
    }
}

fn is(device: &Device) -> WouldBe {
    WouldBe {
        device_id: device.id.to_string(),
        node_id: device.node_id.to_string(),
        product_id: device.product.to_string(),
        app_id: device.space.to_string(),
        device_name: device.name.as_deref().map(str::to_owned),
        tags: device.tags.iter().map(TagShown::from).collect(),
        policy_ids: device.policies.iter().map(|bound| bound.policy.to_string()).collect(),
    }
}
