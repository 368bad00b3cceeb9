//! Deciding a batch: one request after the other, each against what is known and what was decided before it.
//!
//! Writes nothing: a [`Draft`] means nothing until the log has confirmed it. Invariant: a draft is a function of the
//! requests, the state at `expected`, the clock and entropy; it is thrown away whole when the log ends elsewhere.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use rollcall_chassis::{clock::Clock, entropy::Entropy, trace_context};
use rollcall_domain::{
    ids::{LogId, Position, RequestId},
    registry::Actor,
    rejection::Rejection,
    time::Timestamp,
};
use rollcall_log::{
    codec::{AnyEvent, AnyRequest, QueuedRequest, Record, RejectedRuling, encode_record, request_sha256},
    log::{BATCH_RECORDS_MAX, NewRecord, RECORD_BYTES_MAX},
};

use crate::{
    log_state::{Decided, LogState, Rejected},
    request::{Taken, Unfit},
};

/// Most bytes of records in one append. One record may be larger than what is left, never larger than all of it.
const BATCH_BYTES_MAX: usize = 8 * RECORD_BYTES_MAX;
/// Who made a record that nobody asked for.
const REGISTRAR: &str = "registrar";
/// Requests decided before other tasks get their turn: some milliseconds of signature checks.
const DECIDED_AT_ONCE_MAX: usize = 16;

/// What becomes of one request if the log confirms the draft.
#[derive(Debug)]
pub(crate) enum DraftRuling {
    /// A record of the draft, at this position.
    Recorded(Position),
    /// Nothing to write.
    AlreadySo,
    /// The record of an earlier round.
    RuledBefore(Position),
    Rejected(Box<Rejected>),
    /// Not a request of this log, or not a proven one, or one that cannot be decided at all.
    Unfit(Unfit),
}

impl DraftRuling {
    /// Whether a record says so, to every registrar that the request comes to again.
    pub(crate) fn is_recorded(&self) -> bool {
        match self {
            Self::Recorded(_) | Self::RuledBefore(_) => true,
            Self::AlreadySo | Self::Rejected(_) | Self::Unfit(_) => false,
        }
    }
}

/// A decided batch that the log has not confirmed yet.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// For the first requests of the batch, in order; those after them wait for the next draft.
    pub(crate) rulings: Vec<DraftRuling>,
    /// The records that are to follow on the expected position.
    pub(crate) records: Vec<NewRecord>,
    bytes: usize,
}

impl Draft {
    /// Whether the rulings say something that is only true if the log still ends where it was expected to.
    pub(crate) fn depends_on_the_end(&self) -> bool {
        self.rulings.iter().any(|ruling| match ruling {
            DraftRuling::Recorded(_) | DraftRuling::AlreadySo | DraftRuling::Rejected(_) => true,
            DraftRuling::RuledBefore(_) | DraftRuling::Unfit(_) => false,
        })
    }

    /// A record that the registrar makes by itself.
    pub(crate) fn of_chore(log: &LogId, event: AnyEvent, now: Timestamp, entropy: &dyn Entropy) -> Self {
        let id = entropy.uuid_v7(now.unix_ms());
        let cause = RequestId::parse(&format!("{REGISTRAR}-{id}")).expect("a UUID is hexadecimal digits and '-'");
        let actor = Actor::Operator(REGISTRAR.into());
        let record = Record { id, log: log.clone(), time: now, cause, actor, traceparent: None, event };
        let record = NewRecord { record: encode_record(&record), request_sha256: None };
        Self { rulings: Vec::new(), bytes: record.record.len(), records: vec![record] }
    }

    fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS_MAX || self.bytes + RECORD_BYTES_MAX > BATCH_BYTES_MAX
    }
}

/// Decides as many of `taken` as one draft holds. Empty only if the first of them has to [wait](Decided::Wait).
pub(crate) async fn draft<R: LogState>(
    state: &mut R,
    log: &LogId,
    taken: &[Taken],
    expected: Position,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Draft {
    let mut draft = Draft::default();
    state.begin();
    for (count, taken) in taken.iter().enumerate() {
        if draft.is_full() {
            break;
        }
        if count % DECIDED_AT_ONCE_MAX == DECIDED_AT_ONCE_MAX - 1 {
            tokio::task::yield_now().await;
        }
        let queued = match &taken.request {
            Ok(queued) => queued,
            Err(unfit) => {
                draft.rulings.push(DraftRuling::Unfit(unfit.clone()));
                continue;
            }
        };
        let now = Timestamp::from_unix_ms(clock.unix_ms());
        let _span = span(log, &taken.id, queued.traceparent.as_deref()).entered();
        let ruling = match guarded(state, log, &taken.id, &queued.request, now) {
            Err(Failed) => DraftRuling::Unfit(Unfit::Unreadable("ruling failed".into())),
            Ok(decided) => match decided {
                Decided::Grant(event) => {
                    let id = entropy.uuid_v7(now.unix_ms());
                    let record = record(id, log, &taken.id, queued, event, now);
                    let position = Position(expected.0 + draft.records.len() as u64 + 1);
                    write(state, &mut draft, &record, queued, position)
                }
                Decided::AlreadySo => DraftRuling::AlreadySo,
                Decided::RuledBefore(position) => DraftRuling::RuledBefore(position),
                Decided::Reject(rejected) => DraftRuling::Rejected(rejected),
                Decided::Wait => break,
            },
        };
        draft.rulings.push(ruling);
    }
    draft
}

/// The span of one ruling: it continues the requester's trace.
fn span(log: &LogId, request: &RequestId, traceparent: Option<&str>) -> tracing::Span {
    let span = tracing::debug_span!("rule", %log, %request);
    if let Some(traceparent) = traceparent {
        trace_context::continue_from(&span, traceparent);
    }
    span
}

/// Deciding a request has panicked.
struct Failed;

/// What the state says of a request, even of one that it was not written for: a panic let through here would end the
/// worker, and the same request would end every worker after it, for it comes again until it is answered.
fn guarded<R: LogState>(
    state: &mut R,
    log: &LogId,
    id: &RequestId,
    request: &AnyRequest,
    now: Timestamp,
) -> Result<Decided, Failed> {
    // Deciding only reads; what it leaves half done is at most a cache of what was looked up.
    catch_unwind(AssertUnwindSafe(|| state.decide(request, now))).map_err(|panic| {
        tracing::error!(%log, request = %id, panic = text(&*panic), "deciding a request failed: it is answered as unreadable");
        Failed
    })
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Adds a record to the draft, unless no log would take it.
fn write<R: LogState>(
    state: &mut R,
    draft: &mut Draft,
    record: &Record,
    queued: &QueuedRequest,
    position: Position,
) -> DraftRuling {
    let bytes = encode_record(record);
    if bytes.len() > RECORD_BYTES_MAX {
        // Found here and not by the log: there it would take the whole batch with it, for ever.
        let rejection = Rejection::LimitReached { what: "bytes in one record", max: RECORD_BYTES_MAX as u64 };
        let ruling = RejectedRuling::from(&rejection);
        return DraftRuling::Rejected(Box::new(Rejected { at: record.time, ruling, attribution: None, checks: Vec::new() }));
    }
    draft.bytes += bytes.len();
    // A certificate that connects is known again by itself; an operator's request by its id, and by what it asks.
    let request_sha256 = matches!(record.actor, Actor::Operator(_)).then(|| request_sha256(queued));
    draft.records.push(NewRecord { record: bytes, request_sha256 });
    state.apply_pending(&record.cause, &record.event, record.time, position);
    DraftRuling::Recorded(position)
}

fn record(
    id: uuid::Uuid,
    log: &LogId,
    cause: &RequestId,
    queued: &QueuedRequest,
    event: AnyEvent,
    time: Timestamp,
) -> Record {
    let actor: &Actor = match &queued.request {
        AnyRequest::Fleet { actor, .. } => actor,
        AnyRequest::Registry(request) => &request.actor,
    };
    let traceparent = queued.traceparent.clone().filter(|text| trace_context::is_traceparent(text));
    Record { id, log: log.clone(), time, cause: cause.clone(), actor: actor.clone(), traceparent, event }
}
