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
        let detail = detail.chars().take(limits::CHECK_DETAIL_CHARS_MAX).map(printable).collect();
        self.0.push(Check { name, passed: outcome.is_ok(), detail });
        outcome
    }
}

/// What a terminal or a page would not show as it is becomes an escape.
fn printable(c: char) -> String {
    if c == ' ' || c.is_ascii_graphic() { c.to_string() } else { c.escape_debug().to_string() }
}
