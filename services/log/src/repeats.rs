//! How often a loop that tries again says that it fails: at once, then less and less, and once when it is over.
//!
//! Does not write the lines, which stay where they are logged, and does not time the tries: see `resume`.
//! Here, in the lowest crate that has loops: every service and the views may name the backbone, and it may not name the
//! chassis. Invariant: however often a loop fails, and however often it recovers in between, it logs no more than
//! [`FAILURES_MAX`] failures and as many recoveries within the first of [`INTERVALS`].

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// At least so long after the first line about a failure, the second, and every later one the next may follow.
pub const INTERVALS: [Duration; 3] = [Duration::from_secs(60), Duration::from_secs(10 * 60), Duration::from_secs(60 * 60)];
/// Failures of one loop that are told apart by their text; what comes beyond them counts as the last of them.
pub const FAILURES_MAX: usize = 4;

/// What one loop has said of its failures. Of each loop there is one, kept for as long as what it works on: a new one at
/// each try would tell each try.
#[derive(Debug, Default)]
pub struct Repeats(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    told: Vec<Told>,
    /// Whether the last line that was due said that it fails.
    said_to_fail: bool,
    /// Since when it has not failed any more.
    well_since: Option<Instant>,
}

#[derive(Debug)]
struct Told {
    failure: String,
    at: Instant,
    /// How long after `at` it is due again.
    again: Duration,
    left_out: u64,
}

impl Repeats {
    /// Something failed. Whoever gets `Some` logs it, with how often the same failure was left out since it was logged
    /// last. A failure that has not been met since the loop was well for the first of [`INTERVALS`] is logged at once.
    pub fn failed(&self, failure: impl fmt::Display) -> Option<u64> {
        let (now, failure) = (Instant::now(), failure.to_string());
        let mut state = self.state();
        if state.well_since.take().is_some_and(|since| now.saturating_duration_since(since) >= INTERVALS[0]) {
            state.told.clear();
        }
        let left_out = state.due(failure, now);
        state.said_to_fail |= left_out.is_some();
        left_out
    }

    /// It does not fail any more. Whoever gets `true` logs that; it is told once, and only if a failure was.
    pub fn recovered(&self) -> bool {
        let mut state = self.state();
        if state.told.is_empty() || state.well_since.is_some() {
            return false;
        }
        state.well_since = Some(Instant::now());
        std::mem::take(&mut state.said_to_fail)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic leaves behind tells a line too many at worst.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn due(&mut self, failure: String, now: Instant) -> Option<u64> {
        let known = self.told.iter().position(|told| told.failure == failure);
        let known = known.or_else(|| (self.told.len() == FAILURES_MAX).then_some(FAILURES_MAX - 1));
        let Some(told) = known.and_then(|known| self.told.get_mut(known)) else {
            self.told.push(Told { failure, at: now, again: INTERVALS[0], left_out: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(told.at) < told.again {
            told.left_out += 1;
            return None;
        }
        let longer = INTERVALS.iter().find(|interval| **interval > told.again);
        (told.at, told.again) = (now, longer.copied().unwrap_or(told.again));
        Some(std::mem::take(&mut told.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGAIN: Duration = Duration::from_millis(500);

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told_at_once_and_then_at_growing_intervals_with_what_was_left_out() {
        let (repeats, start) = (Repeats::default(), Instant::now());
        let mut told = Vec::new();
        while start.elapsed() <= Duration::from_secs(3 * 60 * 60) {
            if let Some(left_out) = repeats.failed("the broker is away") {
                told.push((start.elapsed().as_secs(), left_out));
            }
            tokio::time::sleep(AGAIN).await;
        }
        assert_eq!(told, [(0, 0), (60, 119), (660, 1199), (4260, 7199), (7860, 7199)]);
        assert!(repeats.recovered());
        assert!(!repeats.recovered(), "told once");
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_alternates_or_never_says_the_same_is_told_no_more_often() {
        let (alternating, numbered, flapping) = (Repeats::default(), Repeats::default(), Repeats::default());
        let (mut failures, mut numbers, mut lines) = (0, 0, 0);
        for n in 0..100 {
            failures += usize::from(alternating.failed(if n % 2 == 0 { "away" } else { "full" }).is_some());
            numbers += usize::from(numbered.failed(format_args!("message {n} cannot be read")).is_some());
            lines += usize::from(flapping.failed("away").is_some()) + usize::from(flapping.recovered());
            tokio::time::sleep(AGAIN).await;
        }
        assert_eq!((failures, numbers, lines), (2, FAILURES_MAX, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_well_for_a_while_begins_anew() {
        let repeats = Repeats::default();
        assert!(!repeats.recovered(), "nothing was told");
        assert_eq!(repeats.failed("away"), Some(0));
        assert!(repeats.recovered());
        tokio::time::sleep(INTERVALS[0] / 2).await;
        assert_eq!(repeats.failed("away"), None);
        assert!(!repeats.recovered(), "the last line said that it is over");
        tokio::time::sleep(INTERVALS[0]).await;
        assert_eq!(repeats.failed("away"), Some(0));
        assert!(repeats.recovered());
    }
}
