//! What an operator asks about spaces, version 2: a space may begin without a policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::request::v1;

/// Make a resource space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSpace {
    /// The resource space.
    pub space: String,
    pub name: String,
    /// The id of the policy that it gets and that allows every custom topic; absent: it gets none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_policy: Option<String>,
}

impl From<v1::CreateSpace> for CreateSpace {
    fn from(written: v1::CreateSpace) -> Self {
        let v1::CreateSpace { space, name, default_policy } = written;
        Self { space, name, default_policy: Some(default_policy) }
    }
}
