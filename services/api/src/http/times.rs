//! Times in requests and answers of the v5 API.

use rollcall_device_model::times::parse_basic;
pub(crate) use rollcall_device_model::times::{basic, with_milliseconds};
use rollcall_domain::time::Timestamp;

use crate::http::{codes::Code, error::ApiError};

/// Reads `20151212T121212Z`; `field` is named in the error.
///
/// # Errors
/// [`Code::TimeFormat`].
pub(crate) fn read(field: &str, text: &str) -> Result<Timestamp, ApiError> {
    parse_basic(text)
        .ok_or_else(|| ApiError::new(Code::TimeFormat, format!("{field} is {text:?}: give a time such as 20151212T121212Z")))
}
