//! The caller: an operator as authentication found them, with the project that their key or token is for, and whether that
//! still holds for what takes longer than a request.

use axum::http::request::Parts;
use rollcall_domain::{
    fleet::{AccessKeyId, Fleet, Operator, OperatorName, ProjectId, Role, Scope},
    registry::Actor,
    time::Timestamp,
};
use rollcall_log::{BackboneError, documents::DocumentKey};

use super::idempotency::Idempotency;
use crate::{
    http::{codes::Code, error::ApiError},
    state::Api,
};

/// Who sends the request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) operator: OperatorName,
    pub(crate) role: Role,
    pub(crate) scope: Scope,
    /// The only project that the path may name.
    pub(crate) project: ProjectId,
    credential: Credential,
}

/// What the caller has proven who they are with.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    Key(AccessKeyId),
    Token { issued_ms: i64, expires_ms: i64 },
    Session { document: DocumentKey, created_ms: i64, ends_ms: i64 },
}

impl Caller {
    /// An operator of the fleet, with a key or token for `project`.
    pub(crate) fn of(operator: &Operator, project: &ProjectId, credential: Credential) -> Self {
        Self {
            operator: operator.name.clone(),
            role: operator.role,
            scope: operator.scope.clone(),
            project: project.clone(),
            credential,
        }
    }

    /// Whether the caller came with a browser's session.
    pub(crate) const fn has_session(&self) -> bool {
        matches!(self.credential, Credential::Session { .. })
    }

    /// Whether the same request would be let through now, with the same role and scope.
    ///
    /// # Errors
    /// The backbone's: it cannot be told whether the caller's session still is.
    pub(crate) async fn still_holds(&self, api: &Api, fleet: &Fleet) -> Result<bool, BackboneError> {
        let session_holds = match &self.credential {
            Credential::Session { document, .. } => api.sessions.still_holds(document, fleet, api.now()).await?,
            Credential::Key(_) | Credential::Token { .. } => true,
        };
        Ok(session_holds && self.holds_by_the_fleet(fleet, api.now()))
    }

    /// As [`still_holds`](Self::still_holds), as far as can be told without reading: a session that was ended is not noticed.
    pub(crate) fn holds_by_the_fleet(&self, fleet: &Fleet, now: Timestamp) -> bool {
        let Some(operator) = fleet.operators.get(&self.operator).filter(|operator| operator.enabled) else { return false };
        let credential_holds = match &self.credential {
            Credential::Key(key) => {
                fleet.access_keys.get(key).is_some_and(|key| key.enabled && key.operator == self.operator)
            }
            Credential::Token { issued_ms: since, expires_ms: until }
            | Credential::Session { created_ms: since, ends_ms: until, .. } => {
                *since >= operator.sessions_since.unix_ms() && *until > now.unix_ms()
            }
        };
        credential_holds && operator.role == self.role && operator.scope == self.scope
    }

    /// Whether the caller has at least this role.
    ///
    /// # Errors
    /// [`Code::NoPermission`].
    pub(crate) fn require_role(&self, needed: Role) -> Result<(), ApiError> {
        if self.role >= needed {
            return Ok(());
        }
        let text = format!("this needs the role {}, and {} is {}", needed.name(), self.operator, self.role.name());
        Err(ApiError::new(Code::NoPermission, text))
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
