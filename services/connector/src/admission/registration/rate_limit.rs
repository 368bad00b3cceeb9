//! Limits the rate of registrations per CA certificate and per source, so that one owner's storm, or one network's,
//! leaves room for the others. A request over the rate is shed at once with a retry hint; nothing waits here.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{Either, Ready, ready};
use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::HashMapStateStore};
use rollcall_domain::{ids::CaId, refusal::Refusal};
use tower::{BoxError, Layer, Service};

use super::certificate_connect::CertificateConnect;

/// Keys in one limiter before idle ones are dropped; with as many busy ones, requests with new keys are shed.
const KEYS_MAX: usize = 65_536;

struct Keyed<K: Hash + Eq + Clone>(RateLimiter<K, HashMapStateStore<K>, DefaultClock>);

impl<K: Hash + Eq + Clone> Keyed<K> {
    fn per_s(rate_max: u32) -> Self {
        let rate = NonZeroU32::new(rate_max).unwrap_or(NonZeroU32::MIN);
        Self(RateLimiter::hashmap(
            Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1))),
        ))
    }

    fn allows(&self, key: &K) -> bool {
        if self.0.len() >= KEYS_MAX {
            self.0.retain_recent();
            if self.0.len() >= KEYS_MAX {
                return false;
            }
        }
        self.0.check_key(key).is_ok()
    }
}

/// Limits the rate of the services below it.
#[derive(Clone)]
pub(super) struct RateLimitLayer(Arc<RateLimiters>);

struct RateLimiters {
    cas: Keyed<CaId>,
    sources: Keyed<IpAddr>,
}

impl RateLimitLayer {
    pub(super) fn new(per_ca_per_s_max: u32, per_source_per_s_max: u32) -> Self {
        Self(Arc::new(RateLimiters { cas: Keyed::per_s(per_ca_per_s_max), sources: Keyed::per_s(per_source_per_s_max) }))
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
        if self.limiters.sources.allows(&network(event.source)) && self.limiters.cas.allows(&event.ca) {
            Either::Left(self.inner.call(event))
        } else {
            Either::Right(ready(Err(Refusal::RegistrationShed.into())))
        }
    }
}

/// An IPv6 customer has a /64 at least: the rest of the address is theirs to vary.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_source_is_its_network_and_a_mapped_ipv4_address_itself() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn a_burst_of_twice_the_rate_is_allowed_and_another_key_has_its_own() {
        let limiters = Keyed::per_s(3);
        let allowed = (0..10).filter(|_| limiters.allows(&"storm")).count();
        assert_eq!(allowed, 6);
        assert!(limiters.allows(&"other"));
    }
}
