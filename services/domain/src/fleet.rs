//! The fleet: which instances there are, and where self-registration is available.
//!
//! Folded from the fleet log by the same `decide` and `evolve` discipline as a registry. Invariant: an access domain
//! belongs to one instance, whatever its case.

use std::collections::BTreeMap;

use crate::{ids::InstanceId, rejection::Rejection};

/// What an instance was bought as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edition {
    /// Shared; no self-registration anywhere.
    Basic,
    /// Logical multi-tenant.
    Standard,
    /// Dedicated.
    Enterprise,
}

impl Edition {
    /// `basic`, `standard` or `enterprise`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Standard => "standard",
            Self::Enterprise => "enterprise",
        }
    }
}

/// One IoT platform instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The DNS name that a device's SNI must carry; lower case.
    pub access_domain: Box<str>,
    /// Its edition.
    pub edition: Edition,
    /// Its region, such as `cn-north-4`.
    pub region: Box<str>,
}

/// Where self-registration is not available: any row that matches forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvailabilityRules {
    /// Edition, and region or every region.
    pub unavailable: Vec<(Edition, Option<Box<str>>)>,
}

impl Default for AvailabilityRules {
    /// The service's own: no basic edition; no standard edition in `cn-east-3`.
    fn default() -> Self {
        Self { unavailable: vec![(Edition::Basic, None), (Edition::Standard, Some("cn-east-3".into()))] }
    }
}

impl AvailabilityRules {
    /// Whether devices may register themselves at this instance.
    pub fn allow(&self, instance: &Instance) -> bool {
        !self.unavailable.iter().any(|(edition, region)| {
            *edition == instance.edition && region.as_ref().is_none_or(|region| *region == instance.region)
        })
    }
}

/// The instances, folded from the fleet log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// By id.
    pub instances: BTreeMap<InstanceId, Instance>,
}

/// What an operator asks of the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FleetCommand {
    /// Adds an instance.
    CreateInstance(Instance),
    /// Changes access domain, edition or region.
    UpdateInstance(Instance),
    /// Removes an instance from service; its log stays.
    DeleteInstance(InstanceId),
}

/// What happened to the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FleetEvent {
    /// An instance is served.
    InstanceCreated(Instance),
    /// Its access domain, edition or region is another.
    InstanceUpdated(Instance),
    /// It is no longer served.
    InstanceDeleted(InstanceId),
}

impl Fleet {
    /// Rules on a command; `None` when it is already so.
    ///
    /// # Errors
    /// [`Rejection`]: why not.
    pub fn decide(&self, command: &FleetCommand) -> Result<Option<FleetEvent>, Rejection> {
        let _ = command;
        todo!()
    }

    /// Applies what happened.
    pub fn evolve(&mut self, event: &FleetEvent) {
        let _ = event;
        todo!()
    }

    /// The instance whose access domain is `server_name` (any case).
    pub fn by_access_domain(&self, server_name: &str) -> Option<&Instance> {
        self.instances.values().find(|instance| instance.access_domain.eq_ignore_ascii_case(server_name))
    }
}
