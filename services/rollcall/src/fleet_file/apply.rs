//! Applies a fleet file: compares what it declares with what the registry holds and asks the registrar for the rest.
//!
//! Strictly one command after the other, each read back before the next is made: a later command depends on what an
//! earlier one did (a verification code is issued at upload), and a file is small. A rejected command is reported with its
//! place and does not stop the others. Nothing here writes to a log.

mod ask;
mod ca;

use std::{collections::HashMap, sync::Arc};

use rollcall_backbone::{Backbone, codec::AnyRequest, petition::Petitioner, signing::SigningKey};
use rollcall_chassis::{clock::Clock, entropy::Entropy};
use rollcall_domain::{
    fleet::FleetCommand,
    ids::{LogId, PolicyId, SpaceId},
    registry::{Actor, Command, Configuration, event::PolicyTarget},
};
use rollcall_projection::{admission::Store, fleet::FleetSnapshot};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use ask::ApplyError;
use ask::{OPERATOR, Target};

use super::document::{
    Declared, Document, Fault, InstanceDeclaration, PolicyDeclaration, SpaceDeclaration, TemplateDeclaration,
};

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
    /// What proves the commands to the registrar.
    pub command_key: SigningKey,
    /// Stops waiting.
    pub shutdown: CancellationToken,
    /// One for each log asked so far.
    pub petitioners: HashMap<LogId, Petitioner>,
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
            Some(found) if wanted.is_met_by(found) => return Ok(true),
            Some(_) => FleetCommand::UpdateInstance(wanted.clone()),
            None => FleetCommand::CreateInstance(wanted.clone()),
        };
        let id = self.request_id();
        let actor = Actor::Operator(OPERATOR.into());
        let request = AnyRequest::Fleet { id: id.clone(), actor, command };
        let Some(position) = self.ask(&LogId::Fleet, id, request, &declared.place, outcome).await? else {
            return Ok(self.fleet.borrow().fleet.instances.contains_key(&wanted.id));
        };
        match self.shutdown.run_until_cancelled(self.fleet.wait_for(|fleet| fleet.position() >= position)).await {
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
            Some(found) if found.space != *space => {
                let rule = format!("policy {policy} exists in resource space {}: use a new id", found.space);
                outcome.faults.push(Fault { place: declared.place.clone(), rule });
                return Ok(());
            }
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

/// The id of a new space's `system_default_policy`: the same at every application of the file, and like the service's ids
/// 24 hex digits.
fn default_policy_id(space: &SpaceId) -> PolicyId {
    let digest = Sha256::digest(format!("system_default_policy of {space}"));
    PolicyId::parse(&hex::encode(&digest[..12])).expect("hex digits are id characters")
}
