//! How long to wait before something that failed is tried again: longer each time, never the same for two processes.
//!
//! Without jitter everything that lost one broker would come back at one moment, and be refused together. [`Backoff`] is the
//! arithmetic, [`Retry`] counts and sleeps by it. Invariant: a delay lies between half of its attempt's ceiling and the whole
//! of it.

use std::{fmt, sync::Arc, time::Duration};

use crate::entropy::Entropy;

/// Delays that double from `min` to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The ceiling of the first delay.
    pub min: Duration,
    /// The ceiling that none exceeds.
    pub max: Duration,
}

impl Backoff {
    /// The delay after `failures` failures in a row. The first has `failures` 0.
    pub fn delay(&self, failures: u32, entropy: &dyn Entropy) -> Duration {
        let half = self.ceiling(failures) / 2;
        half + half.mul_f64(fraction(entropy))
    }

    /// The longest delay after so many failures.
    fn ceiling(&self, failures: u32) -> Duration {
        let doubled = 2_u32.checked_pow(failures).and_then(|times| self.min.checked_mul(times));
        doubled.map_or(self.max, |doubled| doubled.min(self.max))
    }
}

/// One thing that is tried until it succeeds.
pub struct Retry {
    backoff: Backoff,
    entropy: Arc<dyn Entropy>,
    /// Failures in a row.
    failures: u32,
}

impl Retry {
    /// Nothing has failed yet.
    pub fn new(backoff: Backoff, entropy: Arc<dyn Entropy>) -> Self {
        Self { backoff, entropy, failures: 0 }
    }

    /// It has failed: waits before the next try.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.failed()).await;
    }

    /// It has failed: how long to wait before the next try, for a caller that waits by itself.
    pub fn failed(&mut self) -> Duration {
        let delay = self.backoff.delay(self.failures, &*self.entropy);
        self.failures = self.failures.saturating_add(1);
        delay
    }

    /// It has succeeded: the next failure is a first one.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").field("backoff", &self.backoff).field("failures", &self.failures).finish_non_exhaustive()
    }
}

/// From 0 to less than 1.
fn fraction(entropy: &dyn Entropy) -> f64 {
    // The last 32 bits of a random UUID are random: version and variant stand before them.
    let [.., a, b, c, d] = entropy.uuid_v4().into_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::{CountingEntropy, SystemEntropy};

    const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(5) };

    #[test]
    fn ceilings_double_up_to_the_last_one() {
        let ceilings = [0, 1, 2, 5, 6, 31, 32, u32::MAX].map(|failures| BACKOFF.ceiling(failures).as_millis());
        assert_eq!(ceilings, [100, 200, 400, 3200, 5000, 5000, 5000, 5000]);
    }

    #[test]
    fn a_delay_is_at_least_half_of_its_ceiling_and_at_most_all_of_it() {
        for failures in 0..8 {
            let ceiling = BACKOFF.ceiling(failures);
            for _ in 0..100 {
                let delay = BACKOFF.delay(failures, &SystemEntropy);
                assert!((ceiling / 2..=ceiling).contains(&delay), "{delay:?} after {failures} failures");
            }
        }
    }

    #[test]
    fn delays_grow_with_failures_in_a_row_and_begin_anew_after_a_success() {
        let mut retry = Retry::new(BACKOFF, Arc::new(CountingEntropy::seeded(0)));
        let delays: Vec<_> = (0..3).map(|_| retry.failed().as_millis()).collect();
        retry.succeeded();
        assert_eq!((delays, retry.failed().as_millis()), (vec![50, 100, 200], 50));
    }

    #[test]
    fn one_seed_gives_one_delay_and_the_whole_range_is_used() {
        let delay = |seed: u64| BACKOFF.delay(0, &CountingEntropy::seeded(seed)).as_millis();
        assert_eq!((delay(0), delay(1 << 31), delay(u64::from(u32::MAX))), (50, 75, 100));
        assert_eq!(delay(7), delay(7));
    }
}
