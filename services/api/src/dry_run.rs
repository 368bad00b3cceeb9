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
    context::Call,
    http::{codes::Code, error::ApiError},
};

/// See the file.
pub(crate) struct Circumstances {
    instance: Instance,
    availability: AvailabilityRules,
    devices_max_default: u64,
    now: Timestamp,
}

impl Circumstances {
    /// Those of a request.
    ///
    /// # Errors
    /// [`Code::InstanceNotFound`] if the instance has gone meanwhile.
    pub(crate) fn of(call: &Call) -> Result<Self, ApiError> {
        let instance = call.api.fleet().fleet.instances.get(&call.realm.id).cloned();
        let gone = || ApiError::new(Code::InstanceNotFound, format!("instance {} does not exist", call.realm.id));
        Ok(Self {
            instance: instance.ok_or_else(gone)?,
            availability: call.api.config.availability(),
            devices_max_default: call.api.config.devices_max,
            now: call.now(),
        })
    }

    /// For the rules; `trust` is that of the configuration that is asked about.
    pub(crate) fn context<'a>(&'a self, trust: &'a TrustStore) -> Context<'a> {
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
