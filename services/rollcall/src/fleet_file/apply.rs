//! Applies a fleet file: compares what it declares with what the registry holds and asks the registrar for the rest.
//!
//! Strictly one command after the other, each read back before the next is made: a later command depends on what an
//! earlier one did (a verification code is issued at upload), and a file is small. A rejected command is reported with its
//! place and does not stop the others. Nothing here writes to a log.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rollcall_backbone::{
    Backbone, BackboneError,
    codec::{AnyRequest, QueuedRequest, Ruling, encode_request},
    petition::{PetitionError, Petitioner},
};
use rollcall_chassis::{clock::Clock, entropy::Entropy};
use rollcall_domain::{
    fleet::FleetCommand,
    ids::{InstanceId, LogId, PolicyId, Position, RequestId, SpaceId},
    registry::{
        Actor, CaStatus, Command, Configuration, Request, RequestBody, command::TemplateChange, event::PolicyTarget,
    },
    time::Timestamp,
};
use rollcall_projection::{
    admission::{AdmissionView, Store, ViewError},
    fleet::FleetSnapshot,
};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::document::{
    CaDeclaration, Declared, Document, Fault, InstanceDeclaration, Place, PolicyDeclaration, Proof, SpaceDeclaration,
    TemplateDeclaration,
};
use crate::pki;

/// How long one command may take to be ruled on.
const RULING_DEADLINE: Duration = Duration::from_secs(30);
/// The name that commands of a fleet file carry.
const OPERATOR: &str = "fleet-file";

/// What applying came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Commands that changed something.
    pub changes: usize,
    /// Commands that were rejected, with their places.
    pub faults: Vec<Fault>,
    /// What an operator still has to do.
    pub notes: Vec<String>,
}

/// Why applying stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// No ruling came, or the request could not be queued.
    #[error("{place}: no ruling")]
    Petition {
        /// What was being applied.
        place: Place,
        /// Why.
        #[source]
        source: PetitionError,
    },
    /// A log or queue cannot be opened.
    #[error("cannot open log and queue of {log}")]
    Open {
        /// Whose.
        log: LogId,
        /// Why.
        #[source]
        source: BackboneError,
    },
    /// The view of an instance cannot be used.
    #[error("cannot read what instance {instance} holds")]
    View {
        /// Which instance.
        instance: InstanceId,
        /// Why.
        #[source]
        source: ViewError,
    },
    /// The process is stopping.
    #[error("stopped before the fleet file was applied")]
    Stopped,
}

/// Applies fleet files; keeps its petitioners between them.
pub struct Applier {
    /// Where requests go.
    pub backbone: Backbone,
    /// Where views are.
    pub store: Store,
    /// The fleet as it is.
    pub fleet: watch::Receiver<Arc<FleetSnapshot>>,
    /// For submission times.
    pub clock: Arc<dyn Clock>,
    /// For request ids.
    pub entropy: Arc<dyn Entropy>,
    /// Stops waiting.
    pub shutdown: CancellationToken,
    /// One for each log asked so far.
    pub petitioners: HashMap<LogId, Petitioner>,
}

/// One instance while it is being applied.
struct Target<'a> {
    instance: &'a InstanceId,
    view: AdmissionView,
}

impl Target<'_> {
    fn configuration(&self) -> Arc<Configuration> {
        self.view.configuration()
    }
}

impl Applier {
    /// Applies a document.
    ///
    /// # Errors
    /// [`ApplyError`] if the registrar cannot be asked; rejections are in the [`Outcome`].
    pub async fn apply(&mut self, document: &Document) -> Result<Outcome, ApplyError> {
        let mut outcome = Outcome::default();
        self.open(&LogId::Fleet).await?;
        self.until_caught_up().await?;
        for declared in &document.instances {
            if self.instance(declared, &mut outcome).await? {
                self.contents(&declared.item, &mut outcome).await?;
            }
        }
        Ok(outcome)
    }

    async fn until_caught_up(&mut self) -> Result<(), ApplyError> {
        let caught_up = self.fleet.wait_for(|fleet| fleet.caught_up);
        match self.shutdown.run_until_cancelled(caught_up).await {
            Some(Ok(_)) => Ok(()),
            _ => Err(ApplyError::Stopped),
        }
    }

    /// Whether the instance exists after this.
    async fn instance(
        &mut self,
        declared: &Declared<InstanceDeclaration>,
        outcome: &mut Outcome,
    ) -> Result<bool, ApplyError> {
        let wanted = &declared.item.instance;
        let command = match self.fleet.borrow().fleet.instances.get(&wanted.id) {
            Some(found) if found == wanted => return Ok(true),
            Some(_) => FleetCommand::UpdateInstance(wanted.clone()),
            None => FleetCommand::CreateInstance(wanted.clone()),
        };
        let id = self.request_id();
        let actor = Actor::Operator(OPERATOR.into());
        let request = AnyRequest::Fleet { id: id.clone(), actor, command };
        let Some(position) = self.ask(&LogId::Fleet, id, request, &declared.place, outcome).await? else {
            return Ok(self.fleet.borrow().fleet.instances.contains_key(&wanted.id));
        };
        match self.shutdown.run_until_cancelled(self.fleet.wait_for(|fleet| fleet.position >= position)).await {
            Some(Ok(_)) => Ok(true),
            _ => Err(ApplyError::Stopped),
        }
    }

    async fn contents(&mut self, declaration: &InstanceDeclaration, outcome: &mut Outcome) -> Result<(), ApplyError> {
        let instance = &declaration.instance.id;
        let target = Target { instance, view: self.view(instance).await? };
        for space in &declaration.spaces {
            self.space(&target, space, outcome).await?;
        }
        for template in &declaration.templates {
            self.template(&target, template, outcome).await?;
        }
        for space in &declaration.spaces {
            for ca in &space.item.cas {
                self.ca(&target, &space.item.id, ca, outcome).await?;
            }
        }
        Ok(())
    }

    /// The instance's view, caught up with its log.
    async fn view(&self, instance: &InstanceId) -> Result<AdmissionView, ApplyError> {
        self.open(&LogId::Instance(instance.clone())).await?;
        let failed = |source| ApplyError::View { instance: instance.clone(), source };
        let view = self.store.admission(instance, self.backbone.log.clone(), self.shutdown.clone()).map_err(failed)?;
        let mut status = view.status();
        match self.shutdown.run_until_cancelled(status.wait_for(|status| status.caught_up)).await {
            Some(Ok(_)) => Ok(view),
            _ => Err(ApplyError::Stopped),
        }
    }

    /// Opens a log and its queue; the registrar does too, and whoever comes second finds them there.
    async fn open(&self, log: &LogId) -> Result<(), ApplyError> {
        let failed = |source| ApplyError::Open { log: log.clone(), source };
        self.backbone.log.open(log).await.map_err(failed)?;
        self.backbone.requests.open(log).await.map_err(failed)
    }

    async fn space(
        &mut self,
        target: &Target<'_>,
        declared: &Declared<SpaceDeclaration>,
        outcome: &mut Outcome,
    ) -> Result<(), ApplyError> {
        let wanted = &declared.item;
        let command = match target.configuration().spaces.get(&wanted.id) {
            Some(found) if found.name == wanted.name => None,
            Some(_) => Some(Command::RenameSpace { space: wanted.id.clone(), name: wanted.name.clone() }),
            None => Some(Command::CreateSpace {
                space: wanted.id.clone(),
                name: wanted.name.clone(),
                default_policy: default_policy_id(&wanted.id),
            }),
        };
        self.command(target, command, &declared.place, outcome).await?;
        for product in &wanted.products {
            let key = (wanted.id.clone(), product.item.id.clone());
            let (space, id, details) = (key.0.clone(), key.1.clone(), product.item.details.clone());
            let command = match target.configuration().products.get(&key) {
                Some(found) if found.details == details => None,
                Some(_) => Some(Command::UpdateProduct { space, product: id, details }),
                None => Some(Command::CreateProduct { space, product: id, details }),
            };
            self.command(target, command, &product.place, outcome).await?;
        }
        for policy in &wanted.policies {
            self.policy(target, &wanted.id, policy, outcome).await?;
        }
        Ok(())
    }

    async fn policy(
        &mut self,
        target: &Target<'_>,
        space: &SpaceId,
        declared: &Declared<PolicyDeclaration>,
        outcome: &mut Outcome,
    ) -> Result<(), ApplyError> {
        let wanted = &declared.item;
        let (policy, name, statements) = (wanted.id.clone(), wanted.name.clone(), wanted.statements.clone());
        let command = match target.configuration().policies.get(&wanted.id) {
            Some(found) if found.name == name && found.statements == statements => None,
            Some(_) => Some(Command::UpdatePolicy { policy, name: Some(name), statements: Some(statements) }),
            None => Some(Command::CreatePolicy { policy, space: space.clone(), name, statements }),
        };
        self.command(target, command, &declared.place, outcome).await?;
        for command in rebinding(&target.configuration(), space, wanted) {
            self.command(target, Some(command), &declared.place, outcome).await?;
        }
        Ok(())
    }

    async fn template(
        &mut self,
        target: &Target<'_>,
        declared: &Declared<TemplateDeclaration>,
        outcome: &mut Outcome,
    ) -> Result<(), ApplyError> {
        let wanted = &declared.item;
        let (template, name, description) = (wanted.id.clone(), wanted.name.clone(), wanted.description.clone());
        let command = match target.configuration().templates.get(&wanted.id) {
            Some(found) if found.name != name => {
                let rule = format!(
                    "template {template} exists with the name {:?}, and a name never changes: use a new id",
                    found.name
                );
                outcome.faults.push(Fault { place: declared.place.clone(), rule });
                return Ok(());
            }
            Some(found) if found.description == description && wanted.body.validate().as_ref() == Ok(&found.body) => None,
            Some(_) => {
                Some(Command::UpdateTemplate { template, description: Some(description), body: Some(wanted.body.clone()) })
            }
            None => Some(Command::CreateTemplate { template, name, description, body: wanted.body.clone() }),
        };
        self.command(target, command, &declared.place, outcome).await
    }

    async fn ca(
        &mut self,
        target: &Target<'_>,
        space: &SpaceId,
        declared: &Declared<CaDeclaration>,
        outcome: &mut Outcome,
    ) -> Result<(), ApplyError> {
        let (wanted, place) = (&declared.item, &declared.place);
        if !target.configuration().cas.contains_key(&wanted.id) {
            let command = Command::UploadCa { ca: wanted.id.clone(), space: space.clone(), der: wanted.der.clone() };
            self.command(target, Some(command), place, outcome).await?;
        }
        let Some(found) = target.configuration().cas.get(&wanted.id).cloned() else { return Ok(()) };
        if found.der != wanted.der || found.space != *space {
            let rule = format!("CA certificate {} exists with another certificate or space: use a new id", wanted.id);
            outcome.faults.push(Fault { place: place.clone(), rule });
            return Ok(());
        }
        if !found.is_verified() {
            self.prove(target, declared, outcome).await?;
        }
        let Some(found) = target.configuration().cas.get(&wanted.id).cloned().filter(|ca| ca.is_verified()) else {
            return Ok(());
        };
        if found.template != wanted.template || found.self_registration != wanted.self_registration {
            let template = wanted.template.clone().map_or(TemplateChange::Unbind, TemplateChange::Bind);
            let self_registration = Some(wanted.self_registration);
            let command = Command::ConfigureCa { ca: wanted.id.clone(), template, self_registration };
            self.command(target, Some(command), place, outcome).await?;
        }
        Ok(())
    }

    /// Proof of possession, as far as the file lets us: a fresh code if the old one has expired, then the certificate.
    async fn prove(
        &mut self,
        target: &Target<'_>,
        declared: &Declared<CaDeclaration>,
        outcome: &mut Outcome,
    ) -> Result<(), ApplyError> {
        let (wanted, place) = (&declared.item, &declared.place);
        let now = Timestamp::from_unix_ms(self.clock.unix_ms());
        if awaited_code(target, wanted).is_some_and(|(_, expires_at)| expires_at <= now) {
            self.command(target, Some(Command::IssueCaCode { ca: wanted.id.clone() }), place, outcome).await?;
        }
        let Some((code, _)) = awaited_code(target, wanted) else { return Ok(()) };
        let pem = match &wanted.proof {
            Proof::Key(key) => pki::verification_certificate(&wanted.file, key, &code).map_err(|error| format!("{error:#}")),
            Proof::Certificate(file) if file.exists() => std::fs::read_to_string(file).map_err(|error| error.to_string()),
            Proof::Certificate(_) | Proof::Later => {
                outcome.notes.push(awaits_proof(target.instance, wanted, &code));
                return Ok(());
            }
        };
        let der = pem.and_then(|pem| first_certificate(&pem));
        match der {
            Ok(proof) => {
                self.command(target, Some(Command::VerifyCa { ca: wanted.id.clone(), proof }), place, outcome).await
            }
            Err(rule) => {
                let place = Place { line: place.line, field: format!("{}.proof_of_possession", place.field) };
                outcome.faults.push(Fault { place, rule });
                Ok(())
            }
        }
    }

    /// Asks for a command, if there is one to ask for, and waits until the view knows what came of it.
    async fn command(
        &mut self,
        target: &Target<'_>,
        command: Option<Command>,
        place: &Place,
        outcome: &mut Outcome,
    ) -> Result<(), ApplyError> {
        let Some(command) = command else { return Ok(()) };
        let id = self.request_id();
        let actor = Actor::Operator(OPERATOR.into());
        let request = Request { id: id.clone(), actor, body: RequestBody::Command(command) };
        let log = LogId::Instance(target.instance.clone());
        if let Some(position) = self.ask(&log, id, AnyRequest::Registry(request), place, outcome).await? {
            let failed = |source| ApplyError::View { instance: target.instance.clone(), source };
            target.view.reached(position).await.map_err(failed)?;
        }
        Ok(())
    }

    /// The position of an accepted request; a rejected one is a fault of the outcome.
    async fn ask(
        &mut self,
        log: &LogId,
        id: RequestId,
        request: AnyRequest,
        place: &Place,
        outcome: &mut Outcome,
    ) -> Result<Option<Position>, ApplyError> {
        let queued =
            QueuedRequest { submitted_at: Timestamp::from_unix_ms(self.clock.unix_ms()), traceparent: None, request };
        let petitioner = self.petitioner(log);
        let asked = petitioner.ask(&id, encode_request(&queued), RULING_DEADLINE);
        let ruling = match self.shutdown.run_until_cancelled(asked).await {
            Some(answered) => answered.map_err(|source| ApplyError::Petition { place: place.clone(), source })?,
            None => return Err(ApplyError::Stopped),
        };
        match ruling {
            Ruling::Accepted { position } => {
                outcome.changes += 1;
                Ok(Some(position))
            }
            Ruling::Rejected(rejected) => {
                let rule = format!("{} ({})", rejected.message, rejected.code);
                outcome.faults.push(Fault { place: place.clone(), rule });
                Ok(None)
            }
        }
    }

    fn petitioner(&mut self, log: &LogId) -> Petitioner {
        let start = || Petitioner::start(log.clone(), self.backbone.requests.clone(), self.shutdown.clone());
        self.petitioners.entry(log.clone()).or_insert_with(start).clone()
    }

    fn request_id(&self) -> RequestId {
        let id = self.entropy.uuid_v7(self.clock.unix_ms());
        RequestId::parse(&format!("fleet-file-{id}")).expect("a UUID holds hex digits and dashes only")
    }
}

/// What must be bound and unbound so that exactly the declared products, and the space if declared, have the policy.
fn rebinding(configuration: &Configuration, space: &SpaceId, wanted: &PolicyDeclaration) -> Vec<Command> {
    let has = |policies: &[PolicyId]| policies.contains(&wanted.id);
    let mut commands = Vec::new();
    let mut set = |target: PolicyTarget, bound: bool, want: bool| {
        let policy = wanted.id.clone();
        match (bound, want) {
            (false, true) => commands.push(Command::BindPolicy { policy, target }),
            (true, false) => commands.push(Command::UnbindPolicy { policy, target }),
            (true, true) | (false, false) => {}
        }
    };
    let on_space = configuration.spaces.get(space).is_some_and(|space| has(&space.policies));
    set(PolicyTarget::Space(space.clone()), on_space, wanted.bound_to_space);
    for product in configuration.products.values().filter(|product| product.space == *space) {
        let want = wanted.bound_to_products.contains(&product.id);
        set(PolicyTarget::Product(space.clone(), product.id.clone()), has(&product.policies), want);
    }
    // A product that does not exist is left to the registrar, whose rejection names it.
    for product in &wanted.bound_to_products {
        if !configuration.products.contains_key(&(space.clone(), product.clone())) {
            set(PolicyTarget::Product(space.clone(), product.clone()), false, true);
        }
    }
    commands
}

fn awaited_code(target: &Target<'_>, wanted: &CaDeclaration) -> Option<(Box<str>, Timestamp)> {
    match &target.configuration().cas.get(&wanted.id)?.status {
        CaStatus::AwaitingProof { code, expires_at } => Some((code.clone(), *expires_at)),
        CaStatus::Verified { .. } => None,
    }
}

fn awaits_proof(instance: &InstanceId, ca: &CaDeclaration, code: &str) -> String {
    let out = match &ca.proof {
        Proof::Certificate(file) => file.display().to_string(),
        Proof::Key(_) | Proof::Later => "verification.crt".to_owned(),
    };
    format!(
        "instance {instance}: CA certificate {} awaits proof of possession; its verification code is {code}. Make the \
         certificate where its key is: rollcall pki verification --ca {} --ca-key KEY --code {code} --out {out}; name it \
         under proof_of_possession and send SIGHUP",
        ca.id,
        ca.file.display()
    )
}

fn first_certificate(pem: &str) -> Result<Box<[u8]>, String> {
    use rustls_pki_types::pem::PemObject as _;
    let der = rustls_pki_types::CertificateDer::from_pem_slice(pem.as_bytes());
    der.map(|der| der.as_ref().into()).map_err(|error| format!("no PEM certificate can be read: {error}"))
}

/// The id of a new space's `system_default_policy`: the same at every application of the file, and like the service's ids
/// 24 hex digits.
fn default_policy_id(space: &SpaceId) -> PolicyId {
    let digest = Sha256::digest(format!("system_default_policy of {space}"));
    PolicyId::parse(&hex::encode(&digest[..12])).expect("hex digits are id characters")
}
