//! Every code has its page in docs/operate/codes, and every page is of a code.

use std::collections::BTreeSet;

use rollcall_api::Code;
use rollcall_domain::{notice::Notice, refusal::Refusal, rejection::Rejection};

use crate::repository::{Source, assert_none, files};

const FOLDER: &str = "docs/operate/codes/";

fn codes() -> BTreeSet<&'static str> {
    let of_the_api = Code::ALL.iter().map(|code| code.as_str());
    Refusal::codes().chain(Rejection::codes()).chain(Notice::codes()).chain(of_the_api).collect()
}

fn pages() -> Vec<Source> {
    files(|path| path.starts_with(FOLDER) && path.ends_with(".md") && !path.ends_with("README.md"))
}

fn code_of(page: &Source) -> &str {
    page.path.trim_start_matches(FOLDER).trim_end_matches(".md")
}

#[test]
fn every_code_has_its_page_and_every_page_its_code() {
    let (codes, pages) = (codes(), pages());
    let documented: BTreeSet<&str> = pages.iter().map(code_of).collect();
    let missing = codes.difference(&documented).map(|code| format!("{FOLDER}{code}.md is missing"));
    let orphaned = documented.difference(&codes).map(|code| format!("{FOLDER}{code}.md is of no code"));
    assert_none(&missing.chain(orphaned).collect::<Vec<_>>(), "a code and its page come and go together");
}

#[test]
fn every_page_says_what_to_do() {
    let mut findings = Vec::new();
    for page in pages() {
        let title = format!("# `{}`\n", code_of(&page));
        let parts = ["| whose fault |", "**Why it happens**", "**What to do**"];
        findings.extend((!page.text.starts_with(&title)).then(|| format!("{}: the title is not {title:?}", page.path)));
        let absent = parts.iter().filter(|part| !page.text.contains(**part));
        findings.extend(absent.map(|part| format!("{}: {part} is missing", page.path)));
    }
    assert_none(&findings, "a page says whose fault it is, why it happens and what to do");
}

#[test]
fn the_index_lists_every_code_once() {
    let index = files(|path| path == "docs/operate/codes/README.md").pop().expect("the index");
    let mut findings = Vec::new();
    for code in codes() {
        let rows = index.text.lines().filter(|line| line.starts_with(&format!("| [`{code}`]({code}.md) |"))).count();
        if rows != 1 {
            findings.push(format!("{code} has {rows} rows"));
        }
    }
    assert_none(&findings, "docs/operate/codes/README.md is the index of all codes");
}
