//! Where self-registration is not available, as configuration files write it: the same rows for connectors and registrars.

use rollcall_domain::fleet::AvailabilityRules;
use serde::{Deserialize, Serialize};

use rollcall_schemas::event::latest as wire;

use super::part;

/// The table: any row that matches an instance forbids. Its default is the service's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AvailabilityTable(Vec<Row>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    edition: wire::Edition,
    /// Absent means every region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
}

impl AvailabilityTable {
    /// The table as the rules want it.
    pub fn rules(&self) -> AvailabilityRules {
        let row = |row: &Row| (part::edition_from_wire(row.edition), row.region.as_deref().map(Into::into));
        AvailabilityRules { unavailable: self.0.iter().map(row).collect() }
    }
}

impl Default for AvailabilityTable {
    fn default() -> Self {
        let row = |(edition, region): &(_, Option<Box<str>>)| Row {
            edition: part::edition_to_wire(*edition),
            region: region.as_deref().map(Into::into),
        };
        Self(AvailabilityRules::default().unavailable.iter().map(row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_table_is_the_services_own() {
        assert_eq!(AvailabilityTable::default().rules(), AvailabilityRules::default());
    }

    #[test]
    fn a_table_is_written_as_rows_of_edition_and_region() {
        let text = r#"[{"edition":"basic"},{"edition":"standard","region":"cn-east-3"}]"#;
        assert_eq!(serde_json::to_string(&AvailabilityTable::default()).unwrap(), text);
        assert_eq!(serde_json::from_str::<AvailabilityTable>(text).unwrap(), AvailabilityTable::default());
        assert!(serde_json::from_str::<AvailabilityTable>(r#"[{"edition":"gold"}]"#).is_err());
    }
}
