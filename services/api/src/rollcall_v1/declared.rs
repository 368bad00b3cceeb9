//! Declaring what an instance is to hold, under ids that the caller chooses: a fleet file is applied with these operations.
//!
//! v5 makes up the ids of what it creates, so a file could not name them, and its updates cannot say "and nothing else". Each
//! operation here is a PUT of one whole thing: it is created, changed, or left alone where it is so already, and then nothing is
//! submitted to the registrar. Roles, scopes and rules are those of the v5 operations. Where v5 takes chosen ids as it is
//! (binding, proofs of possession, a CA certificate's template) there is no second operation here.

pub(super) mod certificates;
pub(super) mod policies;
pub(super) mod products;
pub(super) mod spaces;
pub(super) mod templates;

use rollcall_domain::{
    ids::SpaceId,
    registry::{BesideDefault, Command},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    context::InstanceContext,
    http::{codes::Code, error::ApiError},
};

/// What a declaration came to.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeclarationOutcome {
    /// It was not there.
    Created,
    /// It was there, and something of it was different.
    Changed,
    /// It was there as it was declared.
    Unchanged,
}

/// What a declaration came to, and where that is written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Declared {
    /// What it came to.
    outcome: DeclarationOutcome,
    /// The position of the record in the instance's log; absent where nothing changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    /// What is so as it was declared, and hardly as it was meant; absent where there is nothing to say. For now one thing: the
    /// resource space's own policies stand beside one that allows every custom topic to the whole space.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Declared {
    /// With what is to be said of the resource space as it is now.
    fn with_warnings(mut self, context: &InstanceContext, space: &SpaceId) -> Self {
        if let Some(beside) = context.configuration().beside_default(space) {
            self.warnings.push(isolates_nothing(space, &beside));
        }
        self
    }
}

/// What is to be said of policies that stand beside one that allows every custom topic to the whole space.
pub(super) fn isolates_nothing(space: &SpaceId, BesideDefault { open, others }: &BesideDefault<'_>) -> String {
    let first = others.first().map_or("", |other| other.id.as_str());
    let more = match others.len() {
        0 | 1 => String::new(),
        all => format!(" and {} more", all - 1),
    };
    format!(
        "policy {} ({}) is bound to the whole resource space {space} and allows every custom topic, so an ALLOW of {first}{more} \
         isolates nothing: declare the resource space with default_policy \"none\", or unbind that policy",
        open.id, open.name
    )
}

/// The change that makes a thing as it is declared.
enum Needed {
    Create(Command),
    Change(Command),
    Nothing,
}

impl Needed {
    /// Submits the change, if there is one.
    async fn ask(self, context: &InstanceContext) -> Result<Declared, ApiError> {
        let (outcome, command) = match self {
            Self::Create(command) => (DeclarationOutcome::Created, command),
            Self::Change(command) => (DeclarationOutcome::Changed, command),
            Self::Nothing => {
                return Ok(Declared { outcome: DeclarationOutcome::Unchanged, position: None, warnings: Vec::new() });
            }
        };
        let position = context.command(command).await?.position;
        Ok(Declared { outcome, position: Some(position.0), warnings: Vec::new() })
    }
}

/// Checks a field of a v5 body that the path has too: it may be absent, and may not differ.
fn as_in_path(field: &str, given: Option<&str>, path: &str) -> Result<(), ApiError> {
    match given.filter(|given| !given.is_empty() && *given != path) {
        None => Ok(()),
        Some(given) => Err(ApiError::invalid(field, format!("is {given:?}, and the path names {path:?}: leave it out"))),
    }
}

fn taken(what: &str, id: &str, how: &str) -> ApiError {
    ApiError::new(Code::AlreadyExists, format!("{what} {id} exists {how}: use a new id (already_exists)"))
}
