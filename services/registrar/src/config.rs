//! The registrar's configuration: plain data that touches nothing.

use rollcall_domain::fleet::AvailabilityRules;
use rollcall_log::{codec::AvailabilityTable, signing::PublicKey};
use serde::{Deserialize, Serialize};

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Live devices in one instance for which no other figure is asked. It is recorded with the instance, and holds by
    /// itself only for instances whose record says nothing, which version 1 wrote.
    pub devices_max: u64,
    /// Public keys of the APIs whose commands are ruled on. None: every operator's command is refused.
    pub command_keys: Vec<PublicKey>,
    /// Where self-registration is not available: any row that matches forbids. What it says of an instance is recorded
    /// with every record of the instance; by itself it holds only for instances whose record says nothing.
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
