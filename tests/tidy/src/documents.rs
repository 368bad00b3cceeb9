//! Links in documents lead somewhere: relative ones to a file of the repository, and to a heading where they name one.

use std::{collections::HashMap, path::Path};

use crate::repository::{assert_none, files, root};

/// The text of a document outside code blocks and code spans, by line.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            // Every other piece between backticks is code.
            let spoken: Vec<&str> = line.split('`').step_by(2).collect();
            lines.push((number, spoken.join("``")));
        }
    }
    lines
}

/// Targets of `[text](target)`, of `[name]: target`, and of `src` and `href` in HTML.
fn targets(line: &str) -> Vec<String> {
    let until = |rest: &str, ends: &[char]| rest.split(|c| ends.contains(&c)).next().unwrap_or_default().to_owned();
    let mut found: Vec<String> = line.split("](").skip(1).map(|rest| until(rest, &[')', ' '])).collect();
    if line.starts_with('[')
        && let Some((_, target)) = line.split_once("]: ")
    {
        found.push(until(target, &[' ']));
    }
    for attribute in ["src=\"", "href=\""] {
        found.extend(line.split(attribute).skip(1).map(|rest| until(rest, &['"'])));
    }
    found
}

/// The anchors of a document's headings, made as the usual forges make them.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let heading = line.trim_start_matches('#');
        if fenced || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect();
        let times = seen.entry(slug.clone()).and_modify(|times| *times += 1).or_insert(0);
        found.push(if *times == 0 { slug } else { format!("{slug}-{times}") });
    }
    found
}

#[test]
fn links_lead_somewhere() {
    let mut findings = Vec::new();
    for document in files(|path| path.ends_with(".md")) {
        let folder = Path::new(&document.path).parent().expect("a folder");
        for (line, text) in prose(&document.text) {
            for target in targets(&text) {
                let at = format!("{}:{line}: {target}", document.path);
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
                let file = if path.is_empty() { root().join(&document.path) } else { root().join(folder).join(path) };
                if !file.exists() {
                    findings.push(format!("{at}: there is no such file"));
                } else if !anchor.is_empty() && path.ends_with(".md") | path.is_empty() {
                    let text = std::fs::read_to_string(&file).expect("a document");
                    if !anchors(&text).contains(&anchor.to_owned()) {
                        findings.push(format!("{at}: there is no such heading"));
                    }
                }
            }
        }
    }
    assert_none(&findings, "a link leads nowhere");
}

#[test]
fn links_and_headings_are_found() {
    assert_eq!(targets("see [a](b.md#c) and [d](e \"f\")"), ["b.md#c", "e"]);
    assert_eq!(targets("[a]: b.md"), ["b.md"]);
    assert_eq!(anchors("# One Two\n```\n# no\n```\n## What's `x_y`?\n## One two\n"), ["one-two", "whats-x_y", "one-two-1"]);
    assert_eq!(prose("a `[b](c)` d\n```\n[e](f)\n```")[0].1, "a `` d");
}
