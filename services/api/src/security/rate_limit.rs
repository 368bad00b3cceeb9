//! Rate limits by caller, so that one of them leaves room for the others. A request above the rate is refused at once, with the
//! time until the next is due; nothing waits here.

use std::num::NonZeroU32;

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};

/// Keys held by one limiter before idle ones are forgotten; with as many busy ones every further key is refused.
pub(crate) const KEYS_MAX: usize = 65_536;

/// Above the rate: whole seconds until the next request is due. For `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests: the next is due in {seconds} s")]
pub(crate) struct RetryAfter {
    /// At least 1.
    pub(crate) seconds: u64,
}

/// A rate for each key: an access key, an operator, a source address.
pub(crate) struct RateLimit<C: Clock = DefaultClock> {
    limiter: RateLimiter<String, HashMapStateStore<String>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    keys_max: usize,
}

impl RateLimit {
    /// `rate` requests a second for each key, and `burst` at once by an idle one; at least one of each.
    pub(crate) fn per_second(rate: u32, burst: u32) -> Self {
        Self::with_clock(rate, burst, KEYS_MAX, DefaultClock::default())
    }
}

impl<C: Clock + Clone> RateLimit<C> {
    fn with_clock(rate: u32, burst: u32, keys_max: usize, clock: C) -> Self {
        let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(rate)).allow_burst(at_least_one(burst));
        Self { limiter: RateLimiter::new(quota, HashMapStateStore::default(), clock.clone()), clock, keys_max }
    }

    /// Counts a request of `key`.
    ///
    /// # Errors
    /// [`RetryAfter`]: it is above the rate, was not counted and is to be refused.
    pub(crate) fn check(&self, key: &str) -> Result<(), RetryAfter> {
        if self.limiter.len() >= self.keys_max {
            self.limiter.retain_recent();
            if self.limiter.len() >= self.keys_max {
                return Err(RetryAfter { seconds: 1 });
            }
        }
        self.limiter.check_key(&key.to_owned()).map_err(|until| {
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
        let pace = RateLimit::with_clock(1, 3, KEYS_MAX, clock.clone());
        let storm: Vec<_> = (0..4).map(|_| pace.check("storm")).collect();
        assert_eq!(storm, [Ok(()), Ok(()), Ok(()), Err(RetryAfter { seconds: 1 })]);
        assert_eq!(pace.check("other"), Ok(()));
        clock.advance(Duration::from_secs(1));
        assert_eq!(pace.check("storm"), Ok(()));
        assert_eq!(pace.check("storm"), Err(RetryAfter { seconds: 1 }));
    }

    #[test]
    fn quiet_keys_are_forgotten_when_there_are_too_many() {
        let clock = FakeRelativeClock::default();
        let pace = RateLimit::with_clock(1, 1, 4, clock.clone());
        for key in ["a", "b", "c", "d"] {
            assert_eq!(pace.check(key), Ok(()));
        }
        assert_eq!(pace.check("e"), Err(RetryAfter { seconds: 1 }), "four busy ones are all there is room for");
        clock.advance(Duration::from_secs(60));
        assert_eq!(pace.check("e"), Ok(()));
        assert!(pace.limiter.len() <= 4);
    }
}
