//! Waits for a state, with a bound. It never waits for a fixed time.

use std::time::{Duration, Instant};

/// How long a test waits for anything before it fails. Generous: the machines are shared; a passing test never waits it out.
pub const BOUND: Duration = Duration::from_secs(60);
/// How often a state is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Polls `look` until it says `Ok`; panics with the last `Err` after [`BOUND`].
///
/// # Panics
/// When the state does not come.
#[track_caller]
pub fn until<T, E: std::fmt::Display>(what: &str, look: impl FnMut() -> Result<T, E>) -> T {
    within(BOUND, what, look)
}

/// As [`until`], with a bound of its own.
///
/// # Panics
/// When the state does not come.
#[track_caller]
pub fn within<T, E: std::fmt::Display>(bound: Duration, what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
    let end = now() + bound;
    loop {
        match look() {
            Ok(found) => return found,
            Err(last) if now() >= end => panic!("waited {bound:?} for {what}; last seen: {last}"),
            Err(_) => std::thread::sleep(POLL),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's bound is in real time")]
fn now() -> Instant {
    Instant::now()
}
