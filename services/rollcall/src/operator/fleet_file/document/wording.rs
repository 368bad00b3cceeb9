//! Says in the words of a fleet file what the YAML reader found: fields, lists and values, not the reader's own types.

use serde_saphyr::Error;

/// What is wrong, and the known field nearest to an unknown one. The place is the caller's to say.
pub(super) fn reason(error: &Error, text: &str) -> (String, Option<String>) {
    let said = match error.without_snippet() {
        Error::AliasError { error, .. } => return reason(error, text),
        Error::SerdeUnknownField { field, expected, .. } => {
            let said = format!("there is no field `{field}` here; there are {}", expected.join(", "));
            return (said, rollcall_chassis::config::nearest(field, expected.iter().copied()));
        }
        Error::SerdeMissingField { field, .. } => format!("the field `{field}` is missing"),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("`{key}` stands twice in one place: keep one"),
        Error::DuplicateMappingKey { key: None, .. } => "a field stands twice in one place: keep one".to_owned(),
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("`{variant}` cannot stand here: give one of {}", expected.join(", "))
        }
        Error::SerdeInvalidType { unexpected, expected, .. } | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("give {} here, not {}", in_words(expected), found_in_words(unexpected))
        }
        Error::InvalidScalar { ty, .. } => format!("give {} here", in_words(ty)),
        Error::NullIntoString { .. } => "nothing is given here: give a text".to_owned(),
        Error::Unexpected { expected, .. } => format!("give {} here", in_words(expected)),
        Error::Eof { .. } => "the file is empty, or ends too early: it begins with `instances:`".to_owned(),
        Error::MultipleDocuments { .. } => "a second document begins here: take out the line `---`".to_owned(),
        Error::UnknownAnchor { .. } => {
            "the alias (`*name`) names nothing that an anchor (`&name`) marks before it".to_owned()
        }
        _ => return (not_yaml(error, text), None),
    };
    (said, None)
}

/// What the scanner said of text that is no YAML, after the usual cause if it is there to be seen.
fn not_yaml(error: &Error, text: &str) -> String {
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    let said = error.without_snippet().to_string();
    let said = said.strip_suffix(&format!(" at line {line}, column {column}")).unwrap_or(&said);
    let lines = text.lines().skip(usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1)).take(2);
    let has_tab = lines.into_iter().any(|line| line.trim_start_matches(' ').starts_with('\t'));
    if has_tab { "a tab is no indentation: use blanks".to_owned() } else { format!("this is not YAML: {said}") }
}

/// What is wanted, from what serde and the reader call it.
fn in_words(expected: &str) -> &str {
    match expected {
        "u64" | "i64" | "integer" | "number" => "a whole number from 0",
        "a boolean" | "bool" | "boolean" => "true or false",
        "a string" | "string" | "string scalar" | "scalar" | "path string" => "a text",
        "a sequence" | "sequence" | "sequence start" => "a list (lines that begin with `- `)",
        "a map" | "mapping" | "mapping start" => "fields (lines of `name: value`)",
        _ if expected.starts_with("struct ") => "fields (lines of `name: value`)",
        _ if expected.starts_with("enum ") => "one of the known words",
        other => other,
    }
}

fn found_in_words(unexpected: &str) -> String {
    match unexpected {
        "map" => "fields".to_owned(),
        "sequence" => "a list".to_owned(),
        "unit value" | "null" | "Option value" => "nothing".to_owned(),
        other => other.to_owned(),
    }
}
