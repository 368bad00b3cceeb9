//! What a certificate would come to, and why, without anything happening: for an operator who has it as a file.
//!
//! The rules are those of a certificate-connect event and are asked, not repeated; what is added is said about the one CA
//! certificate that the operator looks at. Invariant: nothing of another resource space is told, neither of a CA
//! certificate there nor of the devices it vouches for.

use super::{Check, CheckedDecision, Context, Decision, checks::Checks, connect};
use crate::{
    certificate::{
        CertificateFacts,
        path::{PathError, TrustStore, Unproven},
    },
    ids::{CaId, DeviceId, TemplateId},
    limits,
    registry::{
        collision::{Candidate, CertificateMatch},
        command::Actor,
        event::Event,
        state::{Ca, Configuration, Devices},
    },
    rejection::{Rejection, Subject},
    template::DerivedDevice,
};

/// Who presents the certificate, in the text of the checks.
const PRESENTED_BY: &str = "debug";
/// The check of the rules that a template fits the certificate.
const MAKES_A_DEVICE: &str = "template_makes_a_device";

/// What the rules would say if the certificate connected now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DebugOutcome {
    /// A new device.
    Register,
    /// The device that it is already.
    AlreadyRegistered,
    /// The first certificate of a device that waits for one.
    Pin,
    /// The certificate of a device in place of its old one.
    Replace,
    Refuse(Rejection),
}

impl DebugOutcome {
    /// `register`, `already_registered`, `pin`, `replace`, or the code of the rejection.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::AlreadyRegistered => "already_registered",
            Self::Pin => "pin",
            Self::Replace => "replace",
            Self::Refuse(rejection) => rejection.code(),
        }
    }

    /// One sentence for people.
    pub fn text(&self) -> String {
        match self {
            Self::Register => "it would be registered as a new device".into(),
            Self::AlreadyRegistered => "it is a registered device's already".into(),
            Self::Pin => "it would be the first certificate of a device that waits for one".into(),
            Self::Replace => "it would take the place of the device's old certificate".into(),
            Self::Refuse(rejection) => rejection.to_string(),
        }
    }
}

/// The answer to [`debug`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debugged {
    /// What would happen.
    pub outcome: DebugOutcome,
    /// Every check made, in order: those on the CA certificate, then those of the rules, of which the last has failed if
    /// the certificate would be refused.
    pub checks: Vec<Check>,
    /// Id and version of the bound template, in force or not.
    pub template: Option<(TemplateId, u32)>,
    /// The CA certificate that it leads to, where that is another than the one it is looked at from: of the same resource
    /// space, of which more may be said.
    pub instead: Option<CaId>,
    /// What that template makes of the certificate, also where something else forbids it.
    pub derived: Option<DerivedDevice>,
}

impl Debugged {
    /// Of a chain that is from no CA certificate which the asker may look at it from.
    pub fn unissued(error: PathError) -> Self {
        let mut checks = Checks::default();
        let rejection = connect::chain_refused(error);
        checks.keep("chain_leads_to_verified_ca", false, &rejection.to_string());
        let outcome = DebugOutcome::Refuse(rejection);
        Self { outcome, checks: checks.made(), template: None, instead: None, derived: None }
    }
}

/// What would become of the first certificate of `chain` (DER), looked at from the CA certificate `ca`. Works as well for
/// one that is not verified or has self-registration off: that check fails, and the rest is shown all the same. `claimed` is the
/// device that the CONNECT would name, as [`Verdict::Register`](crate::authenticate::Verdict::Register) has it.
pub fn debug(
    configuration: &Configuration,
    devices: &dyn Devices,
    chain: &[Box<[u8]>],
    ca: &CaId,
    claimed: Option<&DeviceId>,
    context: &Context<'_>,
) -> Debugged {
    let mut checks = Checks::default();
    let row = match configuration.cas.get(ca) {
        Some(row) => row,
        None => {
            let outcome = DebugOutcome::Refuse(Rejection::NotFound(Subject::Ca(ca.clone())));
            return Debugged { outcome, checks: checks.made(), template: None, instead: None, derived: None };
        }
    };
    let facts = chain.first().and_then(|der| CertificateFacts::from_der(der).ok());
    let (outcome, vouching) = match leads_to(configuration, row, chain, context, &mut checks) {
        Err(rejection) => (Err(rejection), row),
        Ok(vouching) => {
            let actor = Actor::Operator(PRESENTED_BY.into());
            let CheckedDecision { outcome, checks: made } =
                connect::decide(configuration, devices, &actor, chain, claimed, context);
            checks.append(made);
            (outcome, vouching)
        }
    };
    let template = vouching.template.as_ref().and_then(|template| configuration.templates.get(template));
    let derived = template.zip(facts.as_ref()).and_then(|(template, facts)| match template.body.evaluate(facts) {
        Ok(derived) => Some(derived),
        Err(fault) => {
            // The rules have said so, unless something else stopped them before.
            if !checks.has(MAKES_A_DEVICE) {
                checks.keep(MAKES_A_DEVICE, false, &Rejection::TemplateNotApplicable(fault).to_string());
            }
            None
        }
    });
    if let (Ok(Decision::AlreadySo), Some((facts, derived))) = (&outcome, facts.as_ref().zip(derived.as_ref())) {
        let matched = Candidate { facts, ca: vouching }.match_with(devices, &derived.device_id, Some(&derived.product_id));
        let active = matches!(matched, Ok(CertificateMatch::Same { active: true, .. }));
        let detail = if active { "no operator has switched it off" } else { "an operator has made it INACTIVE" };
        checks.keep("certificate_active", active, detail);
    }
    Debugged {
        instead: (vouching.id != row.id).then(|| vouching.id.clone()),
        outcome: debug_outcome(outcome),
        checks: checks.made(),
        template: template.map(|template| (template.id.clone(), template.version)),
        derived,
    }
}

/// Checks the CA certificate, and that the chain leads to it or, if it does not hold, is from it. Gives the one that would vouch for the certificate: another
/// only if it is of the same resource space, such as a renewal that is good for longer.
fn leads_to<'a>(
    configuration: &'a Configuration,
    row: &'a Ca,
    chain: &[Box<[u8]>],
    context: &Context<'_>,
    checks: &mut Checks,
) -> Result<&'a Ca, Rejection> {
    const NAME: &str = "chain_leads_to_this_ca_certificate";
    let verified = checks.note("ca_certificate_verified", || {
        if row.is_verified() {
            Ok(((), "its owner has proven to hold the key".into()))
        } else {
            Err(Rejection::CaNotVerified)
        }
    });
    let presented: Vec<&[u8]> = chain.iter().map(|certificate| &**certificate).collect();
    // As a connector does, before it reads any of it.
    let bytes = presented.iter().map(|certificate| certificate.len()).sum();
    if bytes > limits::CHAIN_BYTES_MAX {
        let too_many = PathError::TooManyBytes { bytes, max: limits::CHAIN_BYTES_MAX };
        return checks.note(NAME, || Err(Rejection::ChainRefused(too_many)));
    }
    let judged = context.trust.judge(&presented, context.now);
    let found = match &judged {
        Ok(proven) => configuration.ca_of(proven),
        Err(unproven) => unproven.from.as_ref().and_then(|from| configuration.ca_from(from)),
    };
    match (found, verified, judged) {
        // Its error would name a CA certificate of another resource space.
        (None, Ok(()), Err(Unproven { error: PathError::IssuerEncoding { ca, .. }, .. }))
            if configuration.cas.get(&ca).is_none_or(|ca| ca.space != row.space) =>
        {
            checks.keep(NAME, false, &PathError::UnknownIssuer.to_string());
            Err(Rejection::ChainRefused(PathError::UnknownIssuer))
        }
        (Some(found), _, _) if found.id != row.id && found.space != row.space => {
            checks.keep(NAME, false, "the chain leads to a CA certificate of another resource space");
            Err(Rejection::ChainRefused(PathError::UnknownIssuer))
        }
        (Some(found), _, _) if found.id != row.id => {
            checks.keep(NAME, false, &format!("the chain leads to CA certificate {} instead", found.id));
            Ok(found)
        }
        // Asked of this one alone: no other can answer for it.
        (_, Err(unverified), _) => {
            let alone = TrustStore::new([(row.id.clone(), &*row.der)]);
            checks.note(NAME, || {
                let proven = alone.prove(&presented, context.now).map_err(Rejection::ChainRefused)?;
                Ok(((), format!("CA certificate {}", proven.ca)))
            })?;
            Err(unverified)
        }
        (_, Ok(()), Ok(_)) => {
            checks.keep(NAME, true, &format!("CA certificate {}", row.id));
            Ok(row)
        }
        // The rules say why it does not hold, in their own first check.
        (_, Ok(()), Err(unproven)) => {
            checks.keep(NAME, false, &unproven.error.to_string());
            Ok(row)
        }
    }
}

fn debug_outcome(outcome: Result<Decision, Rejection>) -> DebugOutcome {
    match outcome {
        Err(rejection) => DebugOutcome::Refuse(rejection),
        Ok(Decision::AlreadySo) => DebugOutcome::AlreadyRegistered,
        Ok(Decision::Record(Event::DeviceRegistered { .. })) => DebugOutcome::Register,
        Ok(Decision::Record(Event::DeviceCertificatePinned { .. })) => DebugOutcome::Pin,
        // The only other event that a certificate comes to: `DeviceCertificateReplaced`.
        Ok(Decision::Record(_)) => DebugOutcome::Replace,
    }
}
