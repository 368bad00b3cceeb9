//! Locks a name after failures in a row, so that a secret cannot be guessed by trying.
//!
//! Does not decide which names count. Invariant: a name is locked for a while and never for good, and no more than a named number
//! of names is held.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Failures in a row that lock a name.
pub(super) const FAILURES_MAX: u32 = 5;
/// The length of a lock, ms.
pub(super) const LOCKED_MS: i64 = 5 * 60 * 1000;
/// Names held; the name that failed longest ago is evicted.
pub(super) const NAMES_MAX: usize = 4096;

/// The name is locked, whatever comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("locked after {FAILURES_MAX} failures in a row")]
pub(super) struct LockedUntil {
    /// Milliseconds since the Unix epoch.
    pub(super) unix_ms: i64,
}

/// Counts failures by name.
#[derive(Default)]
pub(super) struct Lockout {
    names: Mutex<HashMap<String, Failures>>,
}

#[derive(Clone, Copy)]
struct Failures {
    in_a_row: u32,
    last_ms: i64,
}

impl Failures {
    fn locked_until_ms(self) -> Option<i64> {
        (self.in_a_row >= FAILURES_MAX).then(|| self.last_ms.saturating_add(LOCKED_MS))
    }
}

impl Lockout {
    /// Whether `name` may be tried at `now_ms`, milliseconds since the Unix epoch. To be called before its secret is
    /// compared: a locked caller learns nothing, not even whether the secret was right.
    ///
    /// # Errors
    /// [`LockedUntil`].
    pub(super) fn check(&self, name: &str, now_ms: i64) -> Result<(), LockedUntil> {
        match self.lock().get(name).and_then(|failures| failures.locked_until_ms()) {
            Some(unix_ms) if now_ms < unix_ms => Err(LockedUntil { unix_ms }),
            _ => Ok(()),
        }
    }

    /// Counts a failure. A name whose lock has ended starts anew; a failure does not prolong a lock.
    pub(super) fn failed(&self, name: &str, now_ms: i64) {
        let mut names = self.lock();
        if let Some(failures) = names.get_mut(name) {
            match failures.locked_until_ms() {
                Some(until_ms) if now_ms < until_ms => return,
                Some(_) => *failures = Failures { in_a_row: 1, last_ms: now_ms },
                None => *failures = Failures { in_a_row: failures.in_a_row + 1, last_ms: now_ms },
            }
            return;
        }
        if names.len() >= NAMES_MAX {
            let oldest = names.iter().min_by_key(|(_, failures)| failures.last_ms).map(|(name, _)| name.clone());
            names.remove(&oldest.unwrap_or_default());
        }
        names.insert(name.to_owned(), Failures { in_a_row: 1, last_ms: now_ms });
    }

    /// Forgets the failures of a name.
    pub(super) fn succeeded(&self, name: &str) {
        self.lock().remove(name);
    }

    /// A panic elsewhere leaves the map consistent: each change is one insertion or removal.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Failures>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(lockout: &Lockout, name: &str, times: u32, now_ms: i64) {
        (0..times).for_each(|_| lockout.failed(name, now_ms));
    }

    #[test]
    fn five_failures_in_a_row_lock_for_five_minutes() {
        let lockout = Lockout::default();
        fail(&lockout, "key", 4, 1_000);
        assert_eq!(lockout.check("key", 1_000), Ok(()));
        fail(&lockout, "key", 1, 2_000);
        let locked = Err(LockedUntil { unix_ms: 302_000 });
        assert_eq!(lockout.check("key", 2_000), locked);
        assert_eq!(lockout.check("other", 2_000), Ok(()));
        fail(&lockout, "key", 9, 3_000);
        assert_eq!(lockout.check("key", 301_999), locked, "trying on does not lock it for longer");
        assert_eq!(lockout.check("key", 302_000), Ok(()));
    }

    #[test]
    fn after_the_lock_five_more_are_needed() {
        let lockout = Lockout::default();
        fail(&lockout, "key", 5, 0);
        fail(&lockout, "key", 4, LOCKED_MS);
        assert_eq!(lockout.check("key", LOCKED_MS), Ok(()));
        fail(&lockout, "key", 1, LOCKED_MS);
        assert_eq!(lockout.check("key", LOCKED_MS), Err(LockedUntil { unix_ms: 2 * LOCKED_MS }));
    }

    #[test]
    fn a_success_forgets_what_failed_before_it() {
        let lockout = Lockout::default();
        for _ in 0..10 {
            fail(&lockout, "key", 4, 0);
            lockout.succeeded("key");
        }
        assert_eq!(lockout.check("key", 0), Ok(()));
    }

    #[test]
    fn the_oldest_name_makes_room() {
        let lockout = Lockout::default();
        fail(&lockout, "oldest", 5, 0);
        for n in 1..=NAMES_MAX {
            lockout.failed(&n.to_string(), 1);
        }
        assert_eq!(lockout.check("oldest", 1), Ok(()));
        assert_eq!(lockout.lock().len(), NAMES_MAX);
    }
}
