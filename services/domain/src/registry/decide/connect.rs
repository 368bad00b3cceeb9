//! Rules on certificate-connect events: what becomes of a certificate that belongs to no known device.
//!
//! Nothing that the connector says is believed but the DER, and that only as far as it proves itself: which CA, which
//! resource space, which device are all derived here again. The one thing taken from the CONNECT is the claimed device
//! id, and it can do no more than choose among devices of the CA certificate's own space that still wait for their first
//! certificate. Whoever holds a certificate of that CA can be that first: the service works so, and an operator who wants
//! more gives the fingerprint when pre-registering.
//!
//! Every check is kept, in order, with what it found: people read them to understand why a device was refused.

use super::{CheckedDecision, Context, Decided, Decision, cas, checks::Checks, devices as device_rules, fields, membership};
use crate::{
    certificate::{
        CertificateFacts,
        path::{ChainCertificate, PROVER, PathError},
    },
    ids::{DeviceId, Fingerprint},
    registry::{
        collision::{Candidate, CertificateMatch, may_replace},
        command::Actor,
        event::{DeviceProfile, Event, PathProof, PresentedCertificate},
        state::{Ca, Configuration, Device, Devices, Template},
    },
    rejection::Rejection,
    template::{DerivedDevice, Value},
};

pub(super) fn decide(
    configuration: &Configuration,
    devices: &dyn Devices,
    actor: &Actor,
    chain: &[Box<[u8]>],
    claimed: Option<&DeviceId>,
    context: &Context<'_>,
) -> CheckedDecision {
    let mut checks = Checks::default();
    let outcome = prove(configuration, actor, chain, context, &mut checks).and_then(|(candidate, der)| {
        let evaluation = Evaluation { configuration, devices, candidate, der, claimed, context };
        evaluation.rule(&mut checks)
    });
    CheckedDecision { outcome, checks: checks.made() }
}

/// From bytes to facts and the CA certificate that vouches for them.
fn prove<'a>(
    configuration: &'a Configuration,
    actor: &Actor,
    chain: &'a [Box<[u8]>],
    context: &Context<'_>,
    checks: &mut Checks,
) -> Result<(Proven<'a>, &'a [u8]), Rejection> {
    let presented: Vec<&[u8]> = chain.iter().map(|certificate| &**certificate).collect();
    let proven = context.trust.prove(&presented, context.now);
    let (ca, path) = checks.note("chain_leads_to_verified_ca", || {
        let proven = proven.map_err(chain_refused)?;
        if configuration.distrusts(&proven.chain) {
            return Err(Rejection::CaDistrusted);
        }
        let ca = configuration.ca_of(&proven).ok_or(Rejection::ChainRefused(PathError::UnknownIssuer))?;
        Ok(((ca, proven.chain), format!("CA certificate {} of resource space {}", ca.id, ca.space)))
    })?;
    checks.note("ca_certificate_within_validity", || match ca.lapse_at(context.now) {
        Some(lapse) => Err(Rejection::ChainRefused(lapse.into())),
        None => Ok(((), format!("until {}", ca.not_after))),
    })?;
    let der: &[u8] = presented.first().copied().unwrap_or_default();
    let facts = checks.note("certificate_readable", || {
        let facts = CertificateFacts::confirmed_from_der(der)
            .map_err(|error| Rejection::CertificateUnreadable(error.to_string()))?;
        let detail = format!("{}, SHA-256 {}", facts.display_name(), Fingerprint::Sha256(facts.sha256));
        Ok((facts, detail))
    })?;
    checks.note("request_is_of_this_certificate", || match actor {
        Actor::Certificate(sha256) if *sha256 != facts.sha256 => {
            Err(fields::invalid("actor", "the request names another certificate than it carries".into()))
        }
        Actor::Certificate(_) => Ok(((), "presented by the device".into())),
        Actor::Operator(name) => {
            fields::operator_name(name)?;
            Ok(((), format!("presented by operator {name}")))
        }
    })?;
    Ok((Proven { facts, ca, path }, der))
}

/// A chain that does not hold, as a rejection: that a CA is distrusted has a code of its own.
pub(super) fn chain_refused(error: PathError) -> Rejection {
    match error {
        PathError::Distrusted => Rejection::CaDistrusted,
        error => Rejection::ChainRefused(error),
    }
}

/// A certificate whose chain holds.
struct Proven<'a> {
    facts: CertificateFacts,
    ca: &'a Ca,
    /// The path above the certificate, as it was proven.
    path: Vec<ChainCertificate>,
}

/// All that the rules on one proven certificate look at.
struct Evaluation<'a> {
    configuration: &'a Configuration,
    devices: &'a dyn Devices,
    candidate: Proven<'a>,
    der: &'a [u8],
    claimed: Option<&'a DeviceId>,
    context: &'a Context<'a>,
}

impl Evaluation<'_> {
    fn rule(&self, checks: &mut Checks) -> Decided {
        self.check_validity(checks)?;
        checks.note("certificate_not_retired", || {
            self.candidate.as_candidate().digests().not_retired(self.devices, None)?;
            Ok(((), "it was taken away from no device, or readmitted since".into()))
        })?;
        match self.derive(checks)? {
            Some((template, derived)) => self.rule_on_derived(template, derived, checks),
            None => self.rule_on_claimed(checks),
        }
    }

    /// The path was proven at this instant; that the certificate itself is within its dates is too cheap to take on trust.
    fn check_validity(&self, checks: &mut Checks) -> Result<(), Rejection> {
        let (facts, now) = (&self.candidate.facts, self.context.now);
        checks.note("certificate_within_validity", || match facts.lapse_at(now) {
            Some(lapse) => Err(Rejection::ChainRefused(lapse.into())),
            None => Ok(((), format!("from {} until {}", facts.not_before, facts.not_after))),
        })
    }

    /// What the template in force makes of the certificate; `None` when no template says, but the CONNECT claims a device.
    fn derive(&self, checks: &mut Checks) -> Result<Option<(&Template, DerivedDevice)>, Rejection> {
        let Proven { facts, ca, .. } = &self.candidate;
        let template = match self.configuration.template_in_force(ca) {
            Err(_) if self.claimed.is_some() => return Ok(None),
            outcome => checks.note("template_in_force", || {
                let template = outcome?;
                Ok((template, format!("template {} version {}", template.id, template.version)))
            })?,
        };
        let derived = match template.body.evaluate(facts) {
            Err(_) if self.claimed.is_some() => return Ok(None),
            outcome => checks.note("template_makes_a_device", || {
                let derived = outcome.map_err(Rejection::TemplateNotApplicable)?;
                let detail = format!("device {} of product {}", derived.device_id, derived.product_id);
                Ok((derived, detail))
            })?,
        };
        if let Some(claimed) = self.claimed {
            checks.note("claim_agrees_with_template", || {
                if *claimed != derived.device_id {
                    return Err(Rejection::DeviceMismatch(claimed.clone()));
                }
                Ok(((), format!("both say {claimed}")))
            })?;
        }
        Ok(Some((template, derived)))
    }

    /// The collision table, for a device that the template names.
    fn rule_on_derived(&self, template: &Template, derived: DerivedDevice, checks: &mut Checks) -> Decided {
        let candidate = self.candidate.as_candidate();
        let id = &derived.device_id;
        let matched = checks.note("no_collision", || {
            let matched = candidate.match_with(self.devices, id, Some(&derived.product_id))?;
            Ok(match_detail(matched, candidate.facts))
        })?;
        match matched {
            CertificateMatch::Same { .. } => Ok(Decision::AlreadySo),
            CertificateMatch::Unpinned(device) => self.pin(&device, checks),
            CertificateMatch::Other(device) => {
                let change = template.body.on_certificate_change;
                checks.note("certificate_may_replace_the_old_one", || {
                    may_replace(&candidate, &device, change)?;
                    Ok(((), "same CA, newer notBefore, and the template says replace".into()))
                })?;
                self.check_room_for_retired(checks)?;
                let (device, certificate) = (device.id, self.certificate());
                Ok(Decision::Record(Event::DeviceCertificateReplaced { device, certificate }))
            }
            CertificateMatch::Unknown => self.register(template, derived, checks),
        }
    }

    /// The collision table, for a device that only the CONNECT names: it may be pinned, and nothing else.
    fn rule_on_claimed(&self, checks: &mut Checks) -> Decided {
        let Some(claimed) = self.claimed else { return Err(Rejection::TemplateNotBound) };
        let candidate = self.candidate.as_candidate();
        let matched = checks.note("no_collision", || {
            let matched = candidate.match_with(self.devices, claimed, None)?;
            Ok(match_detail(matched, candidate.facts))
        })?;
        match matched {
            CertificateMatch::Same { .. } => Ok(Decision::AlreadySo),
            CertificateMatch::Unpinned(device) => self.pin(&device, checks),
            CertificateMatch::Other(device) => checks.note("device_awaits_its_first_certificate", || {
                Err(Rejection::DeviceHasOtherCertificate(device.id.clone()))
            }),
            CertificateMatch::Unknown => checks.note("device_awaits_its_first_certificate", || {
                let Proven { facts, ca, .. } = &self.candidate;
                let template = self.configuration.template_in_force(ca)?;
                template.body.evaluate(facts).map_err(Rejection::TemplateNotApplicable)?;
                Err(Rejection::DeviceMismatch(claimed.clone()))
            }),
        }
    }

    fn pin(&self, device: &Device, checks: &mut Checks) -> Decided {
        self.check_room_for_retired(checks)?;
        let (device, certificate) = (device.id.clone(), self.certificate());
        Ok(Decision::Record(Event::DeviceCertificatePinned { device, certificate }))
    }

    /// What a device comes to have is remembered once it is taken away, and that is never refused.
    fn check_room_for_retired(&self, checks: &mut Checks) -> Result<(), Rejection> {
        checks.note("room_for_retired_certificates", || {
            device_rules::room_for_retired(self.devices)?;
            let retired = self.devices.retired_count();
            Ok(((), format!("{retired} of {}", crate::limits::RETIRED_PER_INSTANCE_MAX)))
        })
    }

    fn register(&self, template: &Template, derived: DerivedDevice, checks: &mut Checks) -> Decided {
        let (configuration, space) = (self.configuration, &self.candidate.ca.space);
        checks.note("self_registration_available", || {
            cas::available(self.context)?;
            let instance = self.context.instance;
            Ok(((), format!("edition {}, region {}", instance.edition.name(), instance.region)))
        })?;
        checks.note("product_in_space_of_ca", || {
            match &template.body.product_id {
                Value::Static(_) => membership::product(configuration, space, &derived.product_id)?,
                Value::Attribute(_) => membership::product_of_certificate(configuration, space, &derived.product_id)?,
            }
            Ok(((), format!("product {} in resource space {space}", derived.product_id)))
        })?;
        checks.note("policies_in_space_of_ca", || {
            membership::policies(configuration, space, &derived.policy_ids)?;
            Ok(((), format!("{} policies", derived.policy_ids.len())))
        })?;
        let tags = checks.note("tags_within_limits", || {
            let tags = fields::tags(&derived.tags)?;
            fields::tags_per_device(&tags)?;
            let detail = format!("{} tags", tags.len());
            Ok((tags, detail))
        })?;
        self.check_room_for_retired(checks)?;
        checks.note("device_quota", || {
            device_rules::quota(self.devices, self.context.devices_max())?;
            Ok(((), format!("{} of {}", self.devices.count(), self.context.devices_max())))
        })?;
        let profile = DeviceProfile {
            device: derived.device_id,
            node_id: derived.node_id,
            space: space.clone(),
            product: derived.product_id,
            name: derived.device_name,
            tags,
            policies: derived.policy_ids,
        };
        let certificate = self.certificate();
        let (template, template_version) = (template.id.clone(), template.version);
        Ok(Decision::Record(Event::DeviceRegistered { profile, certificate, template, template_version }))
    }

    fn certificate(&self) -> PresentedCertificate {
        let Proven { facts, ca, path } = &self.candidate;
        let proof = PathProof {
            not_after: facts.not_after,
            ca_name_and_key_sha256: ca.name_and_key_sha256,
            chain: path.clone(),
            prover: PROVER,
        };
        PresentedCertificate {
            sha256: facts.sha256,
            der: self.der.into(),
            not_before: facts.not_before,
            ca: ca.id.clone(),
            proof: Some(proof),
        }
    }
}

impl Proven<'_> {
    fn as_candidate(&self) -> Candidate<'_> {
        Candidate { facts: &self.facts, ca: self.ca }
    }
}

fn match_detail(matched: CertificateMatch, presented: &CertificateFacts) -> (CertificateMatch, String) {
    let detail = match &matched {
        CertificateMatch::Unknown => "neither the device id nor the certificate is known".into(),
        CertificateMatch::Same { device, .. } => format!("device {} has this certificate already", device.id),
        CertificateMatch::Unpinned(device) => format!("device {} awaits its first certificate", device.id),
        CertificateMatch::Other(device) => {
            let pins: Vec<_> = device.credential.pins().map(|pin| pin.fingerprint.to_string()).collect();
            let presented = Fingerprint::Sha256(presented.sha256);
            format!("presented is {presented}, but device {} has {}", device.id, pins.join(" and "))
        }
    };
    (matched, detail)
}
