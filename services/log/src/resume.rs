//! Following and resuming: what every loop does that follows something and follows it again when that ends.
//!
//! The caller's loop follows from where it was, and puts between two tries what it ended with into [`Resume::pause`]: that
//! says a failure as often as [`Repeats`] lets it and waits, longer after each failure, until following has stood for a
//! while. Where to go on from is the caller's; see there what it keeps of it.
//!
//! ```
//! # use rollcall_log::{BackboneError, resume::Resume};
//! # async fn follow(position: &mut u64, resume: &mut Resume) -> Result<(), BackboneError> { Ok(()) }
//! # async fn run(seed: u64) {
//! let mut resume = Resume::new("reports of devices", "instance north", seed);
//! let mut position = 0;
//! loop {
//!     // Calls `resume.follows()` once it follows.
//!     let ended = follow(&mut position, &mut resume).await;
//!     resume.pause(ended).await;
//! }
//! # }
//! ```
//!
//! Delays are spread by a seed that differs between processes, so that they do not all come back at once after an outage;
//! nothing here draws randomness.

use std::{fmt, time::Duration};

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::repeats::Repeats;

/// The first delay after an end; it doubles with each that follows.
pub const DELAY_MIN: Duration = Duration::from_millis(250);
/// The longest delay, before it is spread; what has been followed for so long begins with [`DELAY_MIN`] again.
pub const DELAY_MAX: Duration = Duration::from_secs(5);
/// How far a delay is spread to either side, in parts of itself.
const SPREAD: u32 = 4;

/// How following one thing goes: what was said of it, and how long to wait before the next try.
#[derive(Debug)]
pub struct Resume {
    what: &'static str,
    of: String,
    told: Repeats,
    seed: u64,
    delay_max: Duration,
    /// Ends since following stood for a while.
    ends: u32,
    /// All ends: each has a spread of its own.
    ends_in_all: u64,
    follows_since: Option<Instant>,
}

impl Resume {
    /// `what` is followed `of` something; both are in the lines that it logs. `seed` is to differ between processes.
    pub fn new(what: &'static str, of: impl fmt::Display, seed: u64) -> Self {
        let (of, told) = (of.to_string(), Repeats::default());
        Self { what, of, told, seed, delay_max: DELAY_MAX, ends: 0, ends_in_all: 0, follows_since: None }
    }

    /// Waits no longer than this, before it is spread: where a longer delay would cost a caller its deadline.
    #[must_use]
    pub const fn at_most(mut self, delay_max: Duration) -> Self {
        self.delay_max = delay_max;
        self
    }

    /// It is followed, from now on or still. To be called when following has begun, and as often as the caller likes.
    pub fn follows(&mut self) {
        if self.follows_since.is_none() {
            self.follows_since = Some(Instant::now());
            if self.told.recovered() {
                tracing::info!(what = self.what, of = self.of, "followed again");
            }
        }
    }

    /// Following has ended: says why, if it failed and that is due, and waits before the next try.
    pub async fn pause<E: fmt::Display>(&mut self, ended: Result<(), E>) {
        if let Err(error) = ended
            && let Some(left_out) = self.told.failed(&error)
        {
            tracing::warn!(what = self.what, of = self.of, %error, left_out, "cannot be followed; trying again");
        }
        tokio::time::sleep(self.next_delay()).await;
    }

    fn next_delay(&mut self) -> Duration {
        if self.follows_since.take().is_some_and(|since| since.elapsed() >= DELAY_MAX) {
            self.ends = 0;
        }
        let delay = DELAY_MIN.saturating_mul(2_u32.saturating_pow(self.ends)).min(self.delay_max);
        (self.ends, self.ends_in_all) = (self.ends.saturating_add(1), self.ends_in_all.wrapping_add(1));
        spread(delay, self.seed, self.what, &self.of, self.ends_in_all)
    }
}

/// The delay, longer or shorter by at most a quarter: the same for the same seed, name and number. For delays of loops that
/// do not follow anything.
pub fn spread(delay: Duration, seed: u64, what: &str, of: &str, number: u64) -> Duration {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(number.to_be_bytes());
    hash.update(what.as_bytes());
    hash.update([0]);
    hash.update(of.as_bytes());
    let drawn = hash.finalize().iter().take(4).fold(0_u32, |drawn, byte| drawn << 8 | u32::from(*byte));
    let part = delay / SPREAD;
    delay - part + (part * 2).mul_f64(f64::from(drawn) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: Result<(), &str> = Err("the broker is away");

    fn resume(seed: u64) -> Resume {
        Resume::new("presence", "instance north", seed)
    }

    /// How long the pauses take, milliseconds.
    async fn pauses(resume: &mut Resume, count: usize) -> Vec<u128> {
        let mut pauses = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            resume.pause(DOWN).await;
            pauses.push(start.elapsed().as_millis());
        }
        pauses
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_outage_processes_do_not_all_come_back_at_once() {
        let (mut first, mut second) = (resume(1), resume(2));
        let (one, other) = (pauses(&mut first, 8).await, pauses(&mut second, 8).await);
        for (n, paused) in one.iter().chain(&other).enumerate() {
            let wanted = [250, 500, 1000, 2000, 4000, 5000, 5000, 5000][n % 8];
            assert!((wanted * 3 / 4..=wanted * 5 / 4 + 1).contains(paused), "{paused} ms is not round {wanted} ms");
        }
        assert!(one.iter().zip(&other).all(|(one, other)| one != other), "{one:?} {other:?}");
        assert_eq!(one, pauses(&mut resume(1), 8).await, "one seed gives one history");
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_has_been_followed_for_a_while_is_soon_followed_again() {
        let mut resume = resume(1);
        pauses(&mut resume, 6).await;
        resume.follows();
        assert!(pauses(&mut resume, 1).await[0] > 3000, "it ended at once");
        resume.follows();
        tokio::time::sleep(DELAY_MAX).await;
        resume.follows();
        assert!(pauses(&mut resume, 1).await[0] < 500, "it stood");
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_is_no_longer_than_its_caller_can_bear() {
        let mut resume = resume(1).at_most(Duration::from_millis(500));
        assert!(pauses(&mut resume, 6).await.iter().all(|paused| *paused <= 626));
    }
}
