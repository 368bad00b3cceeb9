//! Locks a name out after failed attempts, without telling which names exist.
//!
//! Existing names and invented ones are counted alike, but apart: invented ones cannot push out existing ones, and a locked name
//! looks the same in either case. Does not decide what a failed attempt is; the caller does.

mod lockout;

use rollcall_domain::time::Timestamp;

use self::lockout::Lockout;
use crate::http::{codes::Code, error::ApiError};

/// Characters of a name that are compared; no existing name is longer.
const NAME_CHARS_MAX: usize = 64;

/// Failures by name.
#[derive(Default)]
pub(super) struct LoginThrottle {
    real: Lockout,
    invented: Lockout,
}

/// One attempt with one name.
pub(super) struct Attempt<'a> {
    lockout: &'a Lockout,
    name: String,
}

impl LoginThrottle {
    /// An attempt with `name`.
    pub(super) fn attempt(&self, name: &str, exists: bool) -> Attempt<'_> {
        let lockout = if exists { &self.real } else { &self.invented };
        Attempt { lockout, name: name.chars().take(NAME_CHARS_MAX).collect() }
    }
}

impl Attempt<'_> {
    /// To be called before the secret is compared.
    ///
    /// # Errors
    /// [`Code::Locked`], with the time until the lock ends.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), ApiError> {
        self.lockout.check(&self.name, now.unix_ms()).map_err(|until| {
            let left_ms = u64::try_from(until.unix_ms.saturating_sub(now.unix_ms())).unwrap_or(0);
            ApiError::new(Code::Locked, until.to_string()).retry_after(left_ms.div_ceil(1000).max(1))
        })
    }

    pub(super) fn failed(&self, now: Timestamp) {
        self.lockout.failed(&self.name, now.unix_ms());
    }

    pub(super) fn succeeded(&self) {
        self.lockout.succeeded(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::login_throttle::lockout::{FAILURES_MAX, NAMES_MAX};

    #[test]
    fn real_and_invented_names_lock_alike_and_neither_pushes_out_the_other() {
        let throttle = LoginThrottle::default();
        let now = Timestamp::from_unix_ms(1_000);
        for (name, exists) in [("admin", true), ("nobody", false)] {
            let attempt = throttle.attempt(name, exists);
            for _ in 0..FAILURES_MAX {
                assert_eq!(attempt.check(now), Ok(()), "{name}");
                attempt.failed(now);
            }
            let error = attempt.check(now).unwrap_err();
            assert_eq!((error.code, error.retry_after_s), (Code::Locked, Some(300)), "{name}");
        }
        for n in 0..=NAMES_MAX {
            throttle.attempt(&format!("invented-{n}"), false).failed(Timestamp::from_unix_ms(2_000));
        }
        assert!(throttle.attempt("admin", true).check(now).is_err());
    }
}
