//! What is asked about operators of the fleet and their access keys, version 1. Absent in an update: leave as it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::v1::{NewOperator, PasswordHash, Role, Scope};

/// Let another operator in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateOperator {
    /// What it is to be.
    pub operator: NewOperator,
}

/// Change what an operator may, where, or whether at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateOperator {
    pub operator: String,
    /// What it may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Whether it may do anything at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Give an operator another password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetOperatorPassword {
    pub operator: String,
    /// What its password is checked against.
    pub password_hash: PasswordHash,
}

/// Take an operator away, with its access keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteOperator {
    pub operator: String,
}

/// Give an operator an access key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAccessKey {
    /// Its id: 20 upper-case letters and digits.
    pub key: String,
    /// Whose it is to be.
    pub operator: String,
    /// What it is for; may be empty.
    pub description: String,
}

/// Make an access key usable or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchAccessKey {
    pub key: String,
    /// Whether it may be used.
    pub enabled: bool,
}

/// Take an access key away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteAccessKey {
    pub key: String,
}
