//! Rehearses a fleet file: the domain rules on it as it would on an empty fleet, with no deployment asked and nothing written.
//!
//! The commands are those that applying the file comes to, in the same order, and each granted one is folded; so what is
//! refused here is refused by the domain's own rules. Invariant: what a deployment may answer otherwise, because it holds
//! what the file does not declare, is told apart from what is wrong wherever the file is applied.

use rollcall_chassis::{
    clock::{Clock as _, SystemClock},
    pem::read_certificate,
};
use rollcall_domain::{
    certificate::path::TrustStore,
    fleet::{AvailabilityRules, Fleet, FleetCommand, FleetContext, Instance},
    ids::{CaId, Incarnation, RequestId, SpaceId},
    limits,
    registry::{
        command::{Actor, Command, Request, RequestBody, TemplateChange},
        decide::{Context, Decision, decide},
        event::{Event, PolicyTarget},
        state::{Ca, Registry},
    },
    rejection::{Rejection, Subject},
    time::Timestamp,
};

use super::{
    apply::default_policy_id,
    document::{
        BrokenRule, CaDeclaration, Declared, DefaultPolicy, Document, InstanceDeclaration, Place, PolicyDeclaration, Proof,
        SpaceDeclaration,
    },
};
use crate::tools::pki;

/// Who gives the commands of a rehearsal.
const OPERATOR: &str = "check-config";
/// A verification code: any does, nobody sees it.
const CODE: &str = "00000000-0000-4000-8000-000000000000";

/// What a rehearsal found, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Rehearsed {
    /// Wrong wherever the file is applied.
    pub(crate) faults: Vec<BrokenRule>,
    /// Refused unless the deployment has what the file names and does not declare.
    pub(crate) undeclared: Vec<BrokenRule>,
    /// Refused unless the deployment's registrars are configured otherwise.
    pub(crate) unavailable: Vec<BrokenRule>,
}

/// Rehearses a document.
pub(crate) fn rehearse(document: &Document) -> Rehearsed {
    let availability = AvailabilityRules::default();
    let now = Timestamp::from_unix_ms(SystemClock.unix_ms());
    let (mut fleet, mut found) = (Fleet::default(), Rehearsed::default());
    for declared in &document.instances {
        let context = FleetContext {
            incarnation: Incarnation::NIL,
            devices_max: limits::DEVICES_PER_INSTANCE_MAX,
            availability: &availability,
        };
        let wanted = &declared.item.instance;
        match fleet.decide(&FleetCommand::CreateInstance(wanted.clone()), &context) {
            Ok(event) => event.iter().for_each(|event| fleet.evolve(event, now)),
            Err(rejection) => found.add(document, &declared.place, rejection),
        }
        if let Some(instance) = fleet.instances.get(&wanted.id) {
            let registry = Registry::default();
            let (trust, availability) = (TrustStore::new([]), &availability);
            Rehearsal { document, found: &mut found, registry, instance, trust, availability, now }.run(&declared.item);
        }
    }
    found
}

impl Rehearsed {
    fn add(&mut self, document: &Document, place: &Place, rejection: Rejection) {
        let (place, rule) = match rejection {
            Rejection::InvalidField { field, rule } => (document.place_of(place, &field), rule),
            Rejection::NotFound(subject) => {
                let rule = format!("{subject} is declared nowhere in this file");
                return self.undeclared.push(BrokenRule { place: document.place_of(place, reference(&subject)), rule });
            }
            Rejection::ProductInAnotherSpace { .. } | Rejection::PolicyInAnotherSpace { .. } => {
                return self.undeclared.push(BrokenRule { place: place.clone(), rule: rejection.to_string() });
            }
            Rejection::SelfRegistrationUnavailable { .. } => {
                return self.unavailable.push(BrokenRule { place: place.clone(), rule: rejection.to_string() });
            }
            other => (place.clone(), other.to_string()),
        };
        self.faults.push(BrokenRule { place, rule });
    }
}

/// The field of a declaration that names another one.
fn reference(subject: &Subject) -> &'static str {
    match subject {
        Subject::Product(_) => "bind.products",
        Subject::Template(_) => "template",
        _ => "",
    }
}

/// The rehearsal of one instance.
struct Rehearsal<'a> {
    document: &'a Document,
    found: &'a mut Rehearsed,
    registry: Registry,
    instance: &'a Instance,
    trust: TrustStore,
    availability: &'a AvailabilityRules,
    now: Timestamp,
}

impl Rehearsal<'_> {
    fn run(mut self, declaration: &InstanceDeclaration) {
        for space in &declaration.spaces {
            self.space(space);
        }
        for declared in &declaration.templates {
            let (template, wanted) = (declared.item.id.clone(), &declared.item);
            let (name, description, body) = (wanted.name.clone(), wanted.description.clone(), wanted.body.clone());
            self.rule_on(&declared.place, Command::CreateTemplate { template, name, description, body });
        }
        for space in &declaration.spaces {
            for ca in &space.item.cas {
                self.ca(&space.item.id, ca);
            }
        }
    }

    /// Has a command ruled on; folds it if it is granted. Whether it was.
    fn rule_on(&mut self, place: &Place, command: Command) -> bool {
        let request = Request {
            id: RequestId::parse(OPERATOR).expect("letters and '-' are id characters"),
            actor: Actor::Operator(OPERATOR.into()),
            body: RequestBody::Command(command),
        };
        let context = Context {
            now: self.now,
            instance: self.instance,
            availability: self.availability,
            trust: &self.trust,
            verification_code: CODE,
            devices_max_default: limits::DEVICES_PER_INSTANCE_MAX,
        };
        match decide(&self.registry.configuration, &self.registry, &request, &context).outcome {
            Ok(Decision::Record(event)) => self.registry.evolve(&event, self.now),
            Ok(Decision::AlreadySo) => {}
            Err(rejection) => {
                self.found.add(self.document, place, rejection);
                return false;
            }
        }
        true
    }

    fn space(&mut self, declared: &Declared<SpaceDeclaration>) {
        let (wanted, place) = (&declared.item, &declared.place);
        let is_open = wanted.default_policy != Some(DefaultPolicy::None);
        let default_policy = is_open.then(|| default_policy_id(&wanted.id));
        let (space, name) = (wanted.id.clone(), wanted.name.clone());
        if !self.rule_on(place, Command::CreateSpace { space, name, default_policy }) {
            return;
        }
        for product in &wanted.products {
            let (space, details) = (wanted.id.clone(), product.item.details.clone());
            self.rule_on(&product.place, Command::CreateProduct { space, product: product.item.id.clone(), details });
        }
        for policy in &wanted.policies {
            self.policy(&wanted.id, policy);
        }
    }

    fn policy(&mut self, space: &SpaceId, declared: &Declared<PolicyDeclaration>) {
        let (wanted, place) = (&declared.item, &declared.place);
        let (policy, name, statements) = (wanted.id.clone(), wanted.name.clone(), wanted.statements.clone());
        if !self.rule_on(place, Command::CreatePolicy { policy, space: space.clone(), name, statements }) {
            return;
        }
        let to_space = wanted.bound_to_space.then(|| PolicyTarget::Space(space.clone()));
        let to_products =
            wanted.bound_to_products.iter().map(|product| PolicyTarget::Product(space.clone(), product.clone()));
        for target in to_space.into_iter().chain(to_products) {
            self.rule_on(place, Command::BindPolicy { policy: wanted.id.clone(), target });
        }
    }

    fn ca(&mut self, space: &SpaceId, declared: &Declared<CaDeclaration>) {
        let (wanted, place) = (&declared.item, &declared.place);
        let (ca, der) = (wanted.id.clone(), wanted.der.clone());
        if !self.rule_on(place, Command::UploadCa { ca, space: space.clone(), der }) || !self.prove(wanted, place) {
            return;
        }
        let template = wanted.template.clone().map_or(TemplateChange::Unbind, TemplateChange::Bind);
        let self_registration = Some(wanted.self_registration && self.is_verified(&wanted.id));
        self.rule_on(place, Command::ConfigureCa { ca: wanted.id.clone(), template, self_registration });
    }

    /// Proves possession as far as the file can: with the key. A certificate that was made for a code that only the
    /// deployment knows is taken to fit, and one that is not there yet leaves the CA certificate unverified, without fault.
    fn prove(&mut self, wanted: &CaDeclaration, place: &Place) -> bool {
        let at = || self.document.place_of(place, "proof_of_possession");
        match &wanted.proof {
            Proof::Later => true,
            Proof::Certificate(file) if !file.exists() => true,
            Proof::Certificate(file) => match read_certificate(file) {
                Ok(_) => {
                    self.registry.evolve(&Event::CaVerified { ca: wanted.id.clone() }, self.now);
                    true
                }
                Err(error) => self.refuse(at(), format!("{:#}", anyhow::Error::from(error))),
            },
            Proof::Key(key) => {
                let proof = pki::verification_certificate(&wanted.file, key, CODE)
                    .and_then(|pem| Ok(rollcall_chassis::pem::certificate(pem.as_bytes())?));
                match proof {
                    Ok(proof) => {
                        self.rule_on(&at(), Command::VerifyCa { ca: wanted.id.clone(), proof: proof.as_ref().into() })
                    }
                    Err(error) => self.refuse(at(), format!("{error:#}")),
                }
            }
        }
    }

    fn is_verified(&self, ca: &CaId) -> bool {
        self.registry.configuration.cas.get(ca).is_some_and(Ca::is_verified)
    }

    fn refuse(&mut self, place: Place, rule: String) -> bool {
        self.found.faults.push(BrokenRule { place, rule });
        false
    }
}

#[cfg(test)]
mod tests;
