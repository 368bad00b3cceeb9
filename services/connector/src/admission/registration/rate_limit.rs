//! Limits the rate of registrations per CA certificate and per source, so that one owner's storm, or one network's,
//! leaves room for the others. A request over the rate is shed at once with a retry hint; nothing waits here.

use std::{
    hash::Hash,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{Either, Ready, ready};
use rollcall_chassis::{rate_limit::RateLimit, sources::SourceNetwork};
use rollcall_domain::{ids::CaId, refusal::Refusal};
use tower::{BoxError, Layer, Service};

use super::certificate_connect::CertificateConnect;

/// Limits the rate of the services below it.
#[derive(Clone)]
pub(super) struct RateLimitLayer(Arc<RateLimiters>);

struct RateLimiters {
    cas: RateLimit<CaId>,
    sources: RateLimit<SourceNetwork>,
}

impl RateLimitLayer {
    pub(super) fn new(per_ca_per_s_max: u32, per_source_per_s_max: u32) -> Self {
        Self(Arc::new(RateLimiters { cas: per_second(per_ca_per_s_max), sources: per_second(per_source_per_s_max) }))
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimited<S>;

    fn layer(&self, inner: S) -> RateLimited<S> {
        RateLimited { limiters: self.0.clone(), inner }
    }
}

/// A service that is paced.
#[derive(Clone)]
pub(super) struct RateLimited<S> {
    limiters: Arc<RateLimiters>,
    inner: S,
}

impl<S: Service<CertificateConnect, Error = BoxError>> Service<CertificateConnect> for RateLimited<S> {
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<S::Future, Ready<Result<S::Response, BoxError>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, event: CertificateConnect) -> Self::Future {
        // The source first: one noisy source must not use up what its CA certificate has.
        let (RateLimiters { cas, sources }, source) = (&*self.limiters, SourceNetwork::of(event.source));
        match sources.check(&source).and_then(|()| cas.check(&event.ca)) {
            Ok(()) => Either::Left(self.inner.call(event)),
            // The connector says when to come again: spread out over more than a second.
            Err(_) => Either::Right(ready(Err(Refusal::RegistrationShed.into()))),
        }
    }
}

/// So many a second for each key, and twice as many in a burst.
fn per_second<K: Hash + Eq + Clone>(rate_max: u32) -> RateLimit<K> {
    let rate = rate_max.max(1);
    RateLimit::per_second(rate, rate.saturating_mul(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_twice_the_rate_is_allowed_and_another_key_has_its_own() {
        let limit = per_second(3);
        let allowed = (0..10).filter(|_| limit.check(&"storm").is_ok()).count();
        assert_eq!(allowed, 6);
        assert_eq!(limit.check(&"other"), Ok(()));
    }
}
