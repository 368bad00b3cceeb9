//! What is told of failed attempts to authenticate: a line at a source's first failure, then one a minute with a count.
//!
//! A flood of guesses fills no log, and a single one is seen. Does not write the lines and reads no clock: [`FailureLog::failed`]
//! and [`FailureLog::end_minute`] return them. Invariants: no line holds a secret, a token, or a name that does not exist, since
//! people type passwords into fields for names; no more than [`SOURCES_MAX`] sources are held.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rollcall_chassis::sources::SourceNetwork;

/// Sources that are told apart within a minute; failures of others are counted together.
const SOURCES_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Password,
    /// An attempt with a password before its delay was over.
    Delayed,
    /// The access key does not exist or is not enabled.
    AccessKey,
    Signature,
    SigningTime,
    Token,
    Session,
}

impl Failure {
    /// As logs and metrics have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Delayed => "delayed",
            Self::AccessKey => "access_key",
            Self::Signature => "signature",
            Self::SigningTime => "signing_time",
            Self::Token => "token",
            Self::Session => "session",
        }
    }
}

/// A line to be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// `None`: those that there was no room to tell apart.
    pub(crate) source: Option<SourceNetwork>,
    /// Since the source's line before this one.
    pub(crate) failures: u64,
    /// The last failure of them.
    pub(crate) last: Failure,
    /// The operator or access key that the last one named, if it exists.
    pub(crate) name: Option<String>,
}

#[derive(Default)]
pub(crate) struct FailureLog(Mutex<Held>);

#[derive(Default)]
struct Held {
    sources: HashMap<SourceNetwork, Untold>,
    others: Option<Untold>,
}

struct Untold {
    failures: u64,
    last: Failure,
    name: Option<String>,
}

impl FailureLog {
    /// Counts a failure. `name`: the operator or access key that was named, `None` unless it exists.
    pub(crate) fn failed(&self, source: SourceNetwork, failure: Failure, name: Option<&str>) -> Option<Line> {
        let name = name.map(str::to_owned);
        let mut held = self.lock();
        if let Some(untold) = held.sources.get_mut(&source) {
            *untold = Untold { failures: untold.failures.saturating_add(1), last: failure, name };
            return None;
        }
        if held.sources.len() >= SOURCES_MAX {
            let before = held.others.as_ref().map_or(0, |untold| untold.failures);
            held.others = Some(Untold { failures: before.saturating_add(1), last: failure, name });
            return None;
        }
        held.sources.insert(source, Untold { failures: 0, last: failure, name: None });
        Some(Line { source: Some(source), failures: 1, last: failure, name })
    }

    /// What has not been told yet. A source that did not fail in this minute is forgotten.
    pub(crate) fn end_minute(&self) -> Vec<Line> {
        let mut held = self.lock();
        held.sources.retain(|_, untold| untold.failures > 0);
        let mut lines: Vec<_> = held.sources.iter_mut().map(|(source, untold)| untold.told(Some(*source))).collect();
        lines.sort_by_key(|line| line.source);
        lines.extend(held.others.take().map(|mut untold| untold.told(None)));
        lines
    }

    /// A panic elsewhere leaves the counts consistent.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Untold {
    fn told(&mut self, source: Option<SourceNetwork>) -> Line {
        let failures = std::mem::take(&mut self.failures);
        Line { source, failures, last: self.last, name: self.name.take() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(n: u32) -> SourceNetwork {
        SourceNetwork::of(std::net::Ipv4Addr::from(0xc000_0200 + n).into())
    }

    #[test]
    fn the_first_failure_of_a_source_is_told_at_once_and_the_rest_once_a_minute_with_their_count() {
        let log = FailureLog::default();
        let first = log.failed(source(1), Failure::Password, Some("admin"));
        let line = |failures, last, name: Option<&str>| Line {
            source: Some(source(1)),
            failures,
            last,
            name: name.map(str::to_owned),
        };
        assert_eq!(first, Some(line(1, Failure::Password, Some("admin"))));
        for _ in 0..999 {
            assert_eq!(log.failed(source(1), Failure::Password, Some("admin")), None);
        }
        assert_eq!(log.failed(source(1), Failure::AccessKey, None), None);
        assert_eq!(log.end_minute(), [line(1000, Failure::AccessKey, None)]);
        assert_eq!(log.end_minute(), []);
        assert!(log.failed(source(1), Failure::Token, None).is_some(), "it was forgotten after a minute without");
    }

    #[test]
    fn sources_beyond_the_bound_are_counted_together() {
        let log = FailureLog::default();
        let told = (0..1000).filter(|n| log.failed(source(*n), Failure::Signature, None).is_some()).count();
        assert_eq!(told, SOURCES_MAX);
        let lines = log.end_minute();
        let rest = Line { source: None, failures: 1000 - SOURCES_MAX as u64, last: Failure::Signature, name: None };
        assert_eq!(lines, [rest]);
    }
}
