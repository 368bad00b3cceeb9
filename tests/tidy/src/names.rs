//! Identifiers that are a private language do not come back: things of the field have the field's names.

use std::collections::BTreeSet;

use crate::{
    repository::assert_none,
    tokens::{crates, identifiers},
};

/// Whole identifiers, the crate that they are private to (all, if empty: elsewhere the word may be the right one), and
/// what to write instead.
const PRIVATE: &[(&str, &str, &str)] = &[
    ("AGAIN", "", "a retry delay"),
    ("Applier", "", "what it applies"),
    ("Asked", "", "device request"),
    ("Circumstances", "", "dry run"),
    ("Claimant", "", "candidate"),
    ("Desk", "", "evaluation, or log worker"),
    ("Foreseen", "", "dry run"),
    ("GOODBYE_LOOK", "", "a poll interval"),
    ("Ground", "", "what it prepares"),
    ("Hearing", "", "evaluation"),
    ("LOOK_AGAIN", "", "a poll interval"),
    ("Lateral", "", "peer"),
    ("Life", "", "created at"),
    ("Overlaid", "", "pending"),
    ("Petitioner", "", "request client"),
    ("Realm", "", "instance, or log state"),
    ("Shaken", "", "handshake"),
    ("Standing", "services/domain", "certificate match"),
    ("Tally", "", "row stats"),
    ("Touches", "", "affected sessions"),
    ("Welcome", "", "what it says"),
    ("Wish", "", "desired"),
    ("arrivals", "", "on connect"),
    ("born", "", "created"),
    ("burial", "", "reaper"),
    ("bury_at", "", "reaper"),
    ("concern", "services/connector", "affected sessions"),
    ("dice", "", "fault injection"),
    ("entrance", "", "accept"),
    ("foresight", "", "dry run"),
    ("forge", "services/domain", "test certificates"),
    ("guesses", "", "login throttle"),
    ("is_owed", "", "desired"),
    ("outline", "services/domain", "tbs"),
    ("petition", "", "request client"),
    ("presence_burial", "", "reaper"),
    ("prover", "services/connector", "chain verifier"),
    ("realm", "", "instance"),
    ("realms", "", "instances"),
    ("second_reader", "", "cross-check"),
    ("succeeds", "", "may replace"),
    ("wishes", "", "desired"),
];

#[test]
fn names_are_those_of_the_field() {
    let mut findings = Vec::new();
    for checked in crates() {
        for module in &checked.modules {
            let mut words = module.path.clone();
            identifiers(&module.tokens, &mut words);
            let words: BTreeSet<String> = words.into_iter().collect();
            for (name, scope, instead) in PRIVATE.iter().filter(|(name, ..)| words.contains(*name)) {
                if scope.is_empty() || *scope == checked.folder {
                    findings.push(format!("{}: {name}: write {instead}", module.file));
                }
            }
        }
    }
    assert_none(&findings, "a name that only this repository understands");
}
