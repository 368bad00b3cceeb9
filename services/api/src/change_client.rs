//! The way to the registrar as one service: a request in, "this process's own view has applied the ruling" out.
//!
//! The layers read as a recipe: shed load, bound the changes under way; the deadline is the request client's own, since only it
//! knows whether no registrar answered or none could be asked. Invariant: a change that was answered with a position can be
//! read back; one that was not answered may still be accepted, and submitting it again with the same request id never does it
//! twice.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rollcall_chassis::clock::Clock;
use rollcall_domain::{
    ids::{LogId, Position, RequestId},
    time::Timestamp,
};
use rollcall_log::{
    codec::{QueuedRequest, Ruling, encode_request},
    proof::{Bound, incarnation, prove},
    request_client::RequestClient,
    requests::{RequestKind, RequestQueue},
    signing::SigningKey,
};
use rollcall_projection::fleet::FleetSnapshot;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{BoxError, ServiceBuilder, ServiceExt, load_shed::error::Overloaded, util::BoxCloneSyncService};

use crate::{
    config::Limits,
    http::{codes::Code, error::ApiError},
};

/// Waits until what the API reads from has folded a position.
pub(crate) type ViewReached = Arc<dyn Fn(Position) -> BoxFuture<'static, Result<(), ApiError>> + Send + Sync>;

/// Signs commands, so that registrars take them for this API's. Cheap to clone.
#[derive(Clone)]
pub(crate) struct CommandSigner {
    key: Arc<SigningKey>,
    clock: Arc<dyn Clock>,
    fleet: watch::Receiver<Arc<FleetSnapshot>>,
}

impl CommandSigner {
    pub(crate) fn new(key: SigningKey, clock: Arc<dyn Clock>, fleet: watch::Receiver<Arc<FleetSnapshot>>) -> Self {
        Self { key: Arc::new(key), clock, fleet }
    }

    /// The command behind a proof of now.
    fn prove(&self, log: &LogId, request: &RequestId, command: &[u8]) -> Bytes {
        let incarnation = incarnation(&self.fleet.borrow().fleet, log);
        let now = Timestamp::from_unix_ms(self.clock.unix_ms());
        prove(&self.key, Bound { log, incarnation, request }, command, now)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The same at each sending.
    pub(crate) id: RequestId,
    pub(crate) request: QueuedRequest,
}

/// Submits changes of one log. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ChangeClient(BoxCloneSyncService<Change, Position, BoxError>);

impl ChangeClient {
    /// Starts listening for rulings, until `shutdown`, by one task of `tasks`.
    pub(crate) fn start(
        log: LogId,
        queue: Arc<dyn RequestQueue>,
        signer: CommandSigner,
        reached: ViewReached,
        limits: &Limits,
        tasks: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let (requests, deadline) = (RequestClient::start(log.clone(), queue, tasks, shutdown), limits.change());
        let service = tower::service_fn(move |change: Change| {
            let (requests, reached) = (requests.clone(), Arc::clone(&reached));
            let (log, signer) = (log.clone(), signer.clone());
            async move {
                let (command, id) = (encode_request(&change.request), change.id.clone());
                let make = move || signer.prove(&log, &id, &command);
                submit(&requests, &reached, &change.id, make, deadline).await.map_err(BoxError::from)
            }
        });
        let service = ServiceBuilder::new()
            .layer(BoxCloneSyncService::layer())
            .load_shed()
            .concurrency_limit(limits.changes_max as usize)
            .service(service);
        Self(service)
    }

    /// Submits a change and waits until it can be read back. The position is the record's, or the log's end if nothing had
    /// to be changed.
    ///
    /// # Errors
    /// The rejection, or why there is no ruling.
    pub(crate) async fn submit(&self, change: Change) -> Result<Position, ApiError> {
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

/// Carries an [`ApiError`] through the layers, which pass on boxed errors.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
struct Failed(ApiError);

async fn submit(
    requests: &RequestClient,
    reached: &ViewReached,
    id: &RequestId,
    make: impl Fn() -> Bytes + Send,
    deadline: Duration,
) -> Result<Position, Failed> {
    let ends = tokio::time::Instant::now() + deadline;
    let asked = requests.ask(RequestKind::Command, id, make, deadline).await;
    match asked.map_err(|error| Failed(error.into()))? {
        Ruling::Accepted { position } => match tokio::time::timeout_at(ends, reached(position)).await {
            Ok(outcome) => outcome.map(|()| position).map_err(Failed),
            Err(_) => Err(Failed(ApiError::not_ready())),
        },
        Ruling::Rejected(rejected) => Err(Failed(rejected.into())),
    }
}
