//! A rate limit of one connection, in messages or in bytes: a token bucket that may go into debt.
//!
//! A connection in debt is not read from until the debt is paid, which slows the device down without losing anything.

use std::time::Duration;

use tokio::time::Instant;

/// Seconds of tokens that a full bucket holds.
const BURST_S: f32 = 2.0;

/// Holds [`BURST_S`] seconds of tokens at first.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    per_s: f32,
    tokens: f32,
    at: Instant,
}

impl TokenBucket {
    pub(crate) fn per_s(per_s_max: u32, now: Instant) -> Self {
        let per_s = per_s_max.max(1) as f32;
        Self { per_s, tokens: per_s * BURST_S, at: now }
    }

    /// Takes tokens for what has been received, into debt if need be.
    pub(crate) fn spend(&mut self, amount: usize, now: Instant) {
        let earned = now.saturating_duration_since(self.at).as_secs_f32() * self.per_s;
        self.tokens = (self.tokens + earned).min(self.per_s * BURST_S) - amount as f32;
        self.at = now;
    }

    /// When the debt is paid, if that is after `now`.
    pub(crate) fn resumes_at(&self, now: Instant) -> Option<Instant> {
        let debt = (self.tokens < 0.0).then(|| self.at + Duration::from_secs_f32(-self.tokens / self.per_s));
        debt.filter(|at| now < *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_passes_and_a_debt_is_waited_for() {
        let now = Instant::now();
        let mut bucket = TokenBucket::per_s(50, now);
        (0..100).for_each(|_| bucket.spend(1, now));
        assert_eq!(bucket.resumes_at(now), None);
        bucket.spend(50, now);
        assert_eq!(bucket.resumes_at(now), Some(now + Duration::from_secs(1)));
        bucket.spend(1, now + Duration::from_secs(2));
        assert_eq!(bucket.resumes_at(now + Duration::from_secs(2)), None);
    }
}
