//! How the v5 API writes times: `yyyyMMdd'T'HHmmss'Z'` for most, RFC 3339 with milliseconds for a few. All UTC.

use rollcall_domain::time::Timestamp;
use time::{OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};

use crate::{codes::Code, error::ApiError};

const BASIC: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");
const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// As `20151212T121212Z`.
pub(crate) fn basic(at: Timestamp) -> String {
    shown(at, BASIC)
}

/// As `2015-12-12T12:12:12.345Z`.
pub(crate) fn with_milliseconds(at: Timestamp) -> String {
    shown(at, MILLISECONDS)
}

fn shown(at: Timestamp, format: &[BorrowedFormatItem<'_>]) -> String {
    let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.unix_ms()) * 1_000_000);
    // A year of more than four digits has no form here.
    instant.ok().and_then(|instant| instant.format(format).ok()).unwrap_or_else(|| at.to_string())
}

/// Reads `20151212T121212Z`; `field` is for the message.
///
/// # Errors
/// [`Code::TimeFormat`].
pub(crate) fn read(field: &str, text: &str) -> Result<Timestamp, ApiError> {
    let instant = PrimitiveDateTime::parse(text, BASIC).map_err(|_| {
        ApiError::new(Code::TimeFormat, format!("{field} is {text:?}: give a time such as 20151212T121212Z"))
    })?;
    Ok(Timestamp::from_unix_s(instant.assume_utc().unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_service_writes_them() {
        let at = Timestamp::from_unix_ms(1_449_922_332_345);
        assert_eq!(basic(at), "20151212T121212Z");
        assert_eq!(with_milliseconds(at), "2015-12-12T12:12:12.345Z");
        assert_eq!(read("start_time", "20151212T121212Z").unwrap(), Timestamp::from_unix_s(1_449_922_332));
        for wrong in ["", "2015-12-12T12:12:12Z", "20151312T121212Z", "20151212T121212"] {
            assert_eq!(read("start_time", wrong).unwrap_err().code, Code::TimeFormat, "{wrong}");
        }
    }
}
