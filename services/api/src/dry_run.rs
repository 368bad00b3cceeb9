//! Dry runs: the context that the registrar would decide in, for answers to "what would happen".
//!
//! Does not decide: the domain does. Invariant: nothing that is decided with it is recorded.

use rollcall_domain::{
    certificate::path::TrustStore,
    fleet::{AvailabilityRules, Instance},
    registry::Context,
    time::Timestamp,
};

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
