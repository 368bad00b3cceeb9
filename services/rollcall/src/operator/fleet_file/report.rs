//! Reports the outcome of applying a fleet file to the person at the terminal and to the process's log.

use super::{apply::ApplyReport, document::Document};

/// Prints what was refused and what is left to do; how much has changed goes into the log.
#[expect(clippy::print_stderr, reason = "what an operator has to do or mend is for the person at the terminal")]
pub(crate) fn report(document: &Document, outcome: ApplyReport) {
    for fault in &outcome.faults {
        eprintln!("rollcall: {}:{fault}", document.file.display());
    }
    for note in &outcome.notes {
        eprintln!("rollcall: {note}");
    }
    tracing::info!(changes = outcome.changes, faults = outcome.faults.len(), "fleet file applied");
}
