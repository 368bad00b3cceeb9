//! Devices, version 2: a pre-registration carries all that an operator may say of a device.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::v1::{self, DeclaredCredential, DeviceProfile};

/// An operator entered a device before it first connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DevicePreRegistered {
    /// The device.
    pub profile: DeviceProfile,
    /// How it will prove who it is.
    pub credential: DeclaredCredential,
    /// Its description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Operator's own JSON, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension_info: Option<String>,
}

impl From<v1::DevicePreRegistered> for DevicePreRegistered {
    fn from(written: v1::DevicePreRegistered) -> Self {
        let v1::DevicePreRegistered { profile, credential } = written;
        Self { profile, credential, description: None, extension_info: None }
    }
}
