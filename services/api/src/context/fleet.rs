//! The context of a request that concerns the fleet as a whole.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use rollcall_domain::{
    fleet::{FleetCommand, FleetEvent},
    ids::LogId,
};
use rollcall_log::codec::{AnyEvent, AnyRequest};

use super::{
    caller::{Caller, authenticated},
    change::{self, AcceptedChange, request_id},
    idempotency::Idempotency,
};
use crate::{http::error::ApiError, state::Api};

pub(crate) struct FleetContext {
    pub(crate) api: Arc<Api>,
    pub(crate) caller: Caller,
    idempotency: Idempotency,
}

impl FromRequestParts<Arc<Api>> for FleetContext {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let (caller, idempotency) = authenticated(parts)?;
        Ok(Self { api: Arc::clone(api), caller, idempotency })
    }
}

impl FleetContext {
    /// Changes something of the fleet.
    ///
    /// # Errors
    /// The rejection, or why there is no ruling.
    pub(crate) async fn command(&self, command: FleetCommand) -> Result<AcceptedChange<FleetEvent>, ApiError> {
        self.idempotency.require_unused(|from| self.api.fleet().ruled.first_from(from))?;
        let id = request_id(&self.api, &self.idempotency, 0);
        let request = AnyRequest::Fleet { id: id.clone(), actor: self.caller.actor(), command };
        let position = change::submit(&self.api, &self.api.fleet_changes, &id, request).await?;
        // The same request may have been accepted before: then its record says what it made.
        let is_earlier = self.idempotency.is_given() && self.api.fleet().ruled.get(&id) == Some(&position);
        let earlier = match is_earlier {
            true => change::record_of(&self.api, &LogId::Fleet, position, &id).await?,
            false => None,
        };
        let earlier = earlier.and_then(|event| match event {
            AnyEvent::Fleet(event) => Some(event),
            AnyEvent::Registry(_) | AnyEvent::Log(_) => None,
        });
        Ok(AcceptedChange { position, earlier })
    }
}
