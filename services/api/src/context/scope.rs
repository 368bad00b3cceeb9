//! Scope checks: what of the fleet and of an instance the caller may touch.
//!
//! Roles are checked before a request reaches its operation; scopes here, since only an operation knows what it touches.
//! Invariant: what is out of scope does not exist for the caller: the answer is the same as for an id that nothing has.

use rollcall_domain::ids::{DeviceId, SpaceId};
use rollcall_projection::directory::Listed;

use super::{fleet::FleetContext, instance::InstanceContext};
use crate::http::{codes::Code, error::ApiError};

impl FleetContext {
    /// Only operators without a limited scope may change the fleet: any change of it could widen a scope.
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
    /// [`Code::SpaceNotFound`], also for one out of scope.
    pub(crate) fn space(&self, app_id: Option<&str>) -> Result<SpaceId, ApiError> {
        let configuration = self.configuration();
        let space = match app_id.filter(|id| !id.is_empty()) {
            Some(id) => SpaceId::parse(id).ok().filter(|id| configuration.spaces.contains_key(id)),
            None => configuration.spaces.values().find(|space| space.default_space).map(|space| space.id.clone()),
        };
        let space = space.filter(|space| self.caller.scope.holds_space(space));
        space.ok_or_else(|| match app_id.filter(|id| !id.is_empty()) {
            Some(id) => space_not_found(id),
            None => {
                let text =
                    format!("no app_id is given, and operator {} has no default resource space", self.caller.operator);
                ApiError::new(Code::SpaceNotFound, format!("{text}: name one of their resource spaces"))
            }
        })
    }

    /// The resource space that a list is limited to by `app_id`; `None` without one: then the caller's scope alone limits it.
    ///
    /// # Errors
    /// [`Code::SpaceNotFound`], also for one out of scope.
    pub(crate) fn space_filter(&self, app_id: Option<&str>) -> Result<Option<SpaceId>, ApiError> {
        match app_id.filter(|id| !id.is_empty()) {
            Some(id) => self.space(Some(id)).map(Some),
            None => Ok(None),
        }
    }

    /// A device that the caller may touch.
    ///
    /// # Errors
    /// [`Code::DeviceNotFound`], also for a device in a resource space out of scope; [`Code::NotReady`].
    pub(crate) fn device(&self, id: &str) -> Result<Listed, ApiError> {
        let not_found = || device_not_found(id);
        let device = DeviceId::parse(id).map_err(|_| not_found())?;
        let found = self.instance.view.show(&device).ok_or_else(ApiError::not_ready)?;
        found.filter(|listed| self.caller.scope.holds_space(&listed.device.space)).ok_or_else(not_found)
    }
}

/// The error for a device that does not exist, or is out of scope.
pub(crate) fn device_not_found(id: &str) -> ApiError {
    ApiError::new(Code::DeviceNotFound, format!("The device does not exist: {id:?}"))
}

/// The error for a resource space that does not exist, or is out of scope.
pub(crate) fn space_not_found(named: &str) -> ApiError {
    let text = format!("The application (resource space) does not exist, or you may not use it: {named:?}");
    ApiError::new(Code::SpaceNotFound, text)
}
