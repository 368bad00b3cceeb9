//! The innermost service: submits the certificate-connect request and waits until the view has applied the ruling.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use rollcall_chassis::{clock::Clock, trace_context};
use rollcall_domain::{
    refusal::Refusal,
    registry::{Actor, Request, RequestBody},
    time::Timestamp,
};
use rollcall_log::{
    BackboneError,
    codec::{AnyRequest, QueuedRequest, Ruling, encode_request},
    repeats::Repeats,
    request_client::{RequestClient, RequestClientError},
    requests::RequestKind,
};
use rollcall_projection::admission::AdmissionView;
use tower::{BoxError, Service};

use super::{
    applied::AppliedRequests,
    certificate_connect::{CertificateConnect, request_id},
};

/// Asks the registrar.
#[derive(Clone)]
pub(super) struct Submit(Arc<Inner>);

struct Inner {
    request_client: RequestClient,
    view: AdmissionView,
    applied: Arc<AppliedRequests>,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    repeats: Repeats,
}

impl Submit {
    pub(super) fn new(
        request_client: RequestClient,
        view: AdmissionView,
        applied: Arc<AppliedRequests>,
        clock: Arc<dyn Clock>,
        deadline: Duration,
    ) -> Self {
        // Shorter than the deadline of the layer: only here is a missing answer told from a queue that could not be
        // reached.
        let deadline = deadline - deadline / 10;
        Self(Arc::new(Inner { request_client, view, applied, clock, deadline, repeats: Repeats::default() }))
    }
}

impl Service<CertificateConnect> for Submit {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, event: CertificateConnect) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move { inner.apply(event).await.map_err(Into::into) })
    }
}

impl Inner {
    async fn apply(&self, event: CertificateConnect) -> Result<(), Refusal> {
        let id = request_id(&event.sha256, event.claimed.as_ref());
        let request = QueuedRequest {
            submitted_at: Timestamp::from_unix_ms(self.clock.unix_ms()),
            // The registrar's part of the registration then shows under this one.
            traceparent: trace_context::current(),
            request: AnyRequest::Registry(Request {
                id: id.clone(),
                actor: Actor::Certificate(event.sha256),
                body: RequestBody::CertificateConnect { chain: event.chain, claimed: event.claimed },
            }),
        };
        let queued = encode_request(&request);
        tokio::select! {
            ruled = self.request_client.ask(RequestKind::Connect, &id, || queued.clone(), self.deadline) => self.follow(ruled).await,
            () = self.applied.wait(&id) => Ok(()),
        }
    }

    async fn follow(&self, ruled: Result<Ruling, RequestClientError>) -> Result<(), Refusal> {
        match ruled {
            Ok(Ruling::Accepted { position }) => self.view.reached(position).await.map_err(|_| Refusal::ShuttingDown),
            Ok(Ruling::Rejected(rejected)) => {
                Err(Refusal::RegistrationRuledOut { code: rejected.code.into(), text: rejected.message.into() })
            }
            Err(RequestClientError::TimedOut { .. }) => Err(Refusal::RegistrationTimedOut),
            Err(RequestClientError::Backbone(BackboneError::LimitReached { .. })) => Err(Refusal::RegistrationShed),
            // Its log says so, once.
            Err(RequestClientError::Backbone(BackboneError::Unwritable { .. })) => Err(Refusal::RegistryUnavailable),
            Err(RequestClientError::Backbone(error)) => {
                if let Some(left_out) = self.repeats.failed(&error) {
                    tracing::warn!(%error, left_out, "a certificate-connect event could not be queued");
                }
                Err(Refusal::RegistryUnavailable)
            }
        }
    }
}
