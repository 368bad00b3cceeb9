//! Values of the database, encoded: compact, and read back exactly or not at all.

use rollcall_domain::ids::IdError;
use serde::{Deserialize, Serialize};

use super::database::Fault;

/// Encodes a stored value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    postcard::to_stdvec(value).map_err(|error| Fault(format!("a view's value cannot be encoded: {error}")))
}

/// Decodes a stored value; borrows its texts.
pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Fault> {
    postcard::from_bytes(bytes).map_err(|error| Fault(format!("a view's value cannot be decoded: {error}")))
}

/// Reads an identifier back.
pub(crate) fn id<T: std::str::FromStr<Err = IdError>>(text: &str) -> Result<T, Fault> {
    text.parse().map_err(|error: IdError| Fault(format!("a view's value holds a bad id: {error}")))
}
