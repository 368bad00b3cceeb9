//! The registrar's configuration: plain data that touches nothing.

use rollcall_backbone::{codec::AvailabilityTable, signing::PublicKey};
use rollcall_domain::fleet::AvailabilityRules;
use serde::{Deserialize, Serialize};

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Live devices in one instance.
    pub devices_max: u64,
    /// Public keys of the APIs whose commands are ruled on. None: every operator's command is refused.
    pub command_keys: Vec<PublicKey>,
    /// Where self-registration is not available: any row that matches forbids. To be the same as the connectors'.
    pub unavailable: AvailabilityTable,
}

impl Default for Config {
    fn default() -> Self {
        Self { devices_max: 1_000_000, command_keys: Vec::new(), unavailable: AvailabilityTable::default() }
    }
}

impl Config {
    /// The availability table as the rules want it.
    pub fn availability(&self) -> AvailabilityRules {
        self.unavailable.rules()
    }
}
