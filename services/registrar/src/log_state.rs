//! What the requests of one log are decided against, as its worker sees it: a view, and what is pending over it.
//!
//! The fleet's log and the instances' have one each. Invariant: what is decided is a function of the request, the state, the
//! time and entropy; nothing is written here.

use std::fmt;

use rollcall_domain::{
    ids::{Position, RequestId},
    registry::{Attribution, Check},
    time::Timestamp,
};
use rollcall_log::{
    codec::{AnyEvent, AnyRequest, RejectedRuling},
    seal::{Digest, Point, SealedLog, Sealing},
};

use crate::request::Taken;

/// The view that requests are decided against has been closed.
#[derive(Debug)]
pub(crate) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the view of the log has been closed")
    }
}

/// What requests of one log are decided against.
pub(crate) trait LogState: Send {
    /// Returns once everything up to `last` is known, and forgets what was pending.
    fn catch_up(&mut self, last: Position) -> impl Future<Output = Result<(), Closed>> + Send;

    /// Sees to what has to be there before requests can be granted. What is not there, [`decide`](Self::decide) refuses.
    fn prepare(&mut self, _taken: &[Taken]) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// How far the log is known to go, without asking it.
    fn tip(&self) -> Tip;

    /// Which log its records are sealed for.
    fn sealed_log(&self) -> &SealedLog;

    /// Looks at the latest state before a batch.
    fn begin(&mut self);

    /// Decides one request as of everything known and pending.
    fn decide(&mut self, request: &AnyRequest, now: Timestamp) -> Decided;

    /// Takes `event` to have happened at `position`, before the log has confirmed it.
    fn apply_pending(&mut self, cause: &RequestId, event: &AnyEvent, at: Timestamp, position: Position);

    /// What is to be recorded without anybody having asked: asked now and then, while nothing is pending.
    fn chore(&self, _now: Timestamp) -> Option<AnyEvent> {
        None
    }

    /// Whether every lookup since [`begin`](Self::begin) can be believed, and the state still moves.
    fn is_sound(&self) -> bool;
}

/// Where a log ends, and what a seal of the next batch needs to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tip {
    /// Its last position, foreign records included.
    pub(crate) position: Position,
    pub(crate) digest: Digest,
    /// How what follows has to be proven.
    pub(crate) sealing: Sealing,
}

impl From<Point> for Tip {
    fn from(point: Point) -> Self {
        Self { position: point.position, digest: point.digest, sealing: point.sealing }
    }
}

/// What a state says of one request.
#[derive(Debug)]
pub(crate) enum Decided {
    /// This is to happen.
    Grant(AnyEvent),
    /// It is already so.
    AlreadySo,
    /// It came to the record at this position before.
    RuledBefore(Position),
    /// It is refused.
    Reject(Box<Rejected>),
    /// It can only be decided once nothing is pending.
    Wait,
}

/// A refusal with what people want to see of it.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) at: Timestamp,
    pub(crate) ruling: RejectedRuling,
    /// Whose the certificate was; `None` of a command.
    pub(crate) attribution: Option<Attribution>,
    /// Every check made, in order.
    pub(crate) checks: Vec<Check>,
}
