//! How a failure is told to the person at the terminal: on standard error, with its causes.

/// Prints an error and its causes, outermost first.
#[expect(clippy::print_stderr, reason = "the one place that tells a person why the command failed")]
pub fn explain(error: &anyhow::Error) {
    eprintln!("rollcall: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}
