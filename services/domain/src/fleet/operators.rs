//! Operators and their access keys: who may ask what of which part of the fleet.
//!
//! Not here: how a password or a signature is checked; that is the API's, which holds the key that both depend on.
//! Invariants: some enabled administrator of the whole fleet is left, once there was one; what was said to an operator
//! before their password changed or they were disabled counts for nothing.

mod evolve;
mod shown;

use std::{collections::BTreeSet, fmt};

use super::{
    Fleet, FleetEvent, invalid,
    names::{AccessKeyId, OperatorName, ProjectId},
};
use crate::{
    ids::{IdError, InstanceId, SpaceId},
    limits,
    rejection::{Rejection, Subject},
    text,
    time::Timestamp,
};

/// What an operator may do; each may all that the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Read.
    Viewer,
    /// Also change registries within their scope.
    Operator,
    /// Also change instances, operators and access keys.
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

    /// The text, for whoever checks a password or writes the record.
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
    /// Its name.
    pub name: OperatorName,
    /// What it may do.
    pub role: Role,
    /// Where.
    pub scope: Scope,
    /// Its project.
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
    /// Its name.
    pub name: OperatorName,
    /// What it may do.
    pub role: Role,
    /// Where.
    pub scope: Scope,
    /// Its project.
    pub project: ProjectId,
    /// What its password is checked against, if it has one.
    pub password_hash: Option<PasswordHash>,
}

/// The public half of a key that signs calls for an operator. Its secret is derived from its id and kept nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id.
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

type Decided = Result<Option<FleetEvent>, Rejection>;

impl Fleet {
    pub(super) fn create_operator(&self, wanted: &NewOperator) -> Decided {
        check_scope(&wanted.scope)?;
        if let Some(existing) = self.operators.get(&wanted.name) {
            let same = existing.enabled
                && existing.role == wanted.role
                && existing.scope == wanted.scope
                && existing.project == wanted.project
                && existing.password_hash == wanted.password_hash;
            return if same { Ok(None) } else { Err(Rejection::AlreadyExists(Subject::Operator(wanted.name.clone()))) };
        }
        limit(self.operators.len(), limits::OPERATORS_MAX, "operators")?;
        Ok(Some(FleetEvent::OperatorCreated(wanted.clone())))
    }

    pub(super) fn update_operator(
        &self,
        name: &OperatorName,
        role: Option<Role>,
        scope: Option<&Scope>,
        enabled: Option<bool>,
    ) -> Decided {
        let existing = self.operator(name)?;
        let wanted = Operator {
            role: role.unwrap_or(existing.role),
            scope: scope.unwrap_or(&existing.scope).clone(),
            enabled: enabled.unwrap_or(existing.enabled),
            ..existing.clone()
        };
        check_scope(&wanted.scope)?;
        if wanted == *existing {
            return Ok(None);
        }
        if !wanted.rules_the_fleet() {
            self.check_not_last(existing)?;
        }
        let Operator { name, role, scope, enabled, .. } = wanted;
        Ok(Some(FleetEvent::OperatorUpdated { name, role, scope, enabled }))
    }

    pub(super) fn set_operator_password(&self, name: &OperatorName, password_hash: &PasswordHash) -> Decided {
        let same = self.operator(name)?.password_hash.as_ref() == Some(password_hash);
        let (name, password_hash) = (name.clone(), password_hash.clone());
        Ok((!same).then_some(FleetEvent::OperatorPasswordSet { name, password_hash }))
    }

    pub(super) fn delete_operator(&self, name: &OperatorName) -> Decided {
        self.check_not_last(self.operator(name)?)?;
        Ok(Some(FleetEvent::OperatorDeleted(name.clone())))
    }

    pub(super) fn create_access_key(&self, id: &AccessKeyId, operator: &OperatorName, description: &str) -> Decided {
        check_description(description)?;
        if let Some(existing) = self.access_keys.get(id) {
            let same = existing.enabled && existing.operator == *operator && *existing.description == *description;
            return if same { Ok(None) } else { Err(Rejection::AlreadyExists(Subject::AccessKey(id.clone()))) };
        }
        let holder = self.operator(operator)?;
        if !holder.enabled {
            return Err(invalid("operator", format!("operator {operator} is disabled: enable it first")));
        }
        let held = self.access_keys_of(operator).count();
        limit(held, limits::ACCESS_KEYS_PER_OPERATOR_MAX, "access keys of this operator")?;
        let (id, operator, project) = (id.clone(), operator.clone(), holder.project.clone());
        Ok(Some(FleetEvent::AccessKeyCreated { key: id, operator, project, description: description.into() }))
    }

    pub(super) fn switch_access_key(&self, id: &AccessKeyId, enabled: bool) -> Decided {
        let same = self.access_key(id)?.enabled == enabled;
        Ok((!same).then_some(FleetEvent::AccessKeySwitched { key: id.clone(), enabled }))
    }

    pub(super) fn delete_access_key(&self, id: &AccessKeyId) -> Decided {
        self.access_key(id)?;
        Ok(Some(FleetEvent::AccessKeyDeleted(id.clone())))
    }

    /// The access keys of an operator, by id.
    pub fn access_keys_of<'a>(&'a self, operator: &'a OperatorName) -> impl Iterator<Item = &'a AccessKey> {
        self.access_keys.values().filter(move |key| key.operator == *operator)
    }

    fn operator(&self, name: &OperatorName) -> Result<&Operator, Rejection> {
        self.operators.get(name).ok_or_else(|| Rejection::NotFound(Subject::Operator(name.clone())))
    }

    fn access_key(&self, id: &AccessKeyId) -> Result<&AccessKey, Rejection> {
        self.access_keys.get(id).ok_or_else(|| Rejection::NotFound(Subject::AccessKey(id.clone())))
    }

    /// A fleet whose administrators have all gone could only be put right by whoever has its files.
    fn check_not_last(&self, leaving: &Operator) -> Result<(), Rejection> {
        let another = |other: &Operator| other.name != leaving.name && other.rules_the_fleet();
        if leaving.rules_the_fleet() && !self.operators.values().any(another) {
            return Err(Rejection::LastAdmin(leaving.name.clone()));
        }
        Ok(())
    }
}

/// An empty set would be an operator that may do nothing, which is what `enabled` is for.
fn check_scope(scope: &Scope) -> Result<(), Rejection> {
    let sizes = [
        ("scope.instances", scope.instances.as_ref().map(BTreeSet::len)),
        ("scope.spaces", scope.spaces.as_ref().map(BTreeSet::len)),
    ];
    let max = limits::SCOPE_IDS_MAX;
    for (field, size) in sizes {
        if size.is_some_and(|size| !(1..=max).contains(&size)) {
            return Err(invalid(field, format!("give 1 to {max} ids, or leave it out for all of them")));
        }
    }
    Ok(())
}

fn check_description(description: &str) -> Result<(), Rejection> {
    let (chars, max) = (description.chars().count(), limits::ACCESS_KEY_DESCRIPTION_CHARS_MAX);
    if chars > max {
        return Err(invalid("description", format!("has {chars} characters: give at most {max}")));
    }
    if !text::is_name(description) {
        let rule = "only Chinese characters, letters, digits, blanks and _?'#().,&%@!- are allowed";
        return Err(invalid("description", rule.into()));
    }
    Ok(())
}

/// Refuses one more of something when there are `held` already.
fn limit(held: usize, max: usize, what: &'static str) -> Result<(), Rejection> {
    if held >= max { Err(Rejection::LimitReached { what, max: max as u64 }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
