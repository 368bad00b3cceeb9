//! How the v5 API and its devices write times: `yyyyMMdd'T'HHmmss'Z'` for most, RFC 3339 with milliseconds for a few. All UTC.

use rollcall_domain::time::Timestamp;
use time::{OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};

const BASIC: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");
const BASIC_MS: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second].[subsecond digits:3]Z");
const EXTENDED: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const EXTENDED_MS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Writes a time as `20151212T121212Z`.
pub fn basic(at: Timestamp) -> String {
    format(at, BASIC)
}

/// Writes a time as `2015-12-12T12:12:12.345Z`.
pub fn with_milliseconds(at: Timestamp) -> String {
    format(at, EXTENDED_MS)
}

fn format(at: Timestamp, format: &[BorrowedFormatItem<'_>]) -> String {
    let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.unix_ms()) * 1_000_000);
    // A year of more than four digits has no form here.
    instant.ok().and_then(|instant| instant.format(format).ok()).unwrap_or_else(|| at.to_string())
}

/// Reads `20151212T121212Z`, as callers write times. `None`: it is in another form.
pub fn parse_basic(text: &str) -> Option<Timestamp> {
    parse(text, &[BASIC])
}

/// Reads a time in any of the four forms that devices write: basic or extended, with or without milliseconds.
pub fn parse_any(text: &str) -> Option<Timestamp> {
    parse(text, &[BASIC, BASIC_MS, EXTENDED, EXTENDED_MS])
}

fn parse(text: &str, formats: &[&[BorrowedFormatItem<'_>]]) -> Option<Timestamp> {
    let instant = formats.iter().find_map(|format| PrimitiveDateTime::parse(text, *format).ok())?.assume_utc();
    Some(Timestamp::from_unix_ms(i64::try_from(instant.unix_timestamp_nanos() / 1_000_000).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_service_writes_them() {
        let at = Timestamp::from_unix_ms(1_449_922_332_345);
        assert_eq!(basic(at), "20151212T121212Z");
        assert_eq!(with_milliseconds(at), "2015-12-12T12:12:12.345Z");
        assert_eq!(parse_basic("20151212T121212Z"), Some(Timestamp::from_unix_s(1_449_922_332)));
        for wrong in ["", "2015-12-12T12:12:12Z", "20151312T121212Z", "20151212T121212"] {
            assert_eq!(parse_basic(wrong), None, "{wrong}");
        }
    }
}
