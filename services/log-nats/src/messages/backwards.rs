//! The latest messages of a stream, newest first. JetStream reads forward only: so windows of sequences are read, from the end
//! back, and the messages of each are turned round.
//!
//! A shard is shared, so a window may hold nothing of what is wanted, or too much to read for one page. It grows after one that
//! held little, and after one that held too much the next is half as far. Counting first, by the server's index, was considered:
//! a count and what it counts are not of one moment, and it costs as many requests.
//!
//! The alternative for one device, its last message up to a sequence, costs a request for each message. Invariants: a page takes at
//! most [`STEPS_MAX`] requests of at most [`STEP_MESSAGES_MAX`] messages, and what it has not reached the next one begins with;
//! nothing between two messages of a page is left out.

use std::sync::Arc;

use async_nats::jetstream::stream::Info;
use rollcall_log::{
    BackboneError,
    messages::{LatestMessages, MessagePosition},
};

use super::Wanted;
use crate::{
    connection::Connection,
    streams::direct::{self, LastMessage},
};

/// Requests for one page.
const STEPS_MAX: usize = 40;
/// Most messages of one request; a window that holds more is cut.
const STEP_MESSAGES_MAX: usize = 128;
/// Bytes after which the server ends the answer to one request.
const STEP_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How many times as wide the next window is, after one that held little.
const WIDER: u64 = 4;

/// A page on its way.
pub(super) struct Page {
    pub(super) latest: LatestMessages,
    max: usize,
}

impl Page {
    pub(super) fn new(max: usize) -> Self {
        Self { latest: LatestMessages::default(), max }
    }

    /// Adds what one stream holds before a position, or all. Sets where to go on, unless the stream's first message is reached.
    pub(super) async fn read(
        &mut self,
        connection: &Arc<Connection>,
        wanted: &Wanted,
        filter: &str,
        info: &Info,
        before: Option<MessagePosition>,
    ) -> Result<(), BackboneError> {
        let (first, end) = (info.state.first_sequence, info.state.last_sequence.saturating_add(1));
        let end = before.map_or(end, |before| before.sequence().min(end));
        let mut window = Window { first, end, width: self.max as u64, too_much_from: None };
        for _ in 0..STEPS_MAX {
            let Some(start) = window.start().filter(|_| !self.latest.is_full(self.max)) else { break };
            let stream = &info.config.name;
            let Some(found) = between(connection, (stream, filter), start, window.end).await? else {
                window.was_too_much(start);
                continue;
            };
            window.was_read(start);
            for held in found.into_iter().rev() {
                let sequence = held.sequence;
                self.take(wanted, held)?;
                if self.latest.is_full(self.max) {
                    window.end = sequence;
                    break;
                }
            }
        }
        self.latest.next = window.start().map(|_| wanted.position(window.end));
        Ok(())
    }

    fn take(&mut self, wanted: &Wanted, held: LastMessage) -> Result<(), BackboneError> {
        let (Some(stored_at_ns), Some(subject)) = (held.stored_at_ns(), held.subject()) else {
            let attempted = format!("reading message {} of stream {}", held.sequence, wanted.subjects.stream);
            let reason = "the server does not say when and where it was stored".to_owned();
            return Err(BackboneError::Unavailable { attempted, reason });
        };
        match wanted.read(held.sequence, stored_at_ns, (subject, &held.payload)) {
            Ok(message) => self.latest.messages.extend(message),
            // It has been said.
            Err(_) => self.latest.damaged += 1,
        }
        Ok(())
    }
}

/// What is still to be read, and how much of it at a time.
#[derive(Debug)]
struct Window {
    /// The first sequence that the stream has.
    first: u64,
    /// All from here on has been read.
    end: u64,
    /// How many sequences to try for.
    width: u64,
    /// From here to `end` there is too much for one step.
    too_much_from: Option<u64>,
}

impl Window {
    /// Where the next window begins; `None`: all has been read.
    fn start(&self) -> Option<u64> {
        if self.end <= self.first {
            return None;
        }
        let wide = self.end.saturating_sub(self.width.max(1)).max(self.first);
        let half = self.too_much_from.map(|from| from + (self.end - from).div_ceil(2));
        Some(half.map_or(wide, |half| half.max(wide)).min(self.end - 1))
    }

    fn was_too_much(&mut self, start: u64) {
        self.too_much_from = Some(start);
    }

    fn was_read(&mut self, start: u64) {
        self.end = start;
        if self.too_much_from.is_some_and(|from| from + 1 >= start) {
            self.too_much_from = None;
        } else if self.too_much_from.is_none() {
            self.width = self.width.max(1).saturating_mul(WIDER);
        }
    }
}

/// The messages from `start` to before `end`; `None`: there are more than one step takes.
async fn between(
    connection: &Connection,
    of: (&str, &str),
    start: u64,
    end: u64,
) -> Result<Option<Vec<LastMessage>>, BackboneError> {
    let sequences = usize::try_from(end - start).unwrap_or(usize::MAX);
    let mut found = direct::from(connection, of, start, sequences.min(STEP_MESSAGES_MAX), STEP_BYTES_MAX).await?;
    let reached = found.last().is_none_or(|last| last.sequence + 1 >= end || last.pending() == Some(0));
    found.retain(|held| held.sequence < end);
    Ok(reached.then_some(found))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a stream in which these sequences match; how many steps that took.
    fn read(matching: &[u64], first: u64, end: u64, page: u64) -> (Vec<u64>, usize) {
        let mut window = Window { first, end, width: page, too_much_from: None };
        let (mut found, mut steps) = (Vec::new(), 0);
        while let Some(start) = window.start() {
            steps += 1;
            assert!(start < window.end && steps < 10_000, "{window:?}");
            let held: Vec<u64> = matching.iter().copied().filter(|n| (start..window.end).contains(n)).collect();
            if held.len() > STEP_MESSAGES_MAX {
                window.was_too_much(start);
            } else {
                window.was_read(start);
                found.extend(held.into_iter().rev());
            }
        }
        (found, steps)
    }

    proptest! {
        #[test]
        fn windows_leave_nothing_out(matching in prop::collection::btree_set(1_u64..5000, 0..1000), page in 0_u64..100) {
            let matching: Vec<u64> = matching.into_iter().collect();
            let expected: Vec<u64> = matching.iter().rev().copied().collect();
            prop_assert_eq!(read(&matching, 1, 5000, page).0, expected);
        }
    }

    #[test]
    fn a_device_that_has_been_quiet_for_a_million_messages_is_found_within_one_page() {
        let (found, steps) = read(&[1], 1, 1_000_001, 10);
        assert_eq!(found, [1]);
        assert!(steps < STEPS_MAX, "{steps}");
        // Long ago it was busy.
        let busy: Vec<u64> = (100_000..200_000).collect();
        let mut window = Window { first: 1, end: 1_000_001, width: 10, too_much_from: None };
        for step in 0.. {
            assert!(step < STEPS_MAX, "{window:?}");
            let start = window.start().expect("the busy time is not reached yet");
            let held = busy.iter().filter(|n| (start..window.end).contains(n)).count();
            if held > STEP_MESSAGES_MAX {
                window.was_too_much(start);
            } else if held > 0 {
                break;
            } else {
                window.was_read(start);
            }
        }
    }
}
