//! The answer to a preview: parameters, device, problems, collision.
//!
//! Decides nothing. Invariant: each problem is told once, in the words of the rule that found it.

use rollcall_domain::{
    certificate::{CertificateFacts, SubjectAttribute},
    ids::{CaId, DeviceId, SpaceId},
    registry::{Configuration, DebugOutcome, Debugged, Previewed},
    rejection::Rejection,
    template::{DerivedDevice, TemplateFault},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::v5::certificates::debug::{CheckMade, Outcome, WouldBe, outcome, would_be};

/// What a template would make of a certificate.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct PreviewAnswer {
    /// What would happen to the certificate; absent if the template is not valid or the certificate's chain is from no CA
    /// certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    /// The CA certificate that the chain is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_id: Option<String>,
    /// Every parameter that the template declares.
    parameters: Vec<ParameterTaken>,
    /// The device that the template makes of the certificate, also where something else forbids it.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<PreviewedDevice>,
    /// Everything that stands in the way, each once.
    problems: Vec<PreviewProblem>,
    /// The device that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    collision: Option<Collision>,
    /// Every check that a registrar would make, in order.
    checks: Vec<CheckMade>,
}

/// A parameter, and what the certificate says for it.
#[derive(Debug, Serialize, ToSchema)]
struct ParameterTaken {
    /// Such as `iotda::certificate::common_name`.
    name: String,
    /// The certificate's own text.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Why there is none that can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// A device as it would be, with names for its ids.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewedDevice {
    #[serde(flatten)]
    device: WouldBe,
    /// The name of its product, if there is one of that id in its resource space.
    #[serde(skip_serializing_if = "Option::is_none")]
    product_name: Option<String>,
    /// Its policies; those of `policy_ids`, in that order.
    policies: Vec<PolicyNamed>,
}

/// A policy that would be bound.
#[derive(Debug, Serialize, ToSchema)]
struct PolicyNamed {
    /// Its id.
    policy_id: String,
    /// Its name, if there is one of that id in the device's resource space.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_name: Option<String>,
}

/// Something that stands in the way.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewProblem {
    /// Its code, which has a page in docs/operate/codes.
    code: String,
    /// What is wrong, and what to do.
    text: String,
    /// The path in the template of what is wrong, if the template is not valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

/// A device that is in the way.
#[derive(Debug, Serialize, ToSchema)]
struct Collision {
    /// The device; absent if it is of another resource space.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    /// How it is in the way.
    text: String,
}

impl PreviewAnswer {
    /// Of what is not the shape of a template.
    pub(super) fn unreadable(text: String) -> Self {
        let code = Rejection::InvalidTemplate(Vec::new()).code().to_owned();
        Self { problems: vec![PreviewProblem { code, text, field: None }], ..Self::default() }
    }

    /// Of a template with faults.
    pub(super) fn invalid(declared: Vec<SubjectAttribute>, facts: &CertificateFacts, faults: Vec<TemplateFault>) -> Self {
        let code = Rejection::InvalidTemplate(Vec::new()).code();
        let problems = faults.into_iter().map(|fault| {
            let (code, text) = (code.to_owned(), fault.to_string());
            PreviewProblem { code, text, field: Some(fault.field) }
        });
        Self { parameters: taken(&declared, facts), problems: problems.collect(), ..Self::default() }
    }
}

/// What an answer is made with.
pub(super) struct Answering<'a> {
    pub(super) configuration: &'a Configuration,
    /// The resource space that the device would be in.
    pub(super) space: &'a SpaceId,
    pub(super) ca: Option<&'a CaId>,
    pub(super) parameters: &'a [SubjectAttribute],
    pub(super) facts: &'a CertificateFacts,
}

impl Answering<'_> {
    /// `unissued`: why there is no CA certificate.
    pub(super) fn answer(&self, previewed: Previewed, unissued: Option<Rejection>) -> PreviewAnswer {
        let Previewed { debugged, derived, unbindable, collision } = previewed;
        let (ruled, checks) = match debugged {
            Some(Debugged { outcome, checks, .. }) => (Some(outcome), checks),
            None => (None, Vec::new()),
        };
        let refused = match &ruled {
            Some(DebugOutcome::Refuse(rejection)) => Some(rejection.clone()),
            Some(_) | None => None,
        };
        let unfit = derived.as_ref().err().cloned().map(Rejection::TemplateNotApplicable);
        let mut rejections: Vec<Rejection> = Vec::new();
        for rejection in [unbindable, unfit, unissued, refused, collision.clone()].into_iter().flatten() {
            if !rejections.contains(&rejection) {
                rejections.push(rejection);
            }
        }
        PreviewAnswer {
            outcome: ruled.as_ref().map(|ruled| outcome(ruled).0),
            certificate_id: self.ca.map(ToString::to_string),
            parameters: taken(self.parameters, self.facts),
            device: derived.ok().map(|derived| self.device(&derived)),
            problems: rejections.iter().map(PreviewProblem::from).collect(),
            collision: collision.map(|rejection| Collision {
                device_id: collides_with(&rejection).map(ToString::to_string),
                text: rejection.to_string(),
            }),
            checks: checks.into_iter().map(CheckMade::from).collect(),
        }
    }

    fn device(&self, derived: &DerivedDevice) -> PreviewedDevice {
        let product = self.configuration.products.get(&(self.space.clone(), derived.product_id.clone()));
        let policies = derived.policy_ids.iter().map(|id| {
            let policy = self.configuration.policies.get(id).filter(|policy| policy.space == *self.space);
            PolicyNamed { policy_id: id.to_string(), policy_name: policy.map(|policy| policy.name.to_string()) }
        });
        PreviewedDevice {
            device: would_be(derived, self.space.as_str()),
            product_name: product.map(|product| product.details.name.to_string()),
            policies: policies.collect(),
        }
    }
}

impl From<&Rejection> for PreviewProblem {
    fn from(rejection: &Rejection) -> Self {
        Self { code: rejection.code().to_owned(), text: rejection.to_string(), field: None }
    }
}

fn taken(parameters: &[SubjectAttribute], facts: &CertificateFacts) -> Vec<ParameterTaken> {
    let taken = parameters.iter().map(|attribute| {
        let (value, problem) = match facts.attribute(*attribute) {
            Ok(value) => (Some(value.to_owned()), None),
            Err(fault) => (None, Some(fault.to_string())),
        };
        ParameterTaken { name: attribute.parameter().to_owned(), value, problem }
    });
    taken.collect()
}

/// The device that a collision is with, where it may be named.
pub(super) fn collides_with(collision: &Rejection) -> Option<&DeviceId> {
    match collision {
        Rejection::CertificateHeldByOther(device) | Rejection::CertificateRetired { device, .. } => device.as_ref(),
        Rejection::DeviceHasOtherCertificate(device)
        | Rejection::CertificateNotNewer(device)
        | Rejection::DeviceElsewhere(device)
        | Rejection::DeviceHasSecret(device)
        | Rejection::DeviceDeleted(device)
        | Rejection::DeviceFrozen(device) => Some(device),
        _ => None,
    }
}
