//! The registrar's configuration: plain data that touches nothing.

use rollcall_domain::fleet::{AvailabilityRules, Edition};
use serde::{Deserialize, Serialize};

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Live devices in one instance.
    pub devices_max: u64,
    /// Where self-registration is not available: any row that matches forbids. To be the same as the connectors'.
    pub unavailable: Vec<UnavailableRow>,
}

/// One row of the availability table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnavailableRow {
    /// Which edition.
    pub edition: EditionName,
    /// Which region; absent means every region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// An edition as it is written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EditionName {
    /// Shared.
    Basic,
    /// Logical multi-tenant.
    Standard,
    /// Dedicated.
    Enterprise,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            devices_max: 1_000_000,
            unavailable: vec![
                UnavailableRow { edition: EditionName::Basic, region: None },
                UnavailableRow { edition: EditionName::Standard, region: Some("cn-east-3".into()) },
            ],
        }
    }
}

impl Config {
    /// The availability table as the rules want it.
    pub fn availability(&self) -> AvailabilityRules {
        let rows = self.unavailable.iter().map(|row| (row.edition.into(), row.region.as_deref().map(Into::into)));
        AvailabilityRules { unavailable: rows.collect() }
    }
}

impl From<EditionName> for Edition {
    fn from(name: EditionName) -> Self {
        match name {
            EditionName::Basic => Self::Basic,
            EditionName::Standard => Self::Standard,
            EditionName::Enterprise => Self::Enterprise,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_table_is_the_services_own() {
        assert_eq!(Config::default().availability(), AvailabilityRules::default());
    }
}
