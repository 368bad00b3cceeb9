//! What an operator asks of the fleet, version 1.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::v1::Instance;

/// Serve a new instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInstance {
    /// What it is to be.
    pub instance: Instance,
}

/// Change access domain, edition or region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateInstance {
    /// What it is to be.
    pub instance: Instance,
}

/// Take an instance out of service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteInstance {
    pub instance: String,
}
