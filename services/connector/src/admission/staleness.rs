//! Whether the view is fresh enough to admit by, and whether live sessions end when it is not.
//!
//! Without a bound known devices are admitted for as long as the centre is away. Invariant: a connection waits here
//! only for a view that is about to be fresher, and no longer than [`SETTLE`](rollcall_projection::freshness::SETTLE)
//! of running.

use rollcall_domain::{ids::LogId, refusal::Refusal};
use rollcall_projection::freshness::Freshness;

use crate::config::{instance_settings::StaleSessions, staleness::StalenessRule};

/// The rule of one instance, and the age of its view.
pub(crate) struct Staleness {
    rule: StalenessRule,
    freshness: Freshness,
    log: LogId,
}

impl Staleness {
    pub(crate) fn new(rule: StalenessRule, freshness: Freshness, log: LogId) -> Self {
        Self { rule, freshness, log }
    }

    /// Waits until the age of the view is known: at once, unless this process has just begun or was suspended.
    ///
    /// # Errors
    /// [`Refusal::RegistryUnavailable`]: the view is older than its bound.
    pub(crate) async fn check(&self) -> Result<(), Refusal> {
        self.freshness.settled(&self.log).await;
        if self.is_too_old() { Err(Refusal::RegistryUnavailable) } else { Ok(()) }
    }

    /// Whether live sessions are to end. A process that was suspended may be about to learn that it missed nothing, so
    /// this is `false` until the age is known.
    pub(crate) fn ends_sessions(&self) -> bool {
        self.rule.sessions == StaleSessions::End && self.is_too_old() && self.freshness.is_settled(&self.log)
    }

    fn is_too_old(&self) -> bool {
        let Some(bound) = self.rule.bound else { return false };
        self.freshness.of_log(&self.log).age.is_some_and(|age| age > bound)
    }
}
