//! Operators and their access keys: who may ask what of which part of the fleet.
//!
//! Not here: how a password or a signature is checked; that is the API's, which holds the key that both depend on.
//! Invariants: some enabled administrator of the whole fleet is left, once there was one; what was said to an operator
//! before their password changed or they were disabled counts for nothing.

mod decide;
mod evolve;
mod shown;

use std::{collections::BTreeSet, fmt};

use super::names::{AccessKeyId, OperatorName, ProjectId};
use crate::{
    ids::{IdError, InstanceId, SpaceId},
    limits,
    time::Timestamp,
};

/// What an operator may do; each may all that the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// May read within its scope.
    Viewer,
    /// May also change registries within its scope.
    Operator,
    /// May also change instances, operators and access keys.
    Admin,
}

impl Role {
    /// `viewer`, `operator` or `admin`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Where an operator may do it. `None` is everywhere, also in what is created later; an empty set is refused by the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// These instances only. They need not exist.
    pub instances: Option<BTreeSet<InstanceId>>,
    /// These resource spaces only, in whichever of those instances.
    pub spaces: Option<BTreeSet<SpaceId>>,
}

impl Scope {
    /// Whether it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        self.instances.is_none() && self.spaces.is_none()
    }

    /// Whether this instance is within it.
    pub fn holds_instance(&self, instance: &InstanceId) -> bool {
        self.instances.as_ref().is_none_or(|instances| instances.contains(instance))
    }

    /// Whether this resource space is within it; which instance it is in must be asked as well.
    pub fn holds_space(&self, space: &SpaceId) -> bool {
        self.spaces.as_ref().is_none_or(|spaces| spaces.contains(space))
    }
}

/// What a password is checked against: PHC text, opaque here. Never shown, also not by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Box<str>);

impl PasswordHash {
    /// Takes 1 to 512 characters without control characters.
    ///
    /// # Errors
    /// [`IdError::Form`]; it does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let chars = text.chars().count();
        if (1..=limits::PASSWORD_HASH_CHARS_MAX).contains(&chars) && !text.chars().any(char::is_control) {
            return Ok(Self(text.into()));
        }
        Err(IdError::Form { kind: "password hash", form: "1 to 512 characters without control characters" })
    }

    /// Stands in for a hash where a record is shown to people: it is the hash of no password.
    pub fn withheld() -> Self {
        Self("withheld".into())
    }

    /// The text, for checking a password and for writing the record.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Someone, or something, that may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    pub name: OperatorName,
    /// What it may do.
    pub role: Role,
    pub scope: Scope,
    pub project: ProjectId,
    /// What its password is checked against; without one it can only use access keys.
    pub password_hash: Option<PasswordHash>,
    /// Whether it may do anything at all.
    pub enabled: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Tokens issued before are void: raised when the password changes or the operator is disabled.
    pub sessions_since: Timestamp,
}

impl Operator {
    /// Whether it can put right whatever any other has done.
    fn rules_the_fleet(&self) -> bool {
        self.enabled && self.role == Role::Admin && self.scope.is_everything()
    }
}

/// What is said of an operator when it is created, in the command as in the event. It is enabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOperator {
    pub name: OperatorName,
    /// What it may do.
    pub role: Role,
    pub scope: Scope,
    pub project: ProjectId,
    /// What its password is checked against, if it has one.
    pub password_hash: Option<PasswordHash>,
}

/// The public half of a key that signs calls for an operator. Its secret is derived from its id and kept nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    pub id: AccessKeyId,
    /// Whose it is: what it may is what they may now.
    pub operator: OperatorName,
    /// The project of the operator when it was created.
    pub project: ProjectId,
    /// What it is for; may be empty.
    pub description: Box<str>,
    /// Whether it may be used.
    pub enabled: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests;
