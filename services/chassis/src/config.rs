//! Configuration files: TOML, read once, unknown keys refused with the nearest known one.
//!
//! Configuration is plain data and touches nothing; what is wrong is said with file, line and column.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {file}")]
    Read {
        file: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// It is not TOML, has a key that is not known, or a value that does not fit.
    #[error("{file}:{line}:{column}: {reason}{}", .hint.as_deref().map(|h| format!(" (did you mean `{h}`?)")).unwrap_or_default())]
    Content {
        file: PathBuf,
        /// Line, from 1; 0 when no place is known.
        line: usize,
        /// Column, from 1; 0 when no place is known.
        column: usize,
        /// What is wrong.
        reason: String,
        /// The known key nearest to an unknown one.
        hint: Option<String>,
    },
}

/// Reads a TOML file.
///
/// # Errors
/// [`ConfigError`].
pub fn load<C: DeserializeOwned>(file: &Path) -> Result<C, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Read { file: file.into(), source })?;
    parse(file, &text)
}

/// Reads TOML text; `file` is for messages.
///
/// # Errors
/// [`ConfigError::Content`].
pub fn parse<C: DeserializeOwned>(file: &Path, text: &str) -> Result<C, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let (line, column) = error.span().map_or((0, 0), |span| place(text, span.start));
        let reason = error.message().to_owned();
        let hint = nearest_known_key(&reason);
        ConfigError::Content { file: file.into(), line, column, reason, hint }
    })
}

fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Serde says "unknown field `x`, expected one of `a`, `b`": the known key most like `x`.
fn nearest_known_key(message: &str) -> Option<String> {
    let (unknown, known) = message.strip_prefix("unknown field `")?.split_once("`, expected ")?;
    let known = known.strip_prefix("one of ").unwrap_or(known);
    nearest(unknown, known.split(", ").flat_map(|names| names.split(" or ")).map(|name| name.trim_matches('`')))
}

/// The known name most like an unknown one, if any is like it at all.
pub fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let (distance, nearest) = known.map(|name| (edit_distance(unknown, name), name)).min()?;
    (distance <= 1 + unknown.chars().count() / 3).then(|| nearest.to_owned())
}

/// Levenshtein distance in characters. Keys are short: the quadratic table is a few hundred cells.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its name matters")]
        listen: String,
        #[expect(dead_code, reason = "only its name matters")]
        connections_max: Option<u32>,
    }

    fn refused(text: &str) -> String {
        parse::<Sample>(Path::new("sample.toml"), text).expect_err("must be refused").to_string()
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        let said = refused("listen = \"x\"\nconections_max = 3\n");
        assert!(said.starts_with("sample.toml:2:1: unknown field `conections_max`"), "{said}");
        assert!(said.ends_with("(did you mean `connections_max`?)"), "{said}");
    }

    #[test]
    fn a_key_like_nothing_gets_no_suggestion() {
        assert!(!refused("listen = \"x\"\ncolour = 3\n").contains("did you mean"));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_place() {
        let said = refused("listen = \"x\"\nconnections_max = \"many\"\n");
        assert!(said.starts_with("sample.toml:2:19: invalid type"), "{said}");
    }
}
