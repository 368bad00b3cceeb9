//! docs/operate/security.md names, for each thing that it promises, a test that there is.

use std::{collections::BTreeSet, fs};

use crate::repository::{assert_none, files, root};

const PAGE: &str = "docs/operate/security.md";
/// What stands under it promises nothing.
const NOT_DEFENDED: &str = "## What is not defended";

/// The functions of the sources, tests among them.
fn functions() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in files(|path| path.ends_with(".rs")) {
        for line in source.text.lines() {
            let line = line.trim_start();
            let Some(rest) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn ")) else { continue };
            found.extend(rest.split(['(', '<']).next().map(str::to_owned));
        }
    }
    found
}

/// Table rows and list items, each in one text.
fn promises(page: &str) -> Vec<String> {
    let promised = page.split(NOT_DEFENDED).next().unwrap_or_default();
    let mut found: Vec<String> = Vec::new();
    for line in promised.lines() {
        let is_row = line.starts_with("| ") && !line.starts_with("| --- ") && !line.contains("| tests |");
        if is_row || line.starts_with("- ") {
            found.push(line.to_owned());
        } else if line.starts_with("  ")
            && let Some(item) = found.last_mut()
        {
            *item = format!("{item} {}", line.trim_start());
        }
    }
    found
}

/// Names in backquotes that could be those of tests: several words, lower case, and no setting's.
fn named(promise: &str) -> impl Iterator<Item = &str> {
    let quoted = promise.split('`').skip(1).step_by(2);
    quoted.filter(|name| {
        name.matches('_').count() >= 4
            && !name.ends_with("_max")
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    })
}

#[test]
fn every_promise_of_the_security_page_is_held_by_a_test_that_there_is() {
    let page = fs::read_to_string(root().join(PAGE)).expect("the page");
    let (promises, functions) = (promises(&page), functions());
    assert!(promises.len() > 20, "the page is read");
    let mut findings = Vec::new();
    for promise in &promises {
        if named(promise).next().is_none() {
            findings.push(format!("no test: {promise}"));
        }
        findings
            .extend(named(promise).filter(|name| !functions.contains(*name)).map(|name| format!("no such test: {name}")));
    }
    assert_none(&findings, PAGE);
}
