//! docs/reference/failures.md names the tests that hold each failure mode, and is kept by them.

use std::{collections::BTreeMap, env, fs};

use crate::repository::{files, root};

const PAGE: &str = "docs/reference/failures.md";
/// Where no test has the number of a failure mode in its name.
const NONE: &str = "none yet";

/// Tests by the numbers in their names: `f3_f26_…` is of F3 and F26.
fn tests_by_number() -> BTreeMap<u32, Vec<String>> {
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for source in files(|path| path.ends_with(".rs")) {
        for name in source.text.lines().filter_map(test_name) {
            for number in numbers(name) {
                found.entry(number).or_default().push(format!("{} `{name}`", place(&source.path)));
            }
        }
    }
    found.values_mut().for_each(|tests| tests.sort());
    found
}

fn test_name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn "))?;
    let name = rest.split('(').next()?;
    numbers(name).next().map(|_| name)
}

fn numbers(name: &str) -> impl Iterator<Item = u32> {
    name.split('_').map_while(|part| part.strip_prefix('f')?.parse().ok())
}

/// The crate of a file, by which `cargo nextest run -p` finds the test.
fn place(path: &str) -> &str {
    let mut parts = path.split('/');
    match (parts.next(), parts.next()) {
        (Some("services" | "tests"), Some(folder)) => folder,
        (first, _) => first.unwrap_or_default(),
    }
}

/// The page with its third column as the tests' names say.
fn generated(page: &str, tests: &BTreeMap<u32, Vec<String>>) -> String {
    let mut lines = Vec::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.split(" | ").collect();
        let number = cells[0].strip_prefix("| F").and_then(|number| number.parse::<u32>().ok());
        lines.push(match (number, cells.as_slice()) {
            (Some(number), [id, text, ..]) => {
                let held = tests.get(&number).map_or_else(|| NONE.to_owned(), |tests| tests.join("<br>"));
                format!("{id} | {text} | {held} |")
            }
            _ => line.to_owned(),
        });
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_page_of_failure_modes_names_the_tests_that_hold_them() {
    let (path, tests) = (root().join(PAGE), tests_by_number());
    let page = fs::read_to_string(&path).expect("the page");
    let wanted = generated(&page, &tests);
    if env::var_os("BLESS").is_some() {
        fs::write(&path, wanted).expect("the page can be written");
        return;
    }
    let listed = |number: &u32| page.lines().any(|line| line.starts_with(&format!("| F{number} |")));
    let unknown: Vec<_> = tests.iter().filter(|(number, _)| !listed(number)).collect();
    assert!(unknown.is_empty(), "tests are named for failure modes that {PAGE} does not list: {unknown:?}");
    assert!(page == wanted, "{PAGE} is not what the tests' names say: BLESS=1 rewrites it, for review");
}

#[test]
fn numbers_are_read_from_the_front_of_a_name() {
    assert_eq!(numbers("f3_f26_chains_that_are_cut").collect::<Vec<_>>(), [3, 26]);
    assert_eq!(numbers("a_file_f9").count(), 0);
    assert_eq!(test_name("    async fn f9_x() {"), Some("f9_x"));
    assert_eq!(place("services/domain/src/x.rs"), "domain");
}
