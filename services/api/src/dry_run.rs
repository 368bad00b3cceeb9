//! Dry runs: the context that the registrar would decide in, for answers to "what would happen", and what it would decide.
//!
//! Does not decide: the domain does. Invariants: nothing that is decided with it is recorded; of those that walk many rows only
//! a few run at a time.

use std::sync::Arc;

use rollcall_domain::{
    certificate::path::TrustStore,
    fleet::{AvailabilityRules, Instance},
    ids::RequestId,
    registry::{Actor, Command, Configuration, Context, Decision, Request, RequestBody, decide},
    rejection::Rejection,
    time::Timestamp,
};
use tokio::sync::SemaphorePermit;

use crate::{
    context::InstanceContext,
    http::{codes::Code, error::ApiError},
};

pub(crate) struct DryRunContext {
    instance: Instance,
    availability: AvailabilityRules,
    devices_max_default: u64,
    now: Timestamp,
}

impl DryRunContext {
    /// The context of a decision on this request, now.
    ///
    /// # Errors
    /// [`Code::InstanceNotFound`] if the instance was deleted meanwhile.
    pub(crate) fn of(context: &InstanceContext) -> Result<Self, ApiError> {
        let instance = context.api.fleet().fleet.instances.get(&context.instance.id).cloned();
        let gone = || ApiError::new(Code::InstanceNotFound, format!("instance {} does not exist", context.instance.id));
        Ok(Self {
            instance: instance.ok_or_else(gone)?,
            availability: context.api.config.availability(),
            devices_max_default: context.api.config.devices_max,
            now: context.now(),
        })
    }

    /// As the rules take it; `trust` belongs to the configuration that they are asked about.
    pub(crate) fn decision_context<'a>(&'a self, trust: &'a TrustStore) -> Context<'a> {
        Context {
            now: self.now,
            instance: &self.instance,
            availability: &self.availability,
            trust,
            verification_code: "",
            devices_max_default: self.devices_max_default,
        }
    }
}

/// What the registrar would rule on the caller's command; on `supposed`, if that is given, instead of what the view has.
///
/// # Errors
/// As for [`DryRunContext::of`]; [`Code::NotReady`].
pub(crate) async fn ruling(
    context: &InstanceContext,
    supposed: Option<Arc<Configuration>>,
    command: Command,
) -> Result<Result<Decision, Rejection>, ApiError> {
    let dry_run = DryRunContext::of(context)?;
    let actor = Actor::Operator(context.caller.operator.as_str().into());
    let id = RequestId::parse("dry-run").map_err(|error| ApiError::invalid("request id", error))?;
    let request = Request { id, actor, body: RequestBody::Command(command) };
    let look = context.instance.lookup(move |instance| {
        let configuration = supposed.unwrap_or_else(|| instance.configuration());
        let trust = configuration.trust_store();
        let context = dry_run.decision_context(&trust);
        Some(decide(&configuration, instance.view.admission(), &request, &context).outcome)
    });
    look.await
}

/// A place among the dry runs that walk many rows.
///
/// # Errors
/// [`Code::Overloaded`] while there is none.
pub(crate) fn permit(context: &InstanceContext) -> Result<SemaphorePermit<'_>, ApiError> {
    context.api.dry_runs.try_acquire().map_err(|_| {
        let text = "other questions of this kind are being worked on: try again";
        ApiError::new(Code::Overloaded, text).retry_after(5)
    })
}
