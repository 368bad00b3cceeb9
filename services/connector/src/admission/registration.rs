//! Registration by the registrar, as one tower service: a certificate in, "the view has applied the ruling" out.
//!
//! Its layers, outermost first: trace, shed what is too much, time out, bound what is under way, limit the rate of each
//! CA certificate and each source. Known devices do not come here, so a storm of unknown ones costs them nothing.
//! Invariant: every call ends within the deadline; the request itself stays queued, so that the next attempt finds the
//! device registered.

mod applied;
pub(crate) mod certificate_connect;
mod rate_limit;
mod submit;
mod trace;

use std::sync::Arc;

use rollcall_chassis::clock::Clock;
use rollcall_domain::{
    ids::{InstanceId, LogId},
    refusal::Refusal,
};
use rollcall_log::{request_client::RequestClient, requests::RequestQueue};
use rollcall_projection::admission::{AdmissionView, ViewHealth};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{
    BoxError, ServiceBuilder, ServiceExt, load_shed::error::Overloaded, timeout::error::Elapsed, util::BoxCloneSyncService,
};

pub(crate) use applied::AppliedRequests;
use certificate_connect::CertificateConnect;
use rate_limit::RateLimitLayer;
use submit::Submit;
use trace::TraceLayer;

use crate::config::Limits;

/// Registrations of one instance.
pub(crate) struct Registration {
    service: BoxCloneSyncService<CertificateConnect, (), BoxError>,
    view: AdmissionView,
    applied: Arc<AppliedRequests>,
}

impl Registration {
    /// Listens for rulings until `shutdown`, by one task of `tasks`.
    pub(crate) fn start(
        instance: &InstanceId,
        queue: Arc<dyn RequestQueue>,
        view: AdmissionView,
        clock: Arc<dyn Clock>,
        limits: &Limits,
        tasks: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let applied = Arc::new(AppliedRequests::default());
        let request_client = RequestClient::start(LogId::Instance(instance.clone()), queue, tasks, shutdown);
        let service = ServiceBuilder::new()
            .layer(BoxCloneSyncService::layer())
            .layer(TraceLayer::new(instance.clone()))
            .load_shed()
            .timeout(limits.registration())
            .concurrency_limit(limits.registrations_max as usize)
            .layer(RateLimitLayer::new(limits.registrations_per_ca_per_s_max, limits.registrations_per_source_per_s_max))
            .service(Submit::new(request_client, view.clone(), applied.clone(), clock, limits.registration()));
        Self { service, view, applied }
    }

    /// Has a certificate registered; returns once the view has applied the ruling.
    ///
    /// # Errors
    /// The [`Refusal`] to answer CONNECT with.
    pub(crate) async fn apply(&self, event: CertificateConnect) -> Result<(), Refusal> {
        self.service.clone().oneshot(event).await.map_err(|error| self.refusal(error))
    }

    /// Where requests are notified that the view has applied.
    pub(crate) fn applied(&self) -> &AppliedRequests {
        &self.applied
    }

    fn refusal(&self, error: BoxError) -> Refusal {
        if error.is::<Overloaded>() {
            return Refusal::RegistrationShed;
        }
        if error.is::<Elapsed>() {
            return self.unanswered();
        }
        match error.downcast::<Refusal>() {
            // The deadline of the innermost service races the layer's; what it means depends on the view either way.
            Ok(refusal) if *refusal == Refusal::RegistrationTimedOut => self.unanswered(),
            Ok(refusal) => *refusal,
            Err(error) => {
                tracing::error!(%error, "a registration failed in an unforeseen way");
                Refusal::RegistryUnavailable
            }
        }
    }

    /// No answer came: the registrar is slow or away, or this connector cannot reach the log.
    fn unanswered(&self) -> Refusal {
        match self.view.status().borrow().health {
            ViewHealth::Following | ViewHealth::Parked { .. } => Refusal::RegistrationTimedOut,
            ViewHealth::Stale { .. } | ViewHealth::Unproven { .. } | ViewHealth::Ended => Refusal::RegistryUnavailable,
        }
    }
}
