//! Resource spaces, version 2: a space may begin without a policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::v1;

/// A resource space exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpaceCreated {
    /// The resource space.
    pub space: String,
    pub name: String,
    /// Whether requests without a space mean this one.
    pub default_space: bool,
    /// The policy that was made with it and allows every custom topic; absent: none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_policy: Option<String>,
}

impl From<v1::SpaceCreated> for SpaceCreated {
    fn from(written: v1::SpaceCreated) -> Self {
        let v1::SpaceCreated { space, name, default_space, default_policy } = written;
        Self { space, name, default_space, default_policy: Some(default_policy) }
    }
}
