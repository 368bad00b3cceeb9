//! What a decision depends on beside the state, as the registrar would have it: for answers to "what would happen".
//!
//! Not for deciding: that is the domain's. Invariant: nothing that is asked with these comes to be.

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

/// See the file.
pub(crate) struct DryRunContext {
    instance: Instance,
    availability: AvailabilityRules,
    devices_max_default: u64,
    now: Timestamp,
}

impl DryRunContext {
    /// Those of a request.
    ///
    /// # Errors
    /// [`Code::InstanceNotFound`] if the instance has gone meanwhile.
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

    /// For the rules; `trust` is that of the configuration that is asked about.
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
