//! The form of Rust sources: headers, names, and what must not be left in them.

use crate::repository::{Source, assert_none, files};

/// Names that say "layer" or "rest" where a job should be named.
const BANNED_NAMES: [&str; 7] = ["util", "common", "helpers", "misc", "types", "models", "manager"];

fn rust() -> Vec<Source> {
    files(|path| path.ends_with(".rs"))
}

/// Whether clippy's leniency towards tests applies to the whole file.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.split('/').any(|part| part == "tests" || part == "tests.rs" || part == "benches")
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = rust().into_iter().filter(|source| !source.text.starts_with("//!"));
    let findings: Vec<String> = silent.map(|source| source.path).collect();
    assert_none(&findings, "open the file with `//!`: what it is for, what it is not for, its invariant");
}

#[test]
fn names_say_the_job() {
    let mut findings = Vec::new();
    for source in rust() {
        let mut parts: Vec<&str> = source.path.trim_end_matches(".rs").split('/').collect();
        if parts.last() == Some(&"mod") {
            findings.push(format!("{}: write foo.rs beside foo/", source.path));
        }
        let inline = source.text.lines().filter_map(|line| {
            let declared = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            declared.strip_prefix("mod ").and_then(|rest| rest.split([';', ' ', '{']).next())
        });
        parts.extend(inline);
        for name in parts {
            let name = name.trim_start_matches("rollcall-");
            if BANNED_NAMES.contains(&name) || BANNED_NAMES.contains(&name.trim_end_matches('s')) {
                findings.push(format!("{}: {name}", source.path));
            }
        }
    }
    assert_none(&findings, "a file, folder or module is named by its job");
}

/// Whether comments on fields and operations of a file are texts of the API's document, which says of every one what it is.
fn has_texts_of_the_api(source: &Source) -> bool {
    source.path.starts_with("services/api/src/") && source.text.contains("use utoipa::")
}

#[test]
fn a_doc_comment_says_more_than_a_name() {
    let mut findings = Vec::new();
    for source in rust().iter().filter(|source| !has_texts_of_the_api(source)) {
        findings.extend(labels(&source.text).into_iter().map(|(line, text)| format!("{}:{line}: {text}", source.path)));
    }
    assert_none(&findings, "delete it, or say what the name does not: units, range, who may call it, what else happens");
}

/// Doc comments that are one line of one or two words, with their line numbers.
fn labels(text: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_doc = |line: Option<&&str>| line.is_some_and(|line| line.starts_with("///") || line.starts_with("//!"));
    let is_label = |line: &str| {
        let said = line.strip_prefix("/// ").or_else(|| line.strip_prefix("//! ")).and_then(|said| said.strip_suffix('.'));
        said.is_some_and(|said| {
            said.split(' ').count() <= 2 && said.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '`' | ' '))
        })
    };
    let alone = |index: usize| !is_doc(lines.get(index + 1)) && (index == 0 || !is_doc(lines.get(index - 1)));
    (0..lines.len())
        .filter(|index| is_label(lines[*index]) && alone(*index))
        .map(|index| (index + 1, lines[index]))
        .collect()
}

#[test]
fn labels_are_told_from_sentences() {
    let text = "/// The name.\nfn a() {}\n/// Of the form\n/// `a_b`.\nfn b() {}\n/// `a_b`.\n/// Ends after `a`.\n";
    assert_eq!(
        labels(&text.replace("/// `a_b`.\n/// Ends", "/// `a_b`.\nfn c() {}\n/// Ends")),
        [(1, "/// The name."), (6, "/// `a_b`.")]
    );
}

/// Needles are put together here, so that this file does not hold them itself.
#[test]
fn nothing_is_left_for_later() {
    let unfinished = ["to", "do!("].concat();
    let unwritten = ["unimple", "mented!("].concat();
    let skipped = ["#[ig", "nore"].concat();
    let mut findings = Vec::new();
    for source in rust() {
        for (line, text) in (1..).zip(source.text.lines()) {
            for needle in [&unfinished, &unwritten, &skipped] {
                if !text.trim_start().starts_with("//") && text.contains(needle.as_str()) {
                    findings.push(format!("{}:{line}: {}", source.path, text.trim()));
                }
            }
        }
    }
    assert_none(&findings, "write it, or write an issue");
}

#[test]
fn nothing_panics_on_a_value_that_may_be_absent() {
    let needle = [".unw", "rap()"].concat();
    let mut findings = Vec::new();
    let sources = rust();
    let modules = test_modules(&sources);
    for source in sources.iter().filter(|source| !is_test(&source.path)) {
        if modules
            .iter()
            .any(|module| source.path == format!("{module}.rs") || source.path.starts_with(&format!("{module}/")))
        {
            continue;
        }
        for (line, text) in without_tests(&source.text) {
            if !text.trim_start().starts_with("//") && text.contains(&needle) {
                findings.push(format!("{}:{line}: {}", source.path, text.trim()));
            }
        }
    }
    assert_none(&findings, "return an error, or `.expect(\"the invariant\")` where it is one");
}

/// A parser's error holds the line that it stopped at, which may be a private key: one file calls it and drops the error.
#[test]
fn f43_pem_is_parsed_in_one_place() {
    let mut findings = Vec::new();
    for source in rust().iter().filter(|source| source.path.starts_with("services/") && !is_test(&source.path)) {
        if source.path.starts_with("services/chassis/src/pem") {
            continue;
        }
        for (line, text) in without_tests(&source.text) {
            if ["PemObject", "::from_pem", "from_ca_cert_pem"].iter().any(|parser| text.contains(parser)) {
                findings.push(format!("{}:{line}: {}", source.path, text.trim()));
            }
        }
    }
    assert_none(&findings, "read certificates and keys with `rollcall_chassis::pem`");
}

#[test]
fn a_suppressed_lint_says_why() {
    let (allow, expect) = (["#[al", "low("].concat(), ["#[exp", "ect("].concat());
    let mut findings = Vec::new();
    for source in rust() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, text) in lines.iter().enumerate() {
            let begins = text.trim_start().trim_start_matches("#!").trim_start_matches('#');
            if text.trim_start().starts_with(&allow) {
                findings.push(format!("{}:{}: `expect` falls due by itself, `allow` never does", source.path, index + 1));
            }
            // An attribute may go over some lines.
            let whole = lines[index..lines.len().min(index + 6)].join(" ");
            let attribute = whole.split(")]").next().unwrap_or_default();
            if begins.starts_with(&expect[1..]) && !attribute.contains("reason") {
                findings.push(format!("{}:{}: no reason", source.path, index + 1));
            }
        }
    }
    assert_none(&findings, "write `#[expect(lint, reason = \"…\")]`");
}

/// The modules in files of their own that are only compiled for tests, as paths without `.rs`.
fn test_modules(sources: &[Source]) -> Vec<String> {
    let mut modules = Vec::new();
    for source in sources {
        let stem = source.path.trim_end_matches(".rs");
        let folder = stem.strip_suffix("/lib").or_else(|| stem.strip_suffix("/main")).unwrap_or(stem);
        for pair in source.text.lines().collect::<Vec<_>>().windows(2) {
            let declared = pair[1].trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            if pair[0].trim() == "#[cfg(test)]"
                && let Some(name) = declared.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'))
            {
                modules.push(format!("{folder}/{name}"));
            }
        }
    }
    modules
}

/// The numbered lines that are not in a `#[cfg(test)]` item. Relies on rustfmt: an item ends at its own indentation.
fn without_tests(text: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push((number, line));
            continue;
        }
        let end = format!("{}}}", " ".repeat(line.len() - line.trim_start().len()));
        // Attributes may stand between, and `mod tests;` ends at once.
        for (_, item) in lines.by_ref() {
            if item == end || (item.ends_with(';') && !item.starts_with(&format!("{} ", &end[..end.len() - 1]))) {
                break;
            }
        }
    }
    kept
}

#[test]
fn items_for_tests_alone_are_told_from_the_rest() {
    let text = "a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod more {\n    c;\n    fn d() {\n    }\n}\ne\n";
    let kept: Vec<&str> = without_tests(text).into_iter().map(|(_, line)| line).collect();
    assert_eq!(kept, ["a", "b", "e"]);
}
