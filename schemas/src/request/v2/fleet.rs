//! What an operator asks of the fleet, version 2: how many devices an instance may hold can be said.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::v1::{self as event, Edition},
    request::v1,
};

/// An instance as an operator wants it: what a registrar rules on or draws itself is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceDraft {
    pub id: String,
    /// The DNS name that a device's SNI must carry.
    pub access_domain: String,
    pub edition: Edition,
    /// Its region, such as `cn-north-4`.
    pub region: String,
    /// The most live devices that it may hold; absent: as before, and of a new one what the registrar's configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices_max: Option<u64>,
}

/// Serve a new instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInstance {
    /// What it is to be.
    pub instance: InstanceDraft,
}

/// Change access domain, edition, region or how many devices it may hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateInstance {
    /// What it is to be.
    pub instance: InstanceDraft,
}

impl From<event::Instance> for InstanceDraft {
    fn from(written: event::Instance) -> Self {
        let event::Instance { id, access_domain, edition, region } = written;
        Self { id, access_domain, edition, region, devices_max: None }
    }
}

impl From<v1::CreateInstance> for CreateInstance {
    fn from(written: v1::CreateInstance) -> Self {
        Self { instance: written.instance.into() }
    }
}

impl From<v1::UpdateInstance> for UpdateInstance {
    fn from(written: v1::UpdateInstance) -> Self {
        Self { instance: written.instance.into() }
    }
}
