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
    /// Its name.
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
    /// Its name.
    pub name: String,
}

/// Remove it.
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
    /// The product.
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
    /// The product.
    pub product: String,
    /// What is said of it.
    pub details: ProductDetails,
}

/// Remove it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteProduct {
    /// The resource space.
    pub space: String,
    /// The product.
    pub product: String,
}

/// Make a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePolicy {
    /// The policy.
    pub policy: String,
    /// The resource space.
    pub space: String,
    /// Its name.
    pub name: String,
    /// At most 10.
    pub statements: Vec<Statement>,
}

/// Change it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdatePolicy {
    /// The policy.
    pub policy: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements: Option<Vec<Statement>>,
}

/// Remove it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeletePolicy {
    /// The policy.
    pub policy: String,
}

/// Apply it to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BindPolicy {
    /// The policy.
    pub policy: String,
    /// What it is bound to.
    pub target: PolicyTarget,
}

/// Stop applying it to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnbindPolicy {
    /// The policy.
    pub policy: String,
    /// What it is bound to.
    pub target: PolicyTarget,
}
