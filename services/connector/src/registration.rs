//! The way to the registrar as one service: a certificate in, "the view has applied the ruling" out.
//!
//! The layers read as a recipe: trace it, shed what is too much, give it a deadline, bound how many are under way, pace
//! each CA certificate and each source. Known devices never come here, so a storm of unknown ones costs them nothing.
//! Invariant: every call ends within the deadline; the request itself stays queued, so that the next try finds the
//! device registered.

mod arrivals;
mod pace;
mod petition;
mod traced;

use std::{net::IpAddr, sync::Arc};

use rollcall_backbone::{request_client::RequestClient, requests::RequestQueue};
use rollcall_chassis::clock::Clock;
use rollcall_domain::{
    ids::{CaId, DeviceId, InstanceId, LogId, RequestId},
    refusal::Refusal,
};
use rollcall_projection::admission::{AdmissionView, ViewHealth};
use tokio_util::sync::CancellationToken;
use tower::{
    BoxError, ServiceBuilder, ServiceExt, load_shed::error::Overloaded, timeout::error::Elapsed, util::BoxCloneSyncService,
};

pub(crate) use arrivals::Arrivals;
use pace::PaceLayer;
use petition::Petition;
use traced::TracedLayer;

use crate::config::Limits;

/// A presented chain, DER, the device's own certificate first.
pub(crate) type Chain = Vec<Box<[u8]>>;

/// A certificate that chains to a verified CA and belongs to no known device has connected.
#[derive(Clone, Debug)]
pub(crate) struct CertificateConnect {
    /// SHA-256 over the device's certificate.
    pub(crate) sha256: [u8; 32],
    /// The CA certificate that it leads to; for pacing only, the registrar finds its own.
    pub(crate) ca: CaId,
    /// Where it comes from; for pacing only.
    pub(crate) source: IpAddr,
    /// The device that the CONNECT names, where no template names one.
    pub(crate) claimed: Option<DeviceId>,
    /// With the claim, all that the registrar is told.
    pub(crate) chain: Chain,
}

impl CertificateConnect {
    /// The same however often and wherever it connects.
    fn id(&self) -> RequestId {
        match &self.claimed {
            Some(claimed) => RequestId::of_claim(&self.sha256, claimed),
            None => RequestId::of_certificate(&self.sha256),
        }
    }
}

/// Registrations of one instance.
pub(crate) struct Registration {
    service: BoxCloneSyncService<CertificateConnect, (), BoxError>,
    view: AdmissionView,
    arrivals: Arc<Arrivals>,
}

impl Registration {
    /// Starts listening for rulings, until `shutdown`.
    pub(crate) fn start(
        instance: &InstanceId,
        queue: Arc<dyn RequestQueue>,
        view: AdmissionView,
        clock: Arc<dyn Clock>,
        limits: &Limits,
        shutdown: CancellationToken,
    ) -> Self {
        let arrivals = Arc::new(Arrivals::default());
        let request_client = RequestClient::start(LogId::Instance(instance.clone()), queue, shutdown);
        let service = ServiceBuilder::new()
            .layer(BoxCloneSyncService::layer())
            .layer(TracedLayer::new(instance.clone()))
            .load_shed()
            .timeout(limits.registration())
            .concurrency_limit(limits.registrations_max as usize)
            .layer(PaceLayer::new(limits.registrations_per_ca_per_s_max, limits.registrations_per_source_per_s_max))
            .service(Petition::new(request_client, view.clone(), arrivals.clone(), clock, limits.registration()));
        Self { service, view, arrivals }
    }

    /// Has a certificate registered; returns once the view has applied the ruling.
    ///
    /// # Errors
    /// The [`Refusal`] to answer CONNECT with.
    pub(crate) async fn apply(&self, event: CertificateConnect) -> Result<(), Refusal> {
        self.service.clone().oneshot(event).await.map_err(|error| self.refusal(error))
    }

    /// Where the owner of the view says what it has learnt.
    pub(crate) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    fn refusal(&self, error: BoxError) -> Refusal {
        if error.is::<Overloaded>() {
            return Refusal::RegistrationShed;
        }
        if error.is::<Elapsed>() {
            return self.unanswered();
        }
        match error.downcast::<Refusal>() {
            // The petition's own deadline races the layer's; what it means depends on the view either way.
            Ok(refusal) if *refusal == Refusal::RegistrationTimedOut => self.unanswered(),
            Ok(refusal) => *refusal,
            Err(error) => {
                tracing::error!(%error, "a registration failed in an unforeseen way");
                Refusal::RegistryUnavailable
            }
        }
    }

    /// Nobody answered: a registrar that is slow or away, or a log that this connector cannot reach at all.
    fn unanswered(&self) -> Refusal {
        match self.view.status().borrow().health {
            ViewHealth::Following | ViewHealth::Parked { .. } => Refusal::RegistrationTimedOut,
            ViewHealth::Stale { .. } | ViewHealth::Unproven { .. } | ViewHealth::Ended => Refusal::RegistryUnavailable,
        }
    }
}
