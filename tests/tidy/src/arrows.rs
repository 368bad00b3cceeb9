//! Which crate may name which. A new arrow is a change to the table here and a decision record in docs/decisions.

use std::{collections::BTreeSet, fs};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::repository::{assert_none, root};

/// Internal arrows. A crate that is not listed is a crate of tests and may name all of them.
const INTERNAL: [(&str, &[&str]); 16] = [
    ("rollcall-schemas", &[]),
    ("rollcall-domain", &[]),
    ("rollcall-chassis", &[]),
    ("rollcall-log", &["rollcall-domain", "rollcall-schemas"]),
    ("rollcall-log-nats", &["rollcall-domain", "rollcall-log"]),
    ("rollcall-log-embedded", &["rollcall-domain", "rollcall-log"]),
    // The same engine without a disk: docs/decisions/0018.
    ("rollcall-log-memory", &["rollcall-domain", "rollcall-log", "rollcall-log-embedded"]),
    ("rollcall-projection", &["rollcall-domain", "rollcall-log"]),
    ("rollcall-device-model", &["rollcall-domain"]),
    ("rollcall-request-signing", &[]),
    ("rollcall-search-language", &[]),
    (
        "rollcall-devices",
        &["rollcall-domain", "rollcall-chassis", "rollcall-device-model", "rollcall-log", "rollcall-projection"],
    ),
    ("rollcall-registrar", FOUNDATION),
    ("rollcall-connector", FOUNDATION),
    (
        "rollcall-api",
        &[
            "rollcall-schemas",
            "rollcall-domain",
            "rollcall-chassis",
            "rollcall-log",
            "rollcall-projection",
            "rollcall-device-model",
            "rollcall-devices",
            "rollcall-request-signing",
            "rollcall-search-language",
        ],
    ),
    (
        "rollcall",
        &[
            "rollcall-schemas",
            "rollcall-domain",
            "rollcall-chassis",
            "rollcall-log",
            "rollcall-log-nats",
            "rollcall-log-embedded",
            "rollcall-projection",
            "rollcall-registrar",
            "rollcall-connector",
            "rollcall-request-signing",
            "rollcall-api",
        ],
    ),
];

const FOUNDATION: &[&str] =
    &["rollcall-schemas", "rollcall-domain", "rollcall-chassis", "rollcall-log", "rollcall-projection"];

/// Crates of others that only some of ours may name: what a store, a broker or a socket does stays in one place.
const OWNED: [(&str, &[&str]); 8] = [
    ("async-nats", &["rollcall-log-nats"]),
    ("redb", &["rollcall-log-embedded"]),
    ("sled", &["rollcall-projection"]),
    // The chassis has the admin listener.
    ("axum", &["rollcall-api", "rollcall-chassis"]),
    // `rollcall device` goes through the chassis' TLS client, so the binary needs neither.
    ("rustls", &["rollcall-connector", "rollcall-chassis"]),
    ("tokio-rustls", &["rollcall-connector", "rollcall-chassis"]),
    // Verifying, as against reading, is the domain's; the connector only hands its verdict to rustls.
    ("rustls-webpki", &["rollcall-domain", "rollcall-connector"]),
    ("x509-parser", &["rollcall-domain"]),
];

/// All that the rules may name: nothing with a clock, randomness, I/O, async or serialisation.
const DOMAIN: [&str; 7] = ["hex", "rustls-pki-types", "rustls-webpki", "sha1", "sha2", "thiserror", "x509-parser"];

fn metadata() -> Metadata {
    let manifest = root().join("Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata")
}

/// What a crate names for its own code; what only its tests name is its own business.
fn named(package: &Package) -> BTreeSet<&str> {
    let own = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
    own.map(|dependency| dependency.name.as_str()).collect()
}

fn is_test_crate(package: &Package) -> bool {
    package.manifest_path.starts_with(root().join("tests"))
}

#[test]
fn crates_name_only_those_that_they_may() {
    let mut findings = Vec::new();
    for package in &metadata().packages {
        if is_test_crate(package) {
            continue;
        }
        let Some((_, allowed)) = INTERNAL.iter().find(|(name, _)| *name == package.name.as_str()) else {
            findings.push(format!("{} is not in the table: say what it may name", package.name));
            continue;
        };
        for name in named(package) {
            if (name == "rollcall" || name.starts_with("rollcall-")) && !allowed.contains(&name) {
                findings.push(format!("{} names {name}", package.name));
            }
            let owners = OWNED.iter().find(|(owned, _)| *owned == name);
            if owners.is_some_and(|(_, owners)| !owners.contains(&package.name.as_str())) {
                findings.push(format!("{} names {name}, which only {} may", package.name, owners.unwrap().1.join(", ")));
            }
        }
    }
    assert_none(&findings, "an arrow that docs/decisions does not allow");
}

#[test]
fn the_domain_cannot_name_a_clock_a_runtime_or_a_format() {
    let metadata = metadata();
    let domain = metadata.packages.iter().find(|package| package.name.as_str() == "rollcall-domain").expect("the domain");
    let surplus: Vec<String> = named(domain)
        .into_iter()
        .filter(|name| !DOMAIN.contains(name))
        .map(|name| format!("rollcall-domain names {name}"))
        .collect();
    assert_none(&surplus, "the rules are pure, and their Cargo.toml is the proof");
}

#[test]
fn nothing_of_ours_depends_on_the_tests() {
    let metadata = metadata();
    let tests: BTreeSet<&str> =
        metadata.packages.iter().filter(|package| is_test_crate(package)).map(|package| package.name.as_str()).collect();
    let services = metadata.packages.iter().filter(|package| !is_test_crate(package));
    let findings: Vec<String> = services
        .flat_map(|package| named(package).into_iter().map(move |name| (package, name)))
        .filter(|(_, name)| tests.contains(name))
        .map(|(package, name)| format!("{} names {name}", package.name))
        .collect();
    assert_none(&findings, "a crate of tests is named by what is shipped");
}

#[test]
fn versions_and_features_are_in_the_workspace_alone() {
    let mut findings = Vec::new();
    for package in &metadata().packages {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest");
        let mut in_dependencies = false;
        for (line, text) in (1..).zip(manifest.lines()) {
            if text.starts_with('[') {
                in_dependencies = text.trim_matches(['[', ']']).ends_with("dependencies");
            } else if in_dependencies && text.contains('=') && !text.contains("workspace = true") {
                findings.push(format!("{}:{line}: {text}", package.manifest_path));
            }
        }
        if !manifest.contains("[lints]\nworkspace = true") {
            findings.push(format!("{}: the workspace's lints are not taken over", package.manifest_path));
        }
    }
    assert_none(&findings, "say it in the root Cargo.toml, with its purpose, and write `.workspace = true`");
}
