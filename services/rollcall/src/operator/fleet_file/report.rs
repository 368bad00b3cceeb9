//! Reports the outcome of applying a fleet file to the person at the terminal and to the process's log.

use super::{
    apply::ApplyReport,
    document::{Document, Warning},
};

/// Prints what was refused and what is left to do; how much has changed goes into the log.
#[expect(clippy::print_stderr, reason = "what an operator has to do or mend is for the person at the terminal")]
pub(crate) fn report(document: &Document, outcome: ApplyReport) {
    for fault in &outcome.faults {
        eprintln!("rollcall: {}:{fault}", document.file.display());
    }
    warn(document, &outcome.warnings);
    for note in &outcome.notes {
        eprintln!("rollcall: {note}");
    }
    tracing::info!(
        changes = outcome.changes,
        warnings = outcome.warnings.len(),
        faults = outcome.faults.len(),
        "fleet file applied"
    );
}

/// Prints warnings about a document, each with its place.
#[expect(clippy::print_stderr, reason = "what is hardly meant is for the person at the terminal")]
pub(crate) fn warn(document: &Document, warnings: &[Warning]) {
    for warning in warnings {
        eprintln!("rollcall: warning: {}:{warning}", document.file.display());
    }
}
