//! Words that have no place in the repository: paths of a machine that it was written on, and who or what wrote it.

use crate::repository::{assert_none, files};

/// In halves, so that this file does not hold them itself. Compared without case.
const NEEDLES: [(&str, &str); 22] = [
    ("/wo", "rk/"),
    ("/ro", "ot/"),
    ("/home/", "user"),
    ("share", "d/design"),
    ("shared/", "style"),
    ("shared/", "reference"),
    ("failure-modes", ".md"),
    ("iotda-v5", ".md"),
    (".cargo/", "registry"),
    ("registry.npmjs", ".org"),
    ("pypi", ".org"),
    ("proxy.golang", ".org"),
    ("clau", "de"),
    ("anthro", "pic"),
    ("chat", "gpt"),
    ("open", "ai"),
    ("copi", "lot"),
    ("language ", "model"),
    ("ai-", "generated"),
    ("generated ", "by ai"),
    ("as an ", "assistant"),
    ("co-authored", "-by"),
];

/// Written by tools, with their own addresses in them.
fn is_lock(path: &str) -> bool {
    path.ends_with(".lock") || path.ends_with("package-lock.json")
}

#[test]
fn nothing_tells_of_the_machine_it_was_written_on() {
    let needles: Vec<String> = NEEDLES.iter().map(|(head, tail)| format!("{head}{tail}")).collect();
    let mut findings = Vec::new();
    for source in files(|path| !is_lock(path)) {
        for (line, text) in (1..).zip(source.text.lines()) {
            let lower = text.to_lowercase();
            for needle in needles.iter().filter(|needle| lower.contains(needle.as_str())) {
                findings.push(format!("{}:{line}: {needle}", source.path));
            }
        }
    }
    assert_none(&findings, "say it without");
}
