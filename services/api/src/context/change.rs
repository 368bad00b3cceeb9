//! A change on its way to the registrar: its id, its submission, and the record that an earlier sending of it has made.

use rollcall_chassis::trace_context;
use rollcall_domain::ids::{LogId, Position, RequestId};
use rollcall_log::codec::{AnyEvent, AnyRequest, QueuedRequest, decode_record};

use super::idempotency::Idempotency;
use crate::{
    change_client::{Change, ChangeClient},
    http::{codes::Code, error::ApiError},
    state::Api,
};

/// A change that the registrar has accepted and this process's view has applied.
#[derive(Clone, Debug)]
pub(crate) struct AcceptedChange<E> {
    /// Where the record is, or the log's end if nothing had to be changed.
    pub(crate) position: Position,
    /// The event of an earlier sending of the same request: what that made is what this one asked for.
    pub(crate) earlier: Option<E>,
}

/// The id of the `n`th change of a request: the same at each sending if there is an idempotency key.
pub(super) fn request_id(api: &Api, idempotency: &Idempotency, n: usize) -> RequestId {
    idempotency.request_id(n).unwrap_or_else(|| {
        let text = format!("api-{}", api.entropy.uuid_v7(api.clock.unix_ms()));
        RequestId::parse(&text).expect("hex digits and dashes, within the length of a request id")
    })
}

/// Submits a change and waits until it can be read back. The position is the record's, or the log's end.
///
/// # Errors
/// The rejection, or why there is no ruling.
pub(super) async fn submit(
    api: &Api,
    changes: &ChangeClient,
    id: &RequestId,
    request: AnyRequest,
) -> Result<Position, ApiError> {
    let request = QueuedRequest { submitted_at: api.now(), traceparent: trace_context::current(), request };
    changes.submit(Change { id: id.clone(), request }).await
}

/// The event at a position, if it came of this request.
///
/// # Errors
/// The backbone's, or [`Code::Internal`] for a record that this version cannot read.
pub(super) async fn record_of(
    api: &Api,
    log: &LogId,
    position: Position,
    id: &RequestId,
) -> Result<Option<AnyEvent>, ApiError> {
    let before = Position(position.0.saturating_sub(1));
    let Some(entry) = api.backbone.log.read(log, before, 1).await?.pop() else { return Ok(None) };
    let record = decode_record(log, &entry.record).map_err(|error| {
        tracing::error!(%log, %position, %error, "a record cannot be read");
        ApiError::new(Code::Internal, "the log holds a record that this version cannot read")
    })?;
    Ok((record.cause == *id).then_some(record.event))
}
