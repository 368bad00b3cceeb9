//! The way to the registrar as one service: a request in, "our own view has applied the ruling" out.
//!
//! The layers read as a recipe: shed what is too much, bound how many are under way; the deadline is the petition's own,
//! since only there is it known whether nobody answered or nobody could be asked. Invariant: what was answered with a
//! position can be read back; what was not answered may still come about, and asking again with the same request id never
//! does it twice.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rollcall_backbone::{
    codec::{AnyRequest, QueuedRequest, Ruling, encode_request},
    proof::{Bound, incarnation, prove},
    request_client::RequestClient,
    requests::{RequestKind, RequestQueue},
    signing::SigningKey,
};
use rollcall_chassis::clock::Clock;
use rollcall_domain::{
    ids::{LogId, Position, RequestId},
    time::Timestamp,
};
use rollcall_projection::fleet::FleetSnapshot;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, ServiceBuilder, ServiceExt, load_shed::error::Overloaded, util::BoxCloneSyncService};

use crate::{codes::Code, config::Limits, error::ApiError};

/// Waits until what the API reads from has folded a position.
pub(crate) type Reached = Arc<dyn Fn(Position) -> BoxFuture<'static, Result<(), ApiError>> + Send + Sync>;

/// What proves that commands are this API's. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Proving {
    key: Arc<SigningKey>,
    clock: Arc<dyn Clock>,
    fleet: watch::Receiver<Arc<FleetSnapshot>>,
}

impl Proving {
    pub(crate) fn new(key: SigningKey, clock: Arc<dyn Clock>, fleet: watch::Receiver<Arc<FleetSnapshot>>) -> Self {
        Self { key: Arc::new(key), clock, fleet }
    }

    /// The command behind a proof made now.
    fn prove(&self, log: &LogId, request: &RequestId, command: &[u8]) -> Bytes {
        let incarnation = incarnation(&self.fleet.borrow().fleet, log);
        let now = Timestamp::from_unix_ms(self.clock.unix_ms());
        prove(&self.key, Bound { log, incarnation, request }, command, now)
    }
}

/// One change.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The same however often it is asked for.
    pub(crate) id: RequestId,
    /// What is asked, whole.
    pub(crate) request: QueuedRequest,
}

/// Changes of one log. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Changes(BoxCloneSyncService<Change, Position, BoxError>);

impl Changes {
    /// Starts listening for rulings, until `shutdown`.
    pub(crate) fn start(
        log: LogId,
        queue: Arc<dyn RequestQueue>,
        proving: Proving,
        reached: Reached,
        limits: &Limits,
        shutdown: CancellationToken,
    ) -> Self {
        let (request_client, deadline) = (RequestClient::start(log.clone(), queue, shutdown), limits.change());
        let petition = tower::service_fn(move |change: Change| {
            let (request_client, reached) = (request_client.clone(), Arc::clone(&reached));
            let (log, proving) = (log.clone(), proving.clone());
            async move {
                let (command, id) = (encode_request(&change.request), change.id.clone());
                let make = move || proving.prove(&log, &id, &command);
                ask(&request_client, &reached, &change.id, make, deadline).await.map_err(BoxError::from)
            }
        });
        let service = ServiceBuilder::new()
            .layer(BoxCloneSyncService::layer())
            .load_shed()
            .concurrency_limit(limits.changes_max as usize)
            .service(petition);
        Self(service)
    }

    /// Asks, and waits until it can be read back. The position is the record's, or the log's last if it was already so.
    ///
    /// # Errors
    /// The rejection, or why there is no ruling.
    pub(crate) async fn ask(&self, change: Change) -> Result<Position, ApiError> {
        self.0.clone().oneshot(change).await.map_err(|error| {
            if error.is::<Overloaded>() {
                let text = "more changes of this instance are under way than this process takes on: try again";
                return ApiError::new(Code::Overloaded, text).retry_after(1);
            }
            match error.downcast::<Failed>() {
                Ok(failed) => failed.0,
                Err(error) => {
                    tracing::error!(%error, "a change failed in an unforeseen way");
                    ApiError::new(Code::Internal, "the change failed in an unforeseen way")
                }
            }
        })
    }
}

/// An error of ours on its way through layers that know none of it.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
struct Failed(ApiError);

async fn ask(
    request_client: &RequestClient,
    reached: &Reached,
    id: &RequestId,
    make: impl Fn() -> Bytes + Send,
    deadline: Duration,
) -> Result<Position, Failed> {
    let ends = tokio::time::Instant::now() + deadline;
    let asked = request_client.ask(RequestKind::Command, id, make, deadline).await;
    match asked.map_err(|error| Failed(error.into()))? {
        Ruling::Accepted { position } => match tokio::time::timeout_at(ends, reached(position)).await {
            Ok(outcome) => outcome.map(|()| position).map_err(Failed),
            Err(_) => Err(Failed(ApiError::not_ready())),
        },
        Ruling::Rejected(rejected) => Err(Failed(rejected.into())),
    }
}

/// A request of an operator, ready to be queued.
pub(crate) fn queued(
    request: AnyRequest,
    now: rollcall_domain::time::Timestamp,
    traceparent: Option<String>,
) -> QueuedRequest {
    QueuedRequest { submitted_at: now, traceparent, request }
}
