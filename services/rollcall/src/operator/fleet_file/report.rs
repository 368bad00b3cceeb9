//! Reports the outcome of applying a fleet file to the person at the terminal and to the process's log.

use super::{
    apply::ApplyReport,
    document::{BrokenRule, Document, FleetFileError, Warning},
    rehearsal::{Rehearsed, rehearse},
};

/// Prints what was refused and what is left to do; how much has changed goes into the log.
#[expect(clippy::print_stderr, reason = "what an operator has to do or mend is for the person at the terminal")]
pub(crate) fn report(document: &Document, outcome: ApplyReport) {
    for fault in document.faults.iter().chain(&outcome.faults) {
        eprintln!("rollcall: {}:{fault}", document.file.display());
    }
    warn(document, &outcome.warnings);
    for note in &outcome.notes {
        eprintln!("rollcall: {note}");
    }
    tracing::info!(
        changes = outcome.changes,
        warnings = outcome.warnings.len(),
        faults = document.faults.len() + outcome.faults.len(),
        "fleet file applied"
    );
}

/// Prints warnings about a document, each with its place.
#[expect(clippy::print_stderr, reason = "what is hardly meant is for the person at the terminal")]
fn warn(document: &Document, warnings: &[Warning]) {
    for warning in warnings {
        eprintln!("rollcall: warning: {}:{warning}", document.file.display());
    }
}

/// Checks a document with the domain's rules and prints what is hardly meant; how many instances it declares. With `partial`
/// it may name what it does not declare.
///
/// # Errors
/// [`FleetFileError::Faults`]: everything that would be refused.
pub(crate) fn check(mut document: Document, partial: bool) -> Result<usize, FleetFileError> {
    let Rehearsed { faults, undeclared, unavailable } = rehearse(&document);
    let warned = |broken: BrokenRule| Warning { place: broken.place, text: broken.rule };
    document.warnings.extend(unavailable.into_iter().map(warned));
    document.faults.extend(faults);
    if partial {
        document.warnings.extend(undeclared.into_iter().map(warned));
    } else {
        let hint = "declare it, or give --partial if the deployment has it";
        let fault = |broken: BrokenRule| BrokenRule { rule: format!("{}: {hint}", broken.rule), ..broken };
        document.faults.extend(undeclared.into_iter().map(fault));
    }
    document.faults.sort_by_key(|fault| fault.place.line);
    warn(&document, &document.warnings);
    document.without_fault().map(|document| document.instances.len())
}
