//! What an operator asks about devices, version 2: a pre-registration carries all that may be said of a device.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::v1::{DeclaredCredential, DeviceProfile},
    request::v1,
};

/// Enter a device before it first connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreRegisterDevice {
    pub profile: DeviceProfile,
    /// How it will prove who it is.
    pub credential: DeclaredCredential,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Operator's own JSON, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension_info: Option<String>,
}

impl From<v1::PreRegisterDevice> for PreRegisterDevice {
    fn from(written: v1::PreRegisterDevice) -> Self {
        let v1::PreRegisterDevice { profile, credential } = written;
        Self { profile, credential, description: None, extension_info: None }
    }
}
