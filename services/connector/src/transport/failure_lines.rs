//! Which failed handshakes get a line in the log: each source and kind of failure once a minute.
//!
//! Does not write the line, which stays where the reason is known. Invariant: at most [`REMEMBERED_MAX`] lines within
//! [`REPEAT`], whatever comes from wherever; what is left out is counted, and said with the next line.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rollcall_chassis::sources::SourceNetwork;
use tokio::time::Instant;

/// Sources with their kinds of failure that are remembered, and so the lines of one [`REPEAT`].
const REMEMBERED_MAX: usize = 1024;
/// After this long the same source gets a line for the same kind again.
const REPEAT: Duration = Duration::from_secs(60);

/// What has been said of failed handshakes.
#[derive(Default)]
pub(crate) struct FailureLines(Mutex<State>);

#[derive(Default)]
struct State {
    told: HashMap<(SourceNetwork, &'static str), Instant>,
    left_out: u64,
}

impl FailureLines {
    /// Whether a failure gets a line: `Some` with how many got none since the last.
    pub(crate) fn due(&self, source: IpAddr, kind: &'static str, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (SourceNetwork::of(source), kind);
        let is_recent = |told: &Instant| now.saturating_duration_since(*told) < REPEAT;
        if state.told.len() >= REMEMBERED_MAX {
            state.told.retain(|_, told| is_recent(told));
        }
        let full = state.told.len() >= REMEMBERED_MAX && !state.told.contains_key(&key);
        if full || state.told.get(&key).is_some_and(is_recent) {
            state.left_out += 1;
            return None;
        }
        state.told.insert(key, now);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_gets_one_line_a_minute_for_each_kind() {
        let (lines, source) = (FailureLines::default(), IpAddr::from([192, 0, 2, 1]));
        let start = Instant::now();
        assert_eq!(lines.due(source, "expired", start), Some(0));
        assert_eq!(lines.due(source, "expired", start + REPEAT / 2), None);
        assert_eq!(lines.due(source, "malformed", start + REPEAT / 2), Some(1));
        assert_eq!(lines.due(source, "expired", start + REPEAT), Some(0));
    }

    #[test]
    fn f26_more_sources_than_are_remembered_write_no_more_lines() {
        let (lines, start) = (FailureLines::default(), Instant::now());
        let source = |n: usize| IpAddr::from((n as u32).to_be_bytes());
        let told = (0..4 * REMEMBERED_MAX).filter(|n| lines.due(source(*n), "expired", start).is_some()).count();
        assert_eq!(told, REMEMBERED_MAX);
        let later = start + REPEAT;
        assert_eq!(lines.due(source(9 * REMEMBERED_MAX), "expired", later), Some(3 * REMEMBERED_MAX as u64));
    }
}
