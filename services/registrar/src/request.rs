//! A request that was taken from the queue of a log, and why one is not decided at all.

use rollcall_domain::{ids::RequestId, rejection::Rejection};
use rollcall_log::{codec::QueuedRequest, requests::Receipt};

/// One request that was taken.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Its id, as queued.
    pub(crate) id: RequestId,
    /// Names the delivery.
    pub(crate) receipt: Receipt,
    /// What it asks, or why that cannot be read.
    pub(crate) request: Result<QueuedRequest, Unfit>,
}

/// Why something that was taken is not decided at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It cannot be read, or is none of this log.
    Unreadable(String),
    /// It is an operator's command without an API's proof; counted and logged by [`Proofs`].
    Unproven(String),
}

impl From<String> for Unfit {
    fn from(reason: String) -> Self {
        Self::Unreadable(reason)
    }
}

impl From<&Unfit> for Rejection {
    fn from(unfit: &Unfit) -> Self {
        match unfit {
            Unfit::Unreadable(reason) => Self::MalformedRequest(reason.clone()),
            Unfit::Unproven(reason) => Self::CommandUnproven(reason.clone()),
        }
    }
}
