//! A rate for each key: what one caller, source or CA certificate may do in a second, so that the others have room.
//!
//! What exceeds it is refused at once, with when to come again; nothing waits here. Invariant: no more than [`KEYS_MAX`] keys
//! are held, however many come. Those that have been quiet are forgotten; while as many are busy, new ones are refused.

use std::{hash::Hash, num::NonZeroU32};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};

/// Keys that one limit holds.
pub const KEYS_MAX: usize = 65_536;

/// Too many: how long to stay away. For `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests: the next is due in {seconds} s")]
pub struct RetryAfter {
    /// Whole seconds, at least 1.
    pub seconds: u64,
}

/// A token bucket for each key.
pub struct RateLimit<K: Hash + Eq + Clone, C: Clock = DefaultClock> {
    limiter: RateLimiter<K, HashMapStateStore<K>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    keys_max: usize,
}

impl<K: Hash + Eq + Clone> RateLimit<K> {
    /// `rate` a second for each key, and `burst` at once by one that has been quiet; at least one of each.
    pub fn per_second(rate: u32, burst: u32) -> Self {
        Self::with_clock(rate, burst, KEYS_MAX, DefaultClock::default())
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> RateLimit<K, C> {
    fn with_clock(rate: u32, burst: u32, keys_max: usize, clock: C) -> Self {
        let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(rate)).allow_burst(at_least_one(burst));
        Self { limiter: RateLimiter::new(quota, HashMapStateStore::default(), clock.clone()), clock, keys_max }
    }

    /// Counts one for `key`.
    ///
    /// # Errors
    /// [`RetryAfter`]: it does not count, and is to be refused.
    pub fn check(&self, key: &K) -> Result<(), RetryAfter> {
        if self.limiter.len() >= self.keys_max {
            self.limiter.retain_recent();
            if self.limiter.len() >= self.keys_max {
                return Err(RetryAfter { seconds: 1 });
            }
        }
        self.limiter.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            RetryAfter { seconds: wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1) }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn a_burst_passes_the_rest_is_told_when_and_another_key_has_its_own() {
        let clock = FakeRelativeClock::default();
        let limit = RateLimit::with_clock(1, 3, KEYS_MAX, clock.clone());
        let storm: Vec<_> = (0..4).map(|_| limit.check(&"storm")).collect();
        assert_eq!(storm, [Ok(()), Ok(()), Ok(()), Err(RetryAfter { seconds: 1 })]);
        assert_eq!(limit.check(&"other"), Ok(()));
        clock.advance(Duration::from_secs(1));
        assert_eq!(limit.check(&"storm"), Ok(()));
        assert_eq!(limit.check(&"storm"), Err(RetryAfter { seconds: 1 }));
    }

    #[test]
    fn quiet_keys_are_forgotten_when_there_are_too_many() {
        let clock = FakeRelativeClock::default();
        let limit = RateLimit::with_clock(1, 1, 4, clock.clone());
        for key in 0..4 {
            assert_eq!(limit.check(&key), Ok(()));
        }
        assert_eq!(limit.check(&4), Err(RetryAfter { seconds: 1 }), "four busy ones are all there is room for");
        clock.advance(Duration::from_secs(60));
        assert_eq!(limit.check(&4), Ok(()));
        assert!(limit.limiter.len() <= 4);
    }
}
