//! Why bytes are not what they should be, and strict JSON reading that says where.

use serde::de::DeserializeOwned;

/// Why something cannot be read. A reader of a log stops at the first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// More bytes than anything of this kind may have.
    #[error("{bytes} bytes: at most {max} are accepted")]
    TooLarge {
        /// How many there are.
        bytes: usize,
        max: usize,
    },
    /// A type that this build does not know: written by a newer one, or not by Rollcall.
    #[error("type {kind:?} is unknown to this build: upgrade it")]
    UnknownType {
        /// The type as written, shortened.
        kind: String,
    },
    /// A known type in a version that this build does not know.
    #[error("version {version} of {kind} is unknown to this build, which reads up to {newest}: upgrade it")]
    UnknownVersion {
        kind: String,
        /// The version as written.
        version: u32,
        /// The newest version known.
        newest: u32,
    },
    /// Not JSON, or an unknown field, a missing field, a value of the wrong kind.
    #[error("{path}: {reason}")]
    Shape {
        /// Path of the field, such as `body.profile.tags[1].key`; `$` is the whole.
        path: String,
        /// What is wrong there.
        reason: String,
    },
}

impl WireError {
    /// The same error, its path beginning with `prefix`.
    pub(crate) fn under(self, prefix: &str) -> Self {
        match self {
            Self::Shape { path, reason } if path == "$" => Self::Shape { path: prefix.to_owned(), reason },
            Self::Shape { path, reason } => Self::Shape { path: format!("{prefix}.{path}"), reason },
            Self::TooLarge { .. } | Self::UnknownType { .. } | Self::UnknownVersion { .. } => self,
        }
    }
}

/// Longest part of a foreign text that an error repeats.
const QUOTED_CHARS_MAX: usize = 64;

/// A foreign text, short enough to repeat.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

/// Reads exactly one JSON object.
///
/// Looks at the first byte itself, because serde would also take a list of a struct's values in their order.
///
/// Reads twice when the first time fails: tracking the path costs about as much as reading, and a log of a million
/// good records should not pay for it.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(WireError::Shape { path: "$".to_owned(), reason: NOT_AN_OBJECT.to_owned() });
    }
    serde_json::from_slice(bytes).map_err(|plain| {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
            Err(error) => shape(&error),
            // The value itself is fine, so what follows it is not.
            Ok(_) => WireError::Shape { path: "$".to_owned(), reason: plain.to_string() },
        }
    })
}

const NOT_AN_OBJECT: &str = "not a JSON object";

/// Reads a JSON object that has been parsed already.
pub(crate) fn read_object<T: DeserializeOwned>(value: &serde_json::Value) -> Result<T, WireError> {
    if !value.is_object() {
        return Err(WireError::Shape { path: "$".to_owned(), reason: NOT_AN_OBJECT.to_owned() });
    }
    read_value(value)
}

/// Reads a JSON value that has been parsed already.
pub(crate) fn read_value<T: DeserializeOwned>(value: &serde_json::Value) -> Result<T, WireError> {
    serde_path_to_error::deserialize(value).map_err(|error| shape(&error))
}

fn shape(error: &serde_path_to_error::Error<serde_json::Error>) -> WireError {
    let path = match error.path().to_string() {
        root if root == "." => "$".to_owned(),
        path => path,
    };
    WireError::Shape { path: path.chars().take(4 * QUOTED_CHARS_MAX).collect(), reason: error.inner().to_string() }
}
