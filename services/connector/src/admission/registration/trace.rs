//! The outermost layer: a span and the metrics of one registration.

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use rollcall_domain::{ids::InstanceId, refusal::Refusal};
use tokio::time::Instant;
use tower::{BoxError, Layer, Service};
use tracing::Instrument;

use super::certificate_connect::CertificateConnect;
use crate::metrics::metrics;

/// Traces the services below it.
#[derive(Clone)]
pub(super) struct TraceLayer(InstanceId);

impl TraceLayer {
    pub(super) fn new(instance: InstanceId) -> Self {
        Self(instance)
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace { instance: self.0.clone(), inner }
    }
}

/// A service that is traced.
#[derive(Clone)]
pub(super) struct Trace<S> {
    instance: InstanceId,
    inner: S,
}

impl<S> Service<CertificateConnect> for Trace<S>
where
    S: Service<CertificateConnect, Response = (), Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, event: CertificateConnect) -> Self::Future {
        let span = tracing::info_span!("registration", instance = %self.instance, ca = %event.ca);
        let (started, applied) = (Instant::now(), self.inner.call(event));
        let trace = async move {
            let applied = applied.await;
            metrics().registration(outcome(&applied), started.elapsed().as_secs_f64() * 1000.0);
            applied
        };
        Box::pin(trace.instrument(span))
    }
}

fn outcome(applied: &Result<(), BoxError>) -> &str {
    match applied {
        Ok(()) => "applied",
        Err(error) => error.downcast_ref::<Refusal>().map_or("unanswered", Refusal::code),
    }
}
