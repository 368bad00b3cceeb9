//! One token of a subject, made of an id or of a user's name.
//!
//! Invariant: an id is one token. Ids hold only letters, digits, `_` and `-`; whatever else should ever come is
//! percent-encoded all the same, so that a wider alphabet tomorrow cannot become a wildcard.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rollcall_domain::ids::LogId;

/// What the fleet's own log is called where an instance's id would stand. No id can hold `~`.
pub(crate) const FLEET: &str = "~fleet";
/// What stays as it is in a token. `.`, `*`, `>` and blanks are not among it.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');

/// One token of a subject, whatever the text.
pub(crate) fn token(id: &str) -> String {
    utf8_percent_encode(id, ENCODED).to_string()
}

/// The token of a log.
pub(crate) fn log_token(log: &LogId) -> String {
    match log {
        LogId::Fleet => FLEET.to_owned(),
        LogId::Instance(id) => token(id.as_str()),
    }
}
