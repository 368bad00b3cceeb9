//! Operators of the fleet and their access keys, version 1.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an operator may do; each may all that the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May read within its scope.
    Viewer,
    /// May also change registries within its scope.
    Operator,
    /// May also change instances, operators and access keys.
    Admin,
}

/// Where an operator may do it; what is absent is not limited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// These instances only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<Vec<String>>,
    /// These resource spaces only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spaces: Option<Vec<String>>,
}

/// What a password is checked against: PHC text, keyed with what is not in any log. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// What is said of an operator when it is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOperator {
    /// 1 to 64 of letters, digits, `.`, `_`, `@` and `-`.
    pub name: String,
    /// What it may do.
    pub role: Role,
    pub scope: Scope,
    /// Its project: 32 lower-case hex digits.
    pub project: String,
    /// What its password is checked against; absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<PasswordHash>,
}

/// An operator exists, enabled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorCreated {
    /// What it is.
    pub operator: NewOperator,
}

/// The whole of what an operator may now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorUpdated {
    pub operator: String,
    /// What it may do.
    pub role: Role,
    pub scope: Scope,
    /// Whether it may do anything at all.
    pub enabled: bool,
}

/// An operator has another password; what was issued to it before is void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorPasswordSet {
    pub operator: String,
    /// What its password is checked against.
    pub password_hash: PasswordHash,
}

/// An operator is gone, and its access keys with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorDeleted {
    pub operator: String,
}

/// An access key exists, enabled. Its secret is in no log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessKeyCreated {
    /// Its id: 20 upper-case letters and digits.
    pub key: String,
    /// Whose it is.
    pub operator: String,
    /// The project of that operator.
    pub project: String,
    /// What it is for; may be empty.
    pub description: String,
}

/// An access key may be used, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessKeySwitched {
    pub key: String,
    /// Whether it may be used.
    pub enabled: bool,
}

/// An access key is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessKeyDeleted {
    pub key: String,
}
