//! The caller: an operator as authentication found them, with the project that their key or token is for.

use axum::http::request::Parts;
use rollcall_domain::{
    fleet::{Operator, OperatorName, ProjectId, Role, Scope},
    registry::Actor,
};

use super::idempotency::Idempotency;
use crate::http::{codes::Code, error::ApiError};

/// Who sends the request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) operator: OperatorName,
    pub(crate) role: Role,
    pub(crate) scope: Scope,
    /// The only project that the path may name.
    pub(crate) project: ProjectId,
}

impl Caller {
    /// An operator of the fleet, with a key or token for `project`.
    pub(crate) fn of(operator: &Operator, project: &ProjectId) -> Self {
        Self {
            operator: operator.name.clone(),
            role: operator.role,
            scope: operator.scope.clone(),
            project: project.clone(),
        }
    }

    pub(super) fn actor(&self) -> Actor {
        Actor::Operator(self.operator.as_str().into())
    }
}

/// What authentication has put into the request.
///
/// # Errors
/// [`Code::Unauthenticated`]: the route is not behind authentication.
pub(super) fn authenticated(parts: &Parts) -> Result<(Caller, Idempotency), ApiError> {
    let caller = parts.extensions.get::<Caller>().cloned();
    let caller = caller.ok_or_else(|| ApiError::new(Code::Unauthenticated, "the request is not authenticated"))?;
    Ok((caller, parts.extensions.get::<Idempotency>().cloned().unwrap_or_default()))
}
