//! Topic policies, version 1. Statements have the shape of the v5 API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a statement does. DENY wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Effect {
    /// Permits, unless some statement denies.
    Allow,
    /// Forbids, whatever else permits.
    Deny,
}

/// What a device wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// Publish to a topic.
    #[serde(rename = "iotda:devices:publish")]
    Publish,
    /// Subscribe to a topic filter.
    #[serde(rename = "iotda:devices:subscribe")]
    Subscribe,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Allow or deny.
    pub effect: Effect,
    /// One or both.
    pub actions: Vec<Action>,
    /// `topic:<pattern>`, 1 to 10 of them.
    pub resources: Vec<String>,
}

/// What a policy is bound to: `{"device": …}`, `{"product": {…}}` or `{"space": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PolicyTarget {
    /// One device, by its id.
    Device(String),
    /// Every device of a product.
    Product {
        /// The product's resource space.
        space: String,
        product: String,
    },
    /// Every device of a resource space.
    Space(String),
}

/// A policy exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyCreated {
    pub policy: String,
    /// The resource space.
    pub space: String,
    pub name: String,
    /// At most 10.
    pub statements: Vec<Statement>,
}

/// The whole of what it says now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyUpdated {
    pub policy: String,
    pub name: String,
    /// At most 10.
    pub statements: Vec<Statement>,
}

/// It is gone, and bound to nothing any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyDeleted {
    pub policy: String,
}

/// It applies to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyBound {
    pub policy: String,
    /// What it is bound to.
    pub target: PolicyTarget,
}

/// It no longer applies to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyUnbound {
    pub policy: String,
    /// What it is bound to.
    pub target: PolicyTarget,
}

impl Statement {
    /// Reads the v5 `statement` list that has been parsed as JSON (or YAML) already.
    ///
    /// # Errors
    /// [`crate::WireError::Shape`] with the path of the field.
    pub fn list_from_value(value: &serde_json::Value) -> Result<Vec<Self>, crate::WireError> {
        crate::error::read_value(value)
    }
}
