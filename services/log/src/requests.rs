//! The request queue of each log, and the rulings on its requests.
//!
//! Invariants: a key (kind and id) of one submitter waits at most once in a queue, however often it is submitted; a request that
//! was taken and not finished within its lease is handed out again; who finishes a request is told whether it is gone while nobody
//! else had it; rulings are announced to those that listen and are not kept (the log is the truth: who misses one asks again).
//!
//! Submitters are the processes that a broker can tell apart, by its users; embedded and in memory there is one. The same key of
//! two of them waits twice, and is ruled on twice: a command's id is in the record of what came of it, and a
//! certificate that has its device already is accepted without another. A key without the submitter would let one
//! connector keep another's certificate from being ruled on, by submitting it with another body.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, RequestId};
use tokio::sync::mpsc;

use crate::error::BackboneError;

/// Most requests waiting in one queue.
pub const WAITING_MAX: u64 = 1_000_000;
/// Largest request, bytes.
pub const REQUEST_BYTES_MAX: usize = 900 * 1024;
/// How long a request waits on a broker before it is dropped: no caller waits for it any more, and one that needs it submits it again.
pub const REQUEST_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Certificate-connect events of one submitter that a registrar rules on in a second, for longer than a burst. A deployment of
/// several connectors was measured at 1,200 first connections a second in all.
pub const CONNECTS_PER_S_MAX: u32 = 2_000;
/// Certificate-connect events of one submitter that a registrar rules on at once, after a quiet time.
pub const CONNECTS_BURST_MAX: u32 = 4_000;
/// How long a taken request may stay unfinished before it is handed out again.
pub const LEASE: Duration = Duration::from_secs(10);
/// One part in so many of a lease its taker does not count on: see [`counted_on`].
const LEASE_MARGIN: u32 = 10;

/// How much of a lease its taker counts on, by its own monotonic clock and from before the request was handed out. The rest is for
/// clocks that run at another rate, and for what is on its way when the lease ends.
pub fn counted_on(lease: Duration) -> Duration {
    lease - lease / LEASE_MARGIN
}

/// What a request may come to. It is not in the request's own bytes, which are whatever the submitter wrote: a broker's
/// permissions can tell one kind from the other, and so can the registrar, without believing anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A connector's: a certificate that asks to be let in, nothing else.
    Connect,
    /// An operator's.
    Command,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It waits now.
    Queued,
    /// The same request waits already.
    AlreadyQueued,
}

/// A request that was taken.
#[derive(Debug)]
pub struct Delivery {
    /// As what it was submitted.
    pub kind: RequestKind,
    /// Its id, as submitted.
    pub id: RequestId,
    /// The request, as submitted.
    pub request: Bytes,
    /// What the implementation needs to finish it.
    pub receipt: Receipt,
}

/// Names one delivery to the queue that made it. Opaque.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt(pub String);

/// One announced ruling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncedRuling {
    /// The request it answers.
    pub id: RequestId,
    /// The ruling, encoded by [`crate::codec`].
    pub ruling: Bytes,
}

/// Requests in, rulings back.
#[async_trait]
pub trait RequestQueue: Send + Sync {
    /// Declares the queue of a log, or checks it against its declaration.
    ///
    /// # Errors
    /// [`BackboneError`] if that cannot be done.
    async fn open(&self, log: &LogId) -> Result<(), BackboneError>;

    /// Puts a request into the queue unless this process has it waiting there already as the same kind. It is kept when this returns, if
    /// perhaps not synced yet: a request that a crash loses is one that is made again. So is one that a registrar removes unruled,
    /// because its submitter is over a bound ([`CONNECTS_PER_S_MAX`]; on a broker also
    /// [`requests_of_submitter`](crate::limits::ShardLimits::requests_of_submitter), which this refuses before).
    ///
    /// # Errors
    /// [`BackboneError::LimitReached`] when [`WAITING_MAX`] wait, or the log's or this process's share of a broker does.
    async fn submit(
        &self,
        log: &LogId,
        kind: RequestKind,
        id: &RequestId,
        request: Bytes,
    ) -> Result<Submitted, BackboneError>;

    /// Takes 1 to `max` requests under [`LEASE`], oldest first; waits up to `wait` for the first, then returns what is
    /// there (so an empty answer means nothing came).
    ///
    /// # Errors
    /// [`BackboneError`] if the queue cannot be read.
    async fn take(&self, log: &LogId, max: usize, wait: Duration) -> Result<Vec<Delivery>, BackboneError>;

    /// Whether the taker of this delivery can count on being the only one that has the request: a tenth of its lease is left.
    fn is_leased(&self, log: &LogId, receipt: &Receipt) -> bool;

    /// Removes taken requests for good, and returns those that are gone while they were surely this taker's: none of them has been,
    /// or ever will be, handed out again. One whose lease has run out is left alone.
    ///
    /// # Errors
    /// [`BackboneError`] if that cannot be done, or it is not known whether it was; what is left comes again.
    async fn finish(&self, log: &LogId, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, BackboneError>;

    /// Tells listeners how requests were ruled on.
    ///
    /// # Errors
    /// [`BackboneError`] if that cannot be done.
    async fn announce(&self, log: &LogId, rulings: Vec<AnnouncedRuling>) -> Result<(), BackboneError>;

    /// Every ruling of a log announced from now on. When this returns, nothing announced later is missed, except while
    /// the connection to the backbone is down.
    ///
    /// # Errors
    /// [`BackboneError`] if listening cannot start.
    async fn rulings(&self, log: &LogId) -> Result<mpsc::Receiver<AnnouncedRuling>, BackboneError>;
}
