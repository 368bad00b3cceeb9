//! Keeps what a decision looked at, for people to read later. Invariant: nothing of a certificate reaches a terminal or a
//! page unescaped, and no detail grows without bound.

use super::Check;
use crate::{limits, rejection::Rejection};

/// The checks made so far.
#[derive(Default)]
pub(super) struct Checks(Vec<Check>);

impl Checks {
    /// All of them, in the order made.
    pub(super) fn made(self) -> Vec<Check> {
        self.0
    }

    /// Makes one check and keeps how it came out. Details may quote certificates, so they are escaped and cut.
    pub(super) fn note<T>(
        &mut self,
        name: &'static str,
        check: impl FnOnce() -> Result<(T, String), Rejection>,
    ) -> Result<T, Rejection> {
        let (outcome, detail) = match check() {
            Ok((found, detail)) => (Ok(found), detail),
            Err(rejection) => {
                let detail = rejection.to_string();
                (Err(rejection), detail)
            }
        };
        self.keep(name, outcome.is_ok(), &detail);
        outcome
    }

    /// Keeps a check that was made elsewhere and decides nothing here.
    pub(super) fn keep(&mut self, name: &'static str, passed: bool, detail: &str) {
        let detail = detail.chars().take(limits::CHECK_DETAIL_CHARS_MAX).map(printable).collect();
        self.0.push(Check { name, passed, detail });
    }

    /// Adds checks that were kept elsewhere.
    pub(super) fn append(&mut self, mut made: Vec<Check>) {
        self.0.append(&mut made);
    }

    /// Whether a check of this name was made.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|check| check.name == name)
    }
}

/// What a terminal or a page would not show as it is becomes an escape.
fn printable(c: char) -> String {
    if c == ' ' || c.is_ascii_graphic() { c.to_string() } else { c.escape_debug().to_string() }
}
