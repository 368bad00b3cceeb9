//! What the fleet's operators and access keys are made of, domain to wire and back.

use std::collections::BTreeSet;

use rollcall_domain::{
    fleet::{NewOperator, PasswordHash, Role, Scope},
    ids::IdError,
};
use rollcall_schemas::event::latest as wire;

use super::part::{Read, Violation, id, ids};

pub(super) fn new_to_wire(operator: &NewOperator) -> wire::NewOperator {
    wire::NewOperator {
        name: operator.name.to_string(),
        role: role_to_wire(operator.role),
        scope: scope_to_wire(&operator.scope),
        project: operator.project.to_string(),
        password_hash: operator.password_hash.as_ref().map(hash_to_wire),
    }
}

pub(super) fn new_from_wire(operator: &wire::NewOperator) -> Read<NewOperator> {
    let hash = operator.password_hash.as_ref();
    Ok(NewOperator {
        name: id("body.operator.name", &operator.name)?,
        role: role_from_wire(operator.role),
        scope: scope_from_wire("body.operator.scope", operator.scope.clone())?,
        project: id("body.operator.project", &operator.project)?,
        password_hash: hash.map(|hash| hash_from_wire("body.operator.password_hash", hash)).transpose()?,
    })
}

pub(super) fn role_to_wire(role: Role) -> wire::Role {
    match role {
        Role::Viewer => wire::Role::Viewer,
        Role::Operator => wire::Role::Operator,
        Role::Admin => wire::Role::Admin,
    }
}

pub(super) fn role_from_wire(role: wire::Role) -> Role {
    match role {
        wire::Role::Viewer => Role::Viewer,
        wire::Role::Operator => Role::Operator,
        wire::Role::Admin => Role::Admin,
    }
}

pub(super) fn scope_to_wire(scope: &Scope) -> wire::Scope {
    wire::Scope { instances: scope.instances.as_ref().map(texts), spaces: scope.spaces.as_ref().map(texts) }
}

pub(super) fn scope_from_wire(path: &str, scope: wire::Scope) -> Read<Scope> {
    Ok(Scope {
        instances: set(&format!("{path}.instances"), scope.instances)?,
        spaces: set(&format!("{path}.spaces"), scope.spaces)?,
    })
}

pub(super) fn hash_to_wire(hash: &PasswordHash) -> wire::PasswordHash {
    wire::PasswordHash(hash.as_str().to_owned())
}

pub(super) fn hash_from_wire(path: &str, hash: &wire::PasswordHash) -> Read<PasswordHash> {
    PasswordHash::parse(&hash.0).map_err(|error| Violation::new(path, error))
}

fn texts<T: ToString>(ids: &BTreeSet<T>) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// Sorted and unique, whatever the order they were written in.
fn set<T: std::str::FromStr<Err = IdError> + Ord>(path: &str, texts: Option<Vec<String>>) -> Read<Option<BTreeSet<T>>> {
    texts.map(|texts| Ok(ids(path, &texts)?.into_iter().collect())).transpose()
}
