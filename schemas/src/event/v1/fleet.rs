//! Instances of the fleet, version 1.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an instance was bought as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Edition {
    /// Shared; no self-registration anywhere.
    Basic,
    /// Logical multi-tenant.
    Standard,
    /// Dedicated to one tenant.
    Enterprise,
}

/// One IoT platform instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    pub id: String,
    /// The DNS name that a device's SNI must carry; lower case.
    pub access_domain: String,
    pub edition: Edition,
    /// Its region, such as `cn-north-4`.
    pub region: String,
}

/// An instance is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceCreated {
    /// What it is.
    pub instance: Instance,
}

/// Its access domain, edition or region is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceUpdated {
    /// What it is now.
    pub instance: Instance,
}

/// It is no longer served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceDeleted {
    pub instance: String,
}
