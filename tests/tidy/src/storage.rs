//! docs/ARCHITECTURE.md lists every kind of key of a view and every family of subjects of the broker, and no other.

use std::collections::BTreeSet;

use crate::repository::{Source, assert_none, files};

const PAGE: &str = "docs/ARCHITECTURE.md";
const KEYS: [&str; 4] = [
    "services/projection/src/files/keys.rs",
    "services/projection/src/rows.rs",
    "services/projection/src/rows/index.rs",
    "services/projection/src/rows/retired.rs",
];
const SUBJECTS: &str = "services/log-nats/src/subjects.rs";

fn page() -> Source {
    files(|path| path == PAGE).pop().expect("the page")
}

/// What stands between a heading of the page and the next.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = page.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("{PAGE} has no heading {heading:?}"));
    let rest = &page[start + 1..];
    rest[1..].find("\n## ").map_or(rest, |end| &rest[..=end])
}

/// The first cell of each row of a table, without its backticks.
fn first_cells(section: &str) -> BTreeSet<&str> {
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

#[test]
fn every_kind_of_key_of_a_view_is_in_the_table() {
    let (page, mut letters) = (page(), BTreeSet::new());
    for source in files(|path| KEYS.contains(&path)) {
        let declared = source.text.lines().filter_map(|line| line.split_once(": u8 = b'")?.1.chars().next());
        letters.extend(declared.map(|letter| letter.to_string()));
    }
    assert!(letters.len() > 15, "the keys are declared elsewhere: {letters:?}");
    let listed = first_cells(section(&page.text, "What a view holds"));
    let declared: BTreeSet<&str> = letters.iter().map(String::as_str).collect();
    let findings: Vec<_> = declared.symmetric_difference(&listed).map(|letter| format!("`{letter}`")).collect();
    assert_none(&findings, "in the table and not in the code, or the other way round");
}

#[test]
fn every_family_of_subjects_is_on_the_page() {
    let (page, mut families) = (page(), BTreeSet::new());
    let subjects = files(|path| path == SUBJECTS).pop().expect("the subjects");
    for text in subjects.text.split('"').skip(1).step_by(2) {
        let family = text.split(['.', '{', '_']).next().unwrap_or_default();
        let is_word = !family.is_empty() && family.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
        // A stream's or a subject's name goes on with what it is of.
        if is_word && text.len() > family.len() && (text.contains(['{', '>']) || text.starts_with("heartbeats")) {
            families.insert(family.to_owned());
        }
    }
    // Parts of documents' keys.
    for part in ["shadow", "message", "session", "operators"] {
        families.remove(part);
    }
    assert!(families.len() > 6, "the subjects are built elsewhere: {families:?}");
    let section = section(&page.text, "What the broker holds");
    let missing: Vec<_> = families
        .iter()
        .filter(|family| !section.contains(&format!("`{family}")))
        .map(|family| format!("{family}.…"))
        .collect();
    assert_none(&missing, "say in the table of docs/ARCHITECTURE.md what the broker holds there");
}
