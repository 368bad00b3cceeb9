//! How a view stands: how far it is, how its log is proven, whether it moves.

use std::sync::Arc;

use rollcall_domain::ids::Position;
use rollcall_log::{
    codec::Record,
    seal::{Digest, LastBatch, Point, SealKeys, Sealing},
    signing::KeyId,
};

use crate::foreign::ForeignSeen;

/// How a view stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewStatus {
    /// How far the log has been folded.
    pub position: Position,
    /// Whether everything that was in the log when following began has been folded. A view that was opened again and
    /// cannot reach the log has `caught_up: false`, its earlier position and [`ViewHealth::Stale`]: it may be used.
    pub caught_up: bool,
    /// The log's digest over what was ours, for comparing views at one position.
    pub digest: Digest,
    /// How what follows on the position has to be proven.
    pub sealing: Sealing,
    /// The last batch of ours up to the position.
    pub batch: Option<LastBatch>,
    /// How the log is proven to hold registrars' records and no others'.
    pub proof: LogProof,
    /// Records that were not ours and were stepped over; `None` if there was none.
    pub foreign: Option<ForeignSeen>,
    /// Raised when what lookups are made in was replaced as a whole: the log was another one or had lost records, or the
    /// view was built again. [`AdmissionView::applied`](crate::admission::AdmissionView::applied) may leave out what was
    /// folded meanwhile, so a reader that keeps anything it decided by this view decides it again, as soon as the view may
    /// be relied upon.
    pub generation: u64,
    /// What is happening.
    pub health: ViewHealth,
}

impl ViewStatus {
    /// Where the view stands in its log.
    pub const fn point(&self) -> Point {
        Point { position: self.position, digest: self.digest, sealing: self.sealing, batch: self.batch }
    }
}

/// How a log is proven to hold registrars' records and no others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogProof {
    /// This process has no registrar's public key: everything that stands in the log is taken for ours.
    WithoutKeys,
    /// Version 0.1 began the log and no operator has adopted it: everything that stands in it is taken for ours.
    Unsigned,
    /// The log is to be sealed from its first record on, and holds none yet.
    Awaited,
    /// By seals, the last of them by this key.
    Sealed(KeyId),
}

impl LogProof {
    pub(crate) fn of(sealing: Sealing, keys: &SealKeys) -> Self {
        match sealing {
            Sealing::Unsigned if keys.is_empty() => Self::WithoutKeys,
            Sealing::Unsigned => Self::Unsigned,
            Sealing::Awaited => Self::Awaited,
            Sealing::By(key) => Self::Sealed(key.id()),
        }
    }
}

/// Whether a view moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewHealth {
    /// It follows the log.
    Following,
    /// The log cannot be reached, or the view is being built again; what is known stays in use.
    Stale { reason: String },
    /// A record cannot be read; the view stands before it until an operator upgrades or repairs.
    Parked { at: Position, reason: String },
    /// The log holds what cannot be proven with the keys of this process; what is known stays in use.
    Unproven {
        /// Why, and what to do.
        reason: String,
    },
    /// Nothing keeps it up any more: it has no user, or it failed. It never moves again and nothing may be decided by it;
    /// the store opens it anew.
    Ended,
}

/// A record that has just been folded.
#[derive(Clone, Debug)]
pub struct Applied {
    pub position: Position,
    pub record: Arc<Record>,
}
