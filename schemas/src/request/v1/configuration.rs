//! What an operator asks about spaces, products and policies, version 1. Absent in an update: leave as it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::v1::{PolicyTarget, ProductDetails, Statement};

/// Make a resource space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSpace {
    /// The resource space.
    pub space: String,
    pub name: String,
    /// The id of the policy that it gets.
    pub default_policy: String,
}

/// Give it another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameSpace {
    /// The resource space.
    pub space: String,
    pub name: String,
}

/// Removes a resource space that nothing uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteSpace {
    /// The resource space.
    pub space: String,
}

/// Make a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProduct {
    /// The resource space.
    pub space: String,
    pub product: String,
    /// What is said of it.
    pub details: ProductDetails,
}

/// Say something else of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateProduct {
    /// The resource space.
    pub space: String,
    pub product: String,
    /// What is said of it.
    pub details: ProductDetails,
}

/// Removes a product that no device belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteProduct {
    /// The resource space.
    pub space: String,
    pub product: String,
}

/// Make a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePolicy {
    pub policy: String,
    /// The resource space.
    pub space: String,
    pub name: String,
    /// At most 10.
    pub statements: Vec<Statement>,
}

/// Changes a policy; what is absent stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdatePolicy {
    pub policy: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements: Option<Vec<Statement>>,
}

/// Removes a policy from its resource space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeletePolicy {
    pub policy: String,
}

/// Apply it to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BindPolicy {
    pub policy: String,
    /// What it is bound to.
    pub target: PolicyTarget,
}

/// Stop applying it to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnbindPolicy {
    pub policy: String,
    /// What it is bound to.
    pub target: PolicyTarget,
}
