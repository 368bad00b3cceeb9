//! Delays attempts to log in after failures, by name and source together, longer after each.
//!
//! Who fails with a name delays that name for their own source alone: a name cannot be locked for its owner, who comes from
//! elsewhere. Existing names and invented ones are counted alike, but apart: invented ones cannot push out existing ones, and a
//! delayed name looks the same in either case. Does not decide what a failed attempt is; the caller does. Invariants: no more
//! than a named number of failures is held; a delay ends, and an attempt during one does not prolong it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rollcall_chassis::sources::SourceNetwork;
use rollcall_domain::time::Timestamp;

use crate::http::{codes::Code, error::ApiError};

/// Failures in a row before the first delay: people mistype.
const FREE_FAILURES: u32 = 5;
/// The first delay, ms; each failure after that doubles it.
const DELAY_MS_MIN: i64 = 1000;
/// The longest delay, ms: 288 guesses a day.
const DELAY_MS_MAX: i64 = 5 * 60 * 1000;
/// How long after the last failure those of a name and source are forgotten, ms.
const FORGOTTEN_MS: i64 = 60 * 60 * 1000;
/// Names and sources held, of existing names and of invented ones each; what failed longest ago is evicted.
const ENTRIES_MAX: usize = 16_384;
/// Characters of a name that are compared; no existing name is longer.
const NAME_CHARS_MAX: usize = 64;

#[derive(Default)]
pub(super) struct LoginThrottle {
    real: Delays,
    invented: Delays,
}

/// One attempt with one name from one source.
pub(super) struct Attempt<'a> {
    delays: &'a Delays,
    who: Who,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Who {
    name: String,
    source: SourceNetwork,
}

#[derive(Default)]
struct Delays(Mutex<HashMap<Who, Failures>>);

#[derive(Clone, Copy)]
struct Failures {
    in_a_row: u32,
    last_ms: i64,
}

impl LoginThrottle {
    pub(super) fn attempt(&self, name: &str, exists: bool, source: SourceNetwork) -> Attempt<'_> {
        let delays = if exists { &self.real } else { &self.invented };
        Attempt { delays, who: Who { name: name.chars().take(NAME_CHARS_MAX).collect(), source } }
    }
}

impl Attempt<'_> {
    /// To be called before the secret is compared: a delayed client learns nothing, not even whether the secret was right.
    ///
    /// # Errors
    /// [`Code::Delayed`], with the time until the next attempt.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), ApiError> {
        let failures = self.delays.lock().get(&self.who).copied();
        let until_ms = failures.map_or(i64::MIN, Failures::delayed_until_ms);
        let left_ms = until_ms.saturating_sub(now.unix_ms());
        if left_ms <= 0 {
            return Ok(());
        }
        let seconds = left_ms.unsigned_abs().div_ceil(1000);
        let text = format!("too many failures with this name from this address: the next attempt is due in {seconds} s");
        Err(ApiError::new(Code::Delayed, text).retry_after(seconds))
    }

    pub(super) fn failed(&self, now: Timestamp) {
        self.delays.failed(&self.who, now.unix_ms());
    }

    /// Forgets the failures.
    pub(super) fn succeeded(&self) {
        self.delays.lock().remove(&self.who);
    }
}

impl Failures {
    fn delayed_until_ms(self) -> i64 {
        let Some(doublings) = self.in_a_row.checked_sub(FREE_FAILURES) else { return i64::MIN };
        let factor = 1_i64.checked_shl(doublings).filter(|factor| *factor > 0).unwrap_or(i64::MAX);
        self.last_ms.saturating_add(DELAY_MS_MIN.saturating_mul(factor).min(DELAY_MS_MAX))
    }

    fn is_forgotten(self, now_ms: i64) -> bool {
        now_ms >= self.last_ms.saturating_add(FORGOTTEN_MS)
    }
}

impl Delays {
    fn failed(&self, who: &Who, now_ms: i64) {
        let mut held = self.lock();
        if let Some(failures) = held.get_mut(who) {
            let before = if failures.is_forgotten(now_ms) { 0 } else { failures.in_a_row };
            *failures = Failures { in_a_row: before.saturating_add(1), last_ms: now_ms };
            return;
        }
        if held.len() >= ENTRIES_MAX {
            held.retain(|_, failures| !failures.is_forgotten(now_ms));
        }
        if held.len() >= ENTRIES_MAX {
            let oldest = held.iter().min_by_key(|(_, failures)| failures.last_ms).map(|(who, _)| who.clone());
            oldest.and_then(|oldest| held.remove(&oldest));
        }
        held.insert(who.clone(), Failures { in_a_row: 1, last_ms: now_ms });
    }

    /// A panic elsewhere leaves the map consistent: each change is one insertion or removal.
    fn lock(&self) -> MutexGuard<'_, HashMap<Who, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> SourceNetwork {
        SourceNetwork::of(text.parse().unwrap())
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    fn retry_after(attempt: &Attempt<'_>, now_ms: i64) -> Option<u64> {
        let error = attempt.check(at(now_ms)).err()?;
        assert_eq!(error.code, Code::Delayed);
        error.retry_after_s
    }

    #[test]
    fn delays_double_up_to_five_minutes_and_are_forgotten_after_an_hour() {
        let throttle = LoginThrottle::default();
        let attempt = throttle.attempt("admin", true, source("192.0.2.1"));
        let (mut now_ms, mut delays_s) = (0, Vec::new());
        for _ in 0..16 {
            attempt.failed(at(now_ms));
            let delay_s = retry_after(&attempt, now_ms).unwrap_or(0);
            delays_s.push(delay_s);
            now_ms += 1000 * i64::try_from(delay_s).unwrap();
            assert_eq!(retry_after(&attempt, now_ms), None, "a delay ends");
        }
        assert_eq!(delays_s, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        attempt.failed(at(now_ms + FORGOTTEN_MS));
        assert_eq!(retry_after(&attempt, now_ms + FORGOTTEN_MS), None);
        for _ in 0..100 {
            attempt.failed(at(now_ms + FORGOTTEN_MS));
        }
        assert_eq!(retry_after(&attempt, now_ms + FORGOTTEN_MS), Some(300));
        attempt.succeeded();
        assert_eq!(retry_after(&attempt, now_ms + FORGOTTEN_MS), None);
    }

    #[test]
    fn f45_failures_of_one_source_delay_no_other() {
        let throttle = LoginThrottle::default();
        for (attacker, owner) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8:0:1::1")] {
            for name in ["admin", "nobody"] {
                let exists = name == "admin";
                let guess = throttle.attempt(name, exists, source(attacker));
                for _ in 0..1000 {
                    guess.failed(at(0));
                }
                assert_eq!(retry_after(&guess, 0), Some(300), "{name}");
                assert_eq!(retry_after(&throttle.attempt(name, exists, source(owner)), 0), None, "{name}");
                assert_eq!(retry_after(&throttle.attempt("anna", true, source(attacker)), 0), None);
            }
        }
        let same_network = throttle.attempt("admin", true, source("2001:db8::ffff:1"));
        assert_eq!(retry_after(&same_network, 0), Some(300));
    }

    #[test]
    fn invented_names_push_out_the_oldest_of_their_kind_only() {
        let throttle = LoginThrottle::default();
        let (real, invented) =
            (throttle.attempt("admin", true, source("192.0.2.1")), throttle.attempt("nobody", false, source("192.0.2.1")));
        for _ in 0..FREE_FAILURES {
            real.failed(at(0));
            invented.failed(at(0));
        }
        for n in 0..=ENTRIES_MAX {
            throttle.attempt(&format!("invented-{n}"), false, source("192.0.2.1")).failed(at(1));
        }
        assert_eq!((retry_after(&real, 1), retry_after(&invented, 1)), (Some(1), None));
        assert_eq!(throttle.invented.lock().len(), ENTRIES_MAX);
    }
}
