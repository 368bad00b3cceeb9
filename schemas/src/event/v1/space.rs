//! Resource spaces, version 1.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A resource space exists, with the policy that every new one gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpaceCreated {
    /// The resource space.
    pub space: String,
    pub name: String,
    /// Whether requests without a space mean this one.
    pub default_space: bool,
    /// The policy that allows every custom topic.
    pub default_policy: String,
}

/// It has another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpaceRenamed {
    /// The resource space.
    pub space: String,
    pub name: String,
}

/// It is gone, and its policies with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpaceDeleted {
    /// The resource space.
    pub space: String,
}
