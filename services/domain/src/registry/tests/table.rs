//! The decision table: every state crossed with every request, as a file that a reviewer reads.
//!
//! `golden/decisions.md` is what the rules say; a change of a rule shows as a change of that file. `BLESS=1` rewrites it.

mod configuration;
mod connections;
mod devices;

use std::fmt::Write as _;

use super::world::World;
use crate::registry::Command;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/decisions.md");

const PREFACE: &str = "\
# The decision table

What the rules of Rollcall say to every state crossed with every request. Written by a test, which fails when a rule says
something else; `BLESS=1 cargo nextest run -p rollcall-domain the_decision_table` rewrites it for review.

";

#[test]
fn the_decision_table() {
    let mut table = String::from(PREFACE);
    connections::connections(&mut table);
    devices::commands(&mut table);
    configuration::commands(&mut table);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(GOLDEN, &table).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    let difference = golden.lines().zip(table.lines()).find(|(golden, table)| golden != table);
    assert!(golden == table, "the rules differ from {GOLDEN}; first difference (golden, now): {difference:?}");
}

/// The device id that all of this is about; the certificate's CN is `dev1`.
const DEVICE: &str = "meter_dev1";

/// Every command against every state, a column each.
fn cross(table: &mut String, title: &str, states: &[(&str, World)], commands: &[(&str, Command)]) {
    let _ = write!(table, "\n## {title}\n\n| |");
    for (state, _) in states {
        let _ = write!(table, " {state} |");
    }
    let _ = write!(table, "\n| --- |{}\n", " --- |".repeat(states.len()));
    for (request, command) in commands {
        let _ = write!(table, "| {request} |");
        for (_, world) in states {
            let _ = write!(table, " {} |", world.clone().word(command.clone()));
        }
        table.push('\n');
    }
}
