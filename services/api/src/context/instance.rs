//! The context of a request that concerns one instance.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{header, request::Parts},
};
use rollcall_domain::{
    registry::{Command, Configuration, Event, Request, RequestBody},
    time::Timestamp,
};
use rollcall_log::codec::{AnyEvent, AnyRequest};

use super::{
    caller::{Caller, authenticated},
    change::{self, AcceptedChange, request_id},
    idempotency::Idempotency,
};
use crate::{http::error::ApiError, instances::served::ServedInstance, state::Api};

/// The header that names an instance.
const INSTANCE_HEADER: &str = "instance-id";

pub(crate) struct InstanceContext {
    pub(crate) api: Arc<Api>,
    pub(crate) caller: Caller,
    pub(crate) instance: Arc<ServedInstance>,
    idempotency: Idempotency,
}

impl FromRequestParts<Arc<Api>> for InstanceContext {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let (caller, idempotency) = authenticated(parts)?;
        let params = RawPathParams::from_request_parts(parts, api).await.ok();
        let in_path = params.iter().flatten().find(|(name, _)| *name == "instance_id").map(|(_, value)| value.to_owned());
        let fleet = api.fleet();
        let named = parts.headers.get(INSTANCE_HEADER).map(|named| named.to_str().unwrap_or_default());
        let instance = match &in_path {
            // A path that names the instance leaves nothing to guess.
            Some(id) => api.instances.of_request(&fleet, &caller.scope, None, Some(id))?,
            None => {
                let named = named.filter(|named| !named.is_empty());
                api.instances.of_request(&fleet, &caller.scope, host(parts), named)?
            }
        };
        Ok(Self { api: Arc::clone(api), caller, instance, idempotency })
    }
}

/// The name that the request was sent to, without its port.
fn host(parts: &Parts) -> Option<&str> {
    let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = parts.uri.host().or(named)?;
    match host.strip_prefix('[') {
        Some(address) => address.split(']').next(),
        None => host.split(':').next(),
    }
}

impl InstanceContext {
    /// The configuration at the view's latest position.
    pub(crate) fn configuration(&self) -> Arc<Configuration> {
        self.instance.configuration()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.api.now()
    }

    /// Changes something of the instance.
    ///
    /// # Errors
    /// The rejection, or why there is no ruling.
    pub(crate) async fn command(&self, command: Command) -> Result<AcceptedChange<Event>, ApiError> {
        self.nth_command(0, command).await
    }

    /// The `n`th change of one request that makes several.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub(crate) async fn nth_command(&self, n: usize, command: Command) -> Result<AcceptedChange<Event>, ApiError> {
        self.request(n, RequestBody::Command(command)).await
    }

    /// Has the registrar rule on a request as this caller.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub(crate) async fn request(&self, n: usize, body: RequestBody) -> Result<AcceptedChange<Event>, ApiError> {
        let view = self.instance.view.admission();
        self.idempotency.require_unused(|from| view.first_ruled_from(from))?;
        let id = request_id(&self.api, &self.idempotency, n);
        let request = AnyRequest::Registry(Request { id: id.clone(), actor: self.caller.actor(), body });
        let position = change::submit(&self.api, &self.instance.changes, &id, request).await?;
        // The same request may have been accepted before: then its record says what it made. What is written there is
        // believed as far as this process's own view says that the request led to it.
        let is_earlier = self.idempotency.is_given() && view.ruled(&id) == Some(position);
        let earlier = match is_earlier {
            true => change::record_of(&self.api, &self.instance.log(), position, &id).await?,
            false => None,
        };
        let earlier = earlier.and_then(|event| match event {
            AnyEvent::Registry(event) => Some(event),
            AnyEvent::Fleet(_) | AnyEvent::Log(_) => None,
        });
        Ok(AcceptedChange { position, earlier })
    }

    /// Whether the request came with an `Idempotency-Key`.
    pub(crate) fn has_idempotency_key(&self) -> bool {
        self.idempotency.is_given()
    }

    /// A text that is the same whenever the same request comes with the same `Idempotency-Key`, for what the registrar does not
    /// rule on; `None` without a key.
    pub(crate) fn idempotency_text(&self) -> Option<String> {
        self.idempotency.request_text()
    }

    /// The id of what a device is to be sent: the same whenever a request comes with the same `Idempotency-Key`, so that another
    /// one under it finds its id taken.
    pub(crate) fn device_request_id(&self) -> String {
        self.idempotency.key_text().unwrap_or_else(|| self.api.entropy.uuid_v4().to_string())
    }
}
