//! One request that has been let in: who asks, of which instance, and how it changes something there.
//!
//! Not for what any operation does. Invariants: a change is one request that the registrar rules on; it is answered when
//! this process's own view has applied it; with an `Idempotency-Key` the same request is the same change, however often
//! it comes.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{HeaderMap, header, request::Parts},
};
use rollcall_backbone::codec::{AnyEvent, AnyRequest, decode_record};
use rollcall_domain::{
    fleet::{FleetCommand, FleetEvent, Operator, OperatorName, ProjectId, Role, Scope},
    ids::{DeviceId, LogId, Position, RequestId, SpaceId},
    registry::{Actor, Command, Configuration, Event, Request, RequestBody},
    time::Timestamp,
};
use sha2::{Digest, Sha256};

use crate::{
    change_client::{Change, queued},
    http::{codes::Code, error::ApiError},
    instances::served::ServedInstance,
    state::Api,
};

/// The header that names an instance.
pub(crate) const INSTANCE_HEADER: &str = "instance-id";
/// The header that makes a change safe to send again.
pub(crate) const IDEMPOTENCY_HEADER: &str = "idempotency-key";
/// Characters of an idempotency key.
pub(crate) const IDEMPOTENCY_CHARS_MAX: usize = 128;

/// Who asks, as authentication found.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// By name.
    pub(crate) operator: OperatorName,
    /// What they may do.
    pub(crate) role: Role,
    /// Where.
    pub(crate) scope: Scope,
    /// The project that their key or token is for.
    pub(crate) project: ProjectId,
}

impl Caller {
    /// An operator of the fleet, for a project.
    pub(crate) fn of(operator: &Operator, project: &ProjectId) -> Self {
        Self {
            operator: operator.name.clone(),
            role: operator.role,
            scope: operator.scope.clone(),
            project: project.clone(),
        }
    }

    fn actor(&self) -> Actor {
        Actor::Operator(self.operator.as_str().into())
    }
}

/// What makes a request the same request again: a hash over who asks, what, and the key they gave. `None`: no key given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Idempotency(pub(crate) Option<[u8; 32]>);

impl Idempotency {
    /// Of a request with these headers; `what` is everything else that tells it from another.
    ///
    /// # Errors
    /// A key that cannot be one.
    pub(crate) fn of(headers: &HeaderMap, what: &[&[u8]]) -> Result<Self, ApiError> {
        let Some(key) = headers.get(IDEMPOTENCY_HEADER) else { return Ok(Self(None)) };
        let good = key.to_str().is_ok_and(|key| (1..=IDEMPOTENCY_CHARS_MAX).contains(&key.len()));
        if !good {
            let rule = format!("give 1 to {IDEMPOTENCY_CHARS_MAX} printable ASCII characters");
            return Err(ApiError::invalid("Idempotency-Key", rule));
        }
        let mut hasher = Sha256::new();
        for part in what.iter().chain([&key.as_bytes()]) {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Ok(Self(Some(hasher.finalize().into())))
    }
}

/// A request for the fleet as a whole.
pub(crate) struct FleetContext {
    /// What the process works with.
    pub(crate) api: Arc<Api>,
    /// Who asks.
    pub(crate) caller: Caller,
    idempotency: Idempotency,
}

/// A request for one instance.
pub(crate) struct InstanceContext {
    /// What the process works with.
    pub(crate) api: Arc<Api>,
    /// Who asks.
    pub(crate) caller: Caller,
    /// The instance.
    pub(crate) instance: Arc<ServedInstance>,
    idempotency: Idempotency,
}

/// What a change came to.
#[derive(Clone, Debug)]
pub(crate) struct AcceptedChange<E> {
    /// Where the record is, or the log's end if it was already so.
    pub(crate) position: Position,
    /// The record of the same request sent earlier: what it made is what this one asked for.
    pub(crate) earlier: Option<E>,
}

impl FromRequestParts<Arc<Api>> for FleetContext {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let (caller, idempotency) = admitted(parts)?;
        Ok(Self { api: Arc::clone(api), caller, idempotency })
    }
}

impl FromRequestParts<Arc<Api>> for InstanceContext {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let (caller, idempotency) = admitted(parts)?;
        let params = RawPathParams::from_request_parts(parts, api).await.ok();
        let in_path = params.iter().flatten().find(|(name, _)| *name == "instance_id").map(|(_, value)| value.to_owned());
        let fleet = api.fleet();
        let named = parts.headers.get(INSTANCE_HEADER).map(|named| named.to_str().unwrap_or_default());
        let instance = match &in_path {
            // A path that names the instance leaves nothing to guess.
            Some(id) => api.instances.of_request(&fleet, None, Some(id))?,
            None => api.instances.of_request(&fleet, host(parts), named.filter(|named| !named.is_empty()))?,
        };
        if !caller.scope.holds_instance(&instance.id) {
            let text = format!("operator {} may not use instance {}", caller.operator, instance.id);
            return Err(ApiError::new(Code::NoPermission, text));
        }
        Ok(Self { api: Arc::clone(api), caller, instance, idempotency })
    }
}

fn admitted(parts: &Parts) -> Result<(Caller, Idempotency), ApiError> {
    let caller = parts.extensions.get::<Caller>().cloned();
    let caller = caller.ok_or_else(|| ApiError::new(Code::Unauthenticated, "the request is not authenticated"))?;
    Ok((caller, parts.extensions.get::<Idempotency>().cloned().unwrap_or_default()))
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

impl FleetContext {
    /// Changes something of the fleet.
    ///
    /// # Errors
    /// The rejection, or why there is no ruling.
    pub(crate) async fn command(&self, command: FleetCommand) -> Result<AcceptedChange<FleetEvent>, ApiError> {
        let id = request_id(&self.api, &self.idempotency, 0);
        let request = AnyRequest::Fleet { id: id.clone(), actor: self.caller.actor(), command };
        let (position, earlier) = change(&self.api, None, &self.idempotency, id, request).await?;
        let earlier = earlier.and_then(|event| match event {
            AnyEvent::Fleet(event) => Some(event),
            AnyEvent::Registry(_) | AnyEvent::Log(_) => None,
        });
        Ok(AcceptedChange { position, earlier })
    }

    /// Only who may do everything everywhere may change the fleet: anything else could be a way to more rights.
    ///
    /// # Errors
    /// [`Code::NoPermission`].
    pub(crate) fn require_unlimited_scope(&self) -> Result<(), ApiError> {
        if self.caller.scope.is_everything() {
            return Ok(());
        }
        let text = format!("operator {} is limited to some instances or resource spaces", self.caller.operator);
        Err(ApiError::new(Code::NoPermission, text))
    }
}

impl InstanceContext {
    /// The latest configuration of the instance.
    pub(crate) fn configuration(&self) -> Arc<Configuration> {
        self.instance.configuration()
    }

    /// Now.
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
        let id = request_id(&self.api, &self.idempotency, n);
        let request = AnyRequest::Registry(Request { id: id.clone(), actor: self.caller.actor(), body });
        let (position, earlier) = change(&self.api, Some(&self.instance), &self.idempotency, id, request).await?;
        let earlier = earlier.and_then(|event| match event {
            AnyEvent::Registry(event) => Some(event),
            AnyEvent::Fleet(_) | AnyEvent::Log(_) => None,
        });
        Ok(AcceptedChange { position, earlier })
    }

    /// A number that is the same whenever the same request comes with the same `Idempotency-Key`, for what is not the
    /// registrar's business; `None` without a key.
    pub(crate) fn idempotency_hash(&self) -> Option<[u8; 32]> {
        self.idempotency.0
    }

    /// Whether the caller may touch what is in a resource space.
    ///
    /// # Errors
    /// [`Code::NoPermission`].
    pub(crate) fn require_space(&self, space: &SpaceId) -> Result<(), ApiError> {
        if self.caller.scope.holds_space(space) {
            return Ok(());
        }
        let text = format!("operator {} may not use resource space {space}", self.caller.operator);
        Err(ApiError::new(Code::NoPermission, text))
    }

    /// Whether the caller may touch what belongs to the instance as a whole.
    ///
    /// # Errors
    /// [`Code::NoPermission`].
    pub(crate) fn require_whole_instance(&self) -> Result<(), ApiError> {
        if self.caller.scope.spaces.is_none() {
            return Ok(());
        }
        let text = format!("operator {} is limited to some resource spaces", self.caller.operator);
        Err(ApiError::new(Code::NoPermission, text))
    }

    /// The resource space that a request means: the one named by `app_id`, else the default one.
    ///
    /// # Errors
    /// [`Code::SpaceNotFound`], [`Code::NoPermission`].
    pub(crate) fn space(&self, app_id: Option<&str>) -> Result<SpaceId, ApiError> {
        let configuration = self.configuration();
        let space = match app_id.filter(|id| !id.is_empty()) {
            Some(id) => SpaceId::parse(id).ok().filter(|id| configuration.spaces.contains_key(id)),
            None => configuration.spaces.values().find(|space| space.default_space).map(|space| space.id.clone()),
        };
        let space = space.ok_or_else(|| space_not_found(app_id.unwrap_or("by default")))?;
        self.require_space(&space)?;
        Ok(space)
    }

    /// The resource space that a list is limited to by `app_id`; `None` without one: then the caller's scope alone limits it.
    ///
    /// # Errors
    /// [`Code::SpaceNotFound`], [`Code::NoPermission`].
    pub(crate) fn space_filter(&self, app_id: Option<&str>) -> Result<Option<SpaceId>, ApiError> {
        match app_id.filter(|id| !id.is_empty()) {
            Some(id) => self.space(Some(id)).map(Some),
            None => Ok(None),
        }
    }

    /// A device that the caller may touch.
    ///
    /// # Errors
    /// [`Code::DeviceNotFound`] (also for one in a resource space out of scope: who may not see it is not told of it).
    pub(crate) fn device(&self, id: &str) -> Result<rollcall_projection::directory::Listed, ApiError> {
        let not_found = || ApiError::new(Code::DeviceNotFound, format!("The device does not exist: {id:?}"));
        let device = DeviceId::parse(id).map_err(|_| not_found())?;
        let found = self.instance.view.show(&device).ok_or_else(ApiError::not_ready)?;
        found.filter(|listed| self.caller.scope.holds_space(&listed.device.space)).ok_or_else(not_found)
    }
}

/// A resource space that is not there.
pub(crate) fn space_not_found(named: &str) -> ApiError {
    ApiError::new(Code::SpaceNotFound, format!("The application (resource space) does not exist: {named:?}"))
}

fn request_id(api: &Api, idempotency: &Idempotency, n: usize) -> RequestId {
    let text = match &idempotency.0 {
        Some(hash) => format!("api-{}-{n}", hex::encode(hash)),
        None => format!("api-{}", api.entropy.uuid_v7(api.clock.unix_ms())),
    };
    RequestId::parse(&text).expect("hex digits and dashes, within the length of a request id")
}

async fn change(
    api: &Api,
    instance: Option<&ServedInstance>,
    idempotency: &Idempotency,
    id: RequestId,
    request: AnyRequest,
) -> Result<(Position, Option<AnyEvent>), ApiError> {
    let (changes, log) = api.changes_of(instance);
    let traceparent = crate::trace::traceparent();
    let position = changes.submit(Change { id: id.clone(), request: queued(request, api.now(), traceparent) }).await?;
    if idempotency.0.is_none() {
        return Ok((position, None));
    }
    // The same request may have been granted before: then its record says what it made. What stands there is believed as
    // far as this process's own view says that the request came to it.
    let ruled = match instance {
        Some(instance) => instance.view.admission().ruled(&id),
        None => api.fleet().ruled.get(&id).copied(),
    };
    if ruled != Some(position) {
        return Ok((position, None));
    }
    let record = record_at(api, &log, position).await?;
    Ok((position, record.filter(|(cause, _)| *cause == id).map(|(_, event)| event)))
}

async fn record_at(api: &Api, log: &LogId, position: Position) -> Result<Option<(RequestId, AnyEvent)>, ApiError> {
    let before = Position(position.0.saturating_sub(1));
    let Some(entry) = api.backbone.log.read(log, before, 1).await?.pop() else { return Ok(None) };
    let record = decode_record(log, &entry.record).map_err(|error| {
        tracing::error!(%log, %position, %error, "a record cannot be read");
        ApiError::new(Code::Internal, "the log holds a record that this version cannot read")
    })?;
    Ok(Some((record.cause, record.event)))
}
