//! Instances of the fleet, version 2: which of the instances of one id it is, and what holds of it wherever it is served.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::v1::{self, Edition};

/// One IoT platform instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    pub id: String,
    /// The DNS name that a device's SNI must carry; lower case.
    pub access_domain: String,
    pub edition: Edition,
    /// Its region, such as `cn-north-4`.
    pub region: String,
    /// Drawn at random when it was made and kept for as long as it exists: an instance that is deleted and made again
    /// under its old id is another. The nil UUID for an instance made by version 1.
    pub incarnation: Uuid,
    /// The most live devices that it may hold; absent after version 1: what the configuration of each process says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices_max: Option<u64>,
    /// Whether its edition and region allow self-registration, as ruled on when the record was written; absent after
    /// version 1: what the configuration of each process says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_registration_available: Option<bool>,
}

/// An instance is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceCreated {
    /// What it is.
    pub instance: Instance,
}

/// Something of it is different; its incarnation never is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceUpdated {
    /// What it is now.
    pub instance: Instance,
}

impl From<v1::Instance> for Instance {
    fn from(written: v1::Instance) -> Self {
        let v1::Instance { id, access_domain, edition, region } = written;
        let (devices_max, self_registration_available) = (None, None);
        Self { id, access_domain, edition, region, incarnation: Uuid::nil(), devices_max, self_registration_available }
    }
}

impl From<v1::InstanceCreated> for InstanceCreated {
    fn from(written: v1::InstanceCreated) -> Self {
        Self { instance: written.instance.into() }
    }
}

impl From<v1::InstanceUpdated> for InstanceUpdated {
    fn from(written: v1::InstanceUpdated) -> Self {
        Self { instance: written.instance.into() }
    }
}
