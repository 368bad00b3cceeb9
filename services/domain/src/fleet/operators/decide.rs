//! Rules on operators and access keys. As elsewhere: what is so already is granted without a record.

use std::collections::BTreeSet;

use super::{AccessKey, AccessKeyId, NewOperator, Operator, OperatorName, PasswordHash, Role, Scope};
use crate::{
    fleet::{Fleet, FleetEvent, invalid},
    limits,
    rejection::{Rejection, Subject},
    text,
};

type Decided = Result<Option<FleetEvent>, Rejection>;

impl Fleet {
    pub(in crate::fleet) fn create_operator(&self, wanted: &NewOperator) -> Decided {
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

    pub(in crate::fleet) fn update_operator(
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

    pub(in crate::fleet) fn set_operator_password(&self, name: &OperatorName, password_hash: &PasswordHash) -> Decided {
        let same = self.operator(name)?.password_hash.as_ref() == Some(password_hash);
        let (name, password_hash) = (name.clone(), password_hash.clone());
        Ok((!same).then_some(FleetEvent::OperatorPasswordSet { name, password_hash }))
    }

    pub(in crate::fleet) fn delete_operator(&self, name: &OperatorName) -> Decided {
        self.check_not_last(self.operator(name)?)?;
        Ok(Some(FleetEvent::OperatorDeleted(name.clone())))
    }

    pub(in crate::fleet) fn create_access_key(
        &self,
        id: &AccessKeyId,
        operator: &OperatorName,
        description: &str,
    ) -> Decided {
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

    pub(in crate::fleet) fn switch_access_key(&self, id: &AccessKeyId, enabled: bool) -> Decided {
        let same = self.access_key(id)?.enabled == enabled;
        Ok((!same).then_some(FleetEvent::AccessKeySwitched { key: id.clone(), enabled }))
    }

    pub(in crate::fleet) fn delete_access_key(&self, id: &AccessKeyId) -> Decided {
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
