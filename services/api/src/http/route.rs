//! Routes: operations with their document and the least role that may do each.
//!
//! The role stands where an operation is registered, beside its handler. Invariants: an operation cannot be registered
//! without saying who may do it; the role that the document shows is the one that is enforced, since one call writes both.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use axum::http::Method;
use rollcall_domain::fleet::Role;
use utoipa::openapi::{
    RefOr, Schema,
    extensions::ExtensionsBuilder,
    path::{Operation, PathItem, Paths},
    security::SecurityRequirement,
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::state::Api;

/// The name in the document of authentication by an access key.
pub(super) const SIGNATURE: &str = "signature";
/// The name in the document of authentication by a token.
pub(super) const TOKEN: &str = "token";
/// The name in the document of authentication by a browser's session.
pub(super) const SESSION: &str = "session";

/// What `routes!` makes of a handler.
type Handler = UtoipaMethodRouter<Arc<Api>>;

/// Operations on their way to the router.
#[derive(Default)]
pub(crate) struct Routes {
    pub(super) guarded: OpenApiRouter<Arc<Api>>,
    /// Served without it.
    pub(super) open: OpenApiRouter<Arc<Api>>,
    pub(super) roles: Roles,
    /// Names that two different schemas have: the document could show only one of them.
    pub(super) conflicts: BTreeSet<String>,
}

/// The least role of each operation behind authentication.
#[derive(Default)]
pub(crate) struct Roles(HashMap<(Method, String), Role>);

impl Routes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds an operation for callers of at least this role.
    pub(crate) fn operation(mut self, role: Role, (schemas, mut paths, handler): Handler) -> Self {
        for (path, method, operation) in operations(&mut paths) {
            let none: [&str; 0] = [];
            operation.security = Some([TOKEN, SIGNATURE, SESSION].map(|name| SecurityRequirement::new(name, none)).into());
            operation.extensions = Some(ExtensionsBuilder::new().add("x-rollcall-role", role.name()).build());
            self.roles.0.insert((method, path.to_owned()), role);
        }
        self.note_conflicts(&schemas);
        self.guarded = self.guarded.routes((schemas, paths, handler));
        self
    }

    /// Adds an operation that is served without authentication.
    pub(crate) fn open(mut self, (schemas, mut paths, handler): Handler) -> Self {
        for (_, _, operation) in operations(&mut paths) {
            operation.security = Some(Vec::new());
        }
        self.note_conflicts(&schemas);
        self.open = self.open.routes((schemas, paths, handler));
        self
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        let Self { guarded, open, roles, conflicts } = other;
        let schemas = [&guarded, &open].into_iter().flat_map(schemas).collect::<Vec<_>>();
        self.note_conflicts(&schemas);
        self.conflicts.extend(conflicts);
        self.guarded = self.guarded.merge(guarded);
        self.open = self.open.merge(open);
        self.roles.0.extend(roles.0);
        self
    }

    fn note_conflicts(&mut self, added: &[(String, RefOr<Schema>)]) {
        let known: Vec<_> = [&self.guarded, &self.open].into_iter().flat_map(schemas).collect();
        let differs =
            |(name, schema): &&(String, RefOr<Schema>)| known.iter().any(|(other, known)| other == name && known != schema);
        self.conflicts.extend(added.iter().filter(differs).map(|(name, _)| name.clone()));
    }
}

fn schemas(router: &OpenApiRouter<Arc<Api>>) -> Vec<(String, RefOr<Schema>)> {
    let components = router.get_openapi().components.iter();
    components.flat_map(|all| &all.schemas).map(|(name, schema)| (name.clone(), schema.clone())).collect()
}

impl Roles {
    /// The least role for a method of a route's path. For a method that the path does not have: as for a change, so that
    /// nothing is less guarded for not being registered.
    pub(crate) fn of(&self, method: &Method, path: &str) -> Role {
        // A HEAD is answered by the operation of the GET.
        let method = if method == Method::HEAD { Method::GET } else { method.clone() };
        self.0.get(&(method, path.to_owned())).copied().unwrap_or(Role::Operator)
    }
}

/// Every operation of a document, with its path and method.
pub(super) fn operations(paths: &mut Paths) -> impl Iterator<Item = (&str, Method, &mut Operation)> {
    paths
        .paths
        .iter_mut()
        .flat_map(|(path, item)| of_path(item).map(|(method, operation)| (path.as_str(), method, operation)))
}

fn of_path(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::DELETE, &mut item.delete),
        (Method::PATCH, &mut item.patch),
    ];
    all.into_iter().filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_a_path_does_not_have_needs_more_than_reading() {
        let roles = Roles([((Method::GET, "/a".to_owned()), Role::Viewer)].into());
        assert_eq!(roles.of(&Method::GET, "/a"), Role::Viewer);
        assert_eq!(roles.of(&Method::HEAD, "/a"), Role::Viewer);
        assert_eq!(roles.of(&Method::PATCH, "/a"), Role::Operator);
        assert_eq!(roles.of(&Method::GET, "/b"), Role::Operator);
    }
}
