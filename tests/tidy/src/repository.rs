//! The files of the repository, as text, and how findings are told.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders that hold nothing of ours, wherever they are.
const FOREIGN: [&str; 5] = [".git", "dist", "node_modules", "target", "test-results"];

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tests/tidy is two below the root")
}

/// A text file of the repository.
pub(crate) struct Source {
    /// Its path below the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every text file whose path the predicate likes. Files that are not UTF-8 are left out.
pub(crate) fn files(wanted: impl Fn(&str) -> bool) -> Vec<Source> {
    let mut found = Vec::new();
    collect(root(), &wanted, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(folder: &Path, wanted: &impl Fn(&str) -> bool, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path: PathBuf = entry.expect("the entry can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("names are UTF-8");
        // A worktree has a file where a clone has a folder.
        if FOREIGN.contains(&name) {
            continue;
        }
        if path.is_dir() {
            collect(&path, wanted, found);
            continue;
        }
        let relative = path.strip_prefix(root()).expect("below the root").to_str().expect("UTF-8").replace('\\', "/");
        if !wanted(&relative) {
            continue;
        }
        if let Ok(text) = fs::read_to_string(&path) {
            found.push(Source { path: relative, text });
        }
    }
}

/// Fails with every finding at once.
pub(crate) fn assert_none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}
