//! How old a view may be for letting devices in, and what becomes of live sessions beyond that.
//!
//! Without a bound known devices get in for as long as the centre is away. Invariant: who waits here waits for a view that
//! is about to be fresher, and no longer than [`SETTLE`](rollcall_projection::freshness::SETTLE) of running.

use std::{collections::BTreeMap, time::Duration};

use rollcall_domain::{ids::InstanceId, refusal::Refusal};
use serde::{Deserialize, Serialize};

use crate::instance::Instance;

/// What becomes of live sessions when the view is older than its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StaleSessions {
    /// They go on.
    #[default]
    Stay,
    /// They are closed.
    End,
}

/// What is configured for one instance in the place of what holds for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InstanceStaleness {
    /// As the connector's; absent: the connector's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_admission_s_max: Option<u64>,
    /// As the connector's; absent: the connector's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_sessions: Option<StaleSessions>,
}

/// What holds for one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Staleness {
    /// `None`: devices are let in however old the view is.
    bound: Option<Duration>,
    sessions: StaleSessions,
}

impl Staleness {
    pub(crate) fn of(
        instance: &InstanceId,
        admission_s_max: u64,
        sessions: StaleSessions,
        overrides: &BTreeMap<String, InstanceStaleness>,
    ) -> Self {
        let own = overrides.get(instance.as_str()).copied().unwrap_or_default();
        let seconds = own.stale_admission_s_max.unwrap_or(admission_s_max);
        Self { bound: (seconds > 0).then(|| Duration::from_secs(seconds)), sessions: own.stale_sessions.unwrap_or(sessions) }
    }
}

/// Waits until the view may be judged by: at once, unless this process has just begun or was suspended.
///
/// # Errors
/// [`Refusal::RegistryUnavailable`]: the view is older than its bound.
pub(crate) async fn settle(instance: &Instance) -> Result<(), Refusal> {
    instance.freshness.settled(&instance.log).await;
    if is_too_old(instance) { Err(Refusal::RegistryUnavailable) } else { Ok(()) }
}

/// Ends live sessions if that is what the settings want of a view this old.
pub(crate) fn sweep(instance: &Instance) {
    if instance.staleness.sessions == StaleSessions::End
        && is_too_old(instance)
        // A process that was suspended may be about to learn that nothing was missed.
        && instance.freshness.is_settled(&instance.log)
        && instance.sessions.count() > 0
    {
        tracing::warn!(instance = %instance.id, "the view is older than stale_admission_s_max: ending its sessions");
        instance.close_all(&Refusal::RegistryUnavailable);
    }
}

fn is_too_old(instance: &Instance) -> bool {
    let Some(bound) = instance.staleness.bound else { return false };
    instance.freshness.of_log(&instance.log).age.is_some_and(|age| age > bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_may_have_a_bound_of_its_own_or_none() {
        let id = |text: &str| InstanceId::parse(text).unwrap();
        let own = |seconds, sessions| InstanceStaleness { stale_admission_s_max: seconds, stale_sessions: sessions };
        let overrides = BTreeMap::from([
            ("tight".to_owned(), own(Some(5), Some(StaleSessions::End))),
            ("loose".to_owned(), own(Some(0), None)),
        ]);
        let of = |name: &str| Staleness::of(&id(name), 60, StaleSessions::Stay, &overrides);
        assert_eq!(of("any"), Staleness { bound: Some(Duration::from_secs(60)), sessions: StaleSessions::Stay });
        assert_eq!(of("tight"), Staleness { bound: Some(Duration::from_secs(5)), sessions: StaleSessions::End });
        assert_eq!(of("loose"), Staleness { bound: None, sessions: StaleSessions::Stay });
        let none = Staleness::of(&id("any"), 0, StaleSessions::End, &BTreeMap::new());
        assert_eq!(none.bound, None);
    }
}
