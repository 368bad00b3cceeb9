//! `X-Sdk-Date`: the time of signing, as text and as a time.

use time::{OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};

use crate::error::SigningError;

/// The header with the time of signing.
pub const DATE_HEADER: &str = "x-sdk-date";

const FORM: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");
/// Length of the form, characters. The year of `time` may carry a sign, which this leaves no room for.
const CHARS: usize = 16;
/// Length of the day at its beginning.
const DAY_CHARS: usize = 8;

/// As text; the epoch for a time that has none.
pub(crate) fn text(unix_ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(FORM).unwrap_or_default()
}

/// A time of signing.
pub(crate) struct Date<'a> {
    /// As it was sent.
    pub(crate) text: &'a str,
    /// As a time, ms.
    pub(crate) unix_ms: i64,
}

impl<'a> Date<'a> {
    /// Reads a trimmed header value.
    pub(crate) fn parse(value: &'a [u8]) -> Result<Self, SigningError> {
        let text = str::from_utf8(value).map_err(|_| SigningError::Date)?;
        if text.len() != CHARS || !text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z')) {
            return Err(SigningError::Date);
        }
        let time = PrimitiveDateTime::parse(text, FORM).map_err(|_| SigningError::Date)?;
        Ok(Self { text, unix_ms: time.assume_utc().unix_timestamp().saturating_mul(1000) })
    }

    pub(crate) fn day(&self) -> &'a str {
        self.text.get(..DAY_CHARS).unwrap_or_default()
    }
}
