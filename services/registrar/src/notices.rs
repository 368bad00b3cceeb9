//! What a registrar has said of the troubles of one log, kept from one worker to the next.
//!
//! Invariant: a worker that is put up again does not say again what the one before it said.

use rollcall_log::repeats::Repeats;

/// One for each place that is tried again.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    /// Log and queue cannot be opened.
    pub(crate) opening: Repeats,
    /// Requests cannot be taken.
    pub(crate) taking: Repeats,
    /// The end of the log is not known.
    pub(crate) ending: Repeats,
    /// Nothing can be appended, or it is not known whether it was.
    pub(crate) appending: Repeats,
    /// Rulings cannot be announced.
    pub(crate) announcing: Repeats,
    /// Refused attempts cannot be kept.
    pub(crate) keeping: Repeats,
    /// Requests cannot be finished.
    pub(crate) finishing: Repeats,
    /// Requests that cannot be read or decided.
    pub(crate) reading: Repeats,
}
