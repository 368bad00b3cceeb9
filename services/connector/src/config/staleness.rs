//! How old the view of an instance may be, as configured for the connector and for single instances.

use std::{collections::BTreeMap, time::Duration};

use rollcall_domain::ids::InstanceId;

use super::instance_settings::{InstanceSettings, StaleSessions};

/// The rule of one instance, overrides applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StalenessRule {
    /// `None`: devices are accepted however old the view is.
    pub(crate) bound: Option<Duration>,
    pub(crate) sessions: StaleSessions,
}

impl StalenessRule {
    pub(crate) fn of(
        instance: &InstanceId,
        admission_s_max: u64,
        sessions: StaleSessions,
        overrides: &BTreeMap<String, InstanceSettings>,
    ) -> Self {
        let own = overrides.get(instance.as_str()).copied().unwrap_or_default();
        let seconds = own.stale_admission_s_max.unwrap_or(admission_s_max);
        Self { bound: (seconds > 0).then(|| Duration::from_secs(seconds)), sessions: own.stale_sessions.unwrap_or(sessions) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_may_have_a_bound_of_its_own_or_none() {
        let id = |text: &str| InstanceId::parse(text).unwrap();
        let own = |seconds, sessions| InstanceSettings {
            stale_admission_s_max: seconds,
            stale_sessions: sessions,
            ..InstanceSettings::default()
        };
        let overrides = BTreeMap::from([
            ("tight".to_owned(), own(Some(5), Some(StaleSessions::End))),
            ("loose".to_owned(), own(Some(0), None)),
        ]);
        let of = |name: &str| StalenessRule::of(&id(name), 60, StaleSessions::Stay, &overrides);
        assert_eq!(of("any"), StalenessRule { bound: Some(Duration::from_secs(60)), sessions: StaleSessions::Stay });
        assert_eq!(of("tight"), StalenessRule { bound: Some(Duration::from_secs(5)), sessions: StaleSessions::End });
        assert_eq!(of("loose"), StalenessRule { bound: None, sessions: StaleSessions::Stay });
        let none = StalenessRule::of(&id("any"), 0, StaleSessions::End, &BTreeMap::new());
        assert_eq!(none.bound, None);
    }
}
