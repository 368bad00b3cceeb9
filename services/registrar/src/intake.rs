//! Taking requests from a queue and reading them.
//!
//! Does not decide them. Invariants: whatever was taken is answered or comes again; bytes that are no request of this
//! log are answered too, or they would come for ever. What a connector submitted is a certificate that asks to be let in
//! or it goes no further: who a request says it is from is the submitter's word, what it was submitted as is not. What was
//! submitted as a command is read only behind an API's proof.

use std::time::Duration;

use rollcall_domain::{
    ids::{LogId, RequestId},
    registry::{Actor, Request, RequestBody},
};
use rollcall_log::{
    BackboneError,
    codec::{AnyRequest, QueuedRequest, decode_request},
    requests::{Delivery, RequestKind, RequestQueue},
};

use crate::{
    proofs::Proofs,
    request::{Taken, Unfit},
};

/// Most requests taken at a time: what fits into one append.
const TAKEN_MAX: usize = rollcall_log::log::BATCH_RECORDS_MAX;
/// How long to wait for the first request.
const WAIT: Duration = Duration::from_secs(5);
/// Requests read before other tasks get their turn: about a millisecond of signature checks.
const READ_AT_ONCE_MAX: usize = 16;

/// Takes what there is, up to one batch; waits a while for the first.
pub(crate) async fn take(queue: &dyn RequestQueue, log: &LogId, proofs: &Proofs) -> Result<Vec<Taken>, BackboneError> {
    let deliveries = queue.take(log, TAKEN_MAX, WAIT).await?;
    let mut taken = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        if taken.len() % READ_AT_ONCE_MAX == READ_AT_ONCE_MAX - 1 {
            tokio::task::yield_now().await;
        }
        let request = read(log, proofs, &delivery);
        taken.push(Taken { id: delivery.id, receipt: delivery.receipt, request });
    }
    Ok(taken)
}

fn read(log: &LogId, proofs: &Proofs, delivery: &Delivery) -> Result<QueuedRequest, Unfit> {
    let bytes = match delivery.kind {
        RequestKind::Connect => delivery.request.clone(),
        RequestKind::Command => {
            let proven = proofs.verify(&delivery.id, &delivery.request);
            proven.map_err(|unproven| Unfit::Unproven(unproven.to_string()))?
        }
    };
    let request = decode_request(&bytes).map_err(|error| error.to_string())?;
    belongs(log, &delivery.id, &request)?;
    is_permitted(delivery.kind, &request.request)?;
    Ok(request)
}

/// A request must be of the queue's kind and carry the id that it was queued under: its ruling goes to that id.
fn belongs(log: &LogId, queued_as: &RequestId, request: &QueuedRequest) -> Result<(), String> {
    let id = match (log, &request.request) {
        (LogId::Fleet, AnyRequest::Fleet { id, .. }) => id,
        (LogId::Instance(_), AnyRequest::Registry(request)) => &request.id,
        (LogId::Fleet, AnyRequest::Registry(_)) => return Err("it is for an instance, not for the fleet".into()),
        (LogId::Instance(_), AnyRequest::Fleet { .. }) => return Err("it is for the fleet, not for an instance".into()),
    };
    if id == queued_as { Ok(()) } else { Err(format!("it says that it is request {id}")) }
}

/// A connector asks for nothing but for a certificate to be let in.
fn is_permitted(kind: RequestKind, request: &AnyRequest) -> Result<(), String> {
    match (kind, request) {
        (RequestKind::Command, AnyRequest::Fleet { .. } | AnyRequest::Registry(_)) => Ok(()),
        (
            RequestKind::Connect,
            AnyRequest::Registry(Request {
                actor: Actor::Certificate(_), body: RequestBody::CertificateConnect { .. }, ..
            }),
        ) => Ok(()),
        (RequestKind::Connect, AnyRequest::Fleet { .. } | AnyRequest::Registry(_)) => {
            Err("it was submitted as a connection, and it is an operator's: only a certificate's is taken so".into())
        }
    }
}
