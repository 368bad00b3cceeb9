//! What the requests of one instance are decided against: its view, with what was decided and not folded yet on top.
//!
//! The rules are the domain's. Everything that a connector says is derived here again, from the certificate's DER and this
//! state.

use std::sync::Arc;

use rollcall_chassis::entropy::Entropy;
use rollcall_domain::{
    certificate::path::TrustStore,
    fleet::{AvailabilityRules, Instance},
    ids::{InstanceId, Position, RequestId},
    registry::{
        Attribution, Command, Configuration, Context, Decision, Devices, Request, RequestBody, decide, forget_retired,
    },
    time::Timestamp,
};
use rollcall_log::{
    codec::{AnyEvent, AnyRequest, RejectedRuling},
    seal::SealedLog,
};
use rollcall_projection::{
    admission::{AdmissionView, ViewHealth},
    fleet::FleetSnapshot,
};
use tokio::sync::watch;

use crate::{
    config::Config,
    log_state::{Closed, Decided, LogState, Rejected, Tip},
    parts::Parts,
    pending::{Pending, PendingCounts, PendingDevices},
    trust::Trust,
};

pub(crate) struct InstanceState {
    view: AdmissionView,
    fleet: watch::Receiver<Arc<FleetSnapshot>>,
    /// As the fleet had it last.
    instance: Instance,
    sealed: SealedLog,
    availability: AvailabilityRules,
    devices_max_default: u64,
    entropy: Arc<dyn Entropy>,
    pending: Pending,
    /// Everything known and pending.
    configuration: Arc<Configuration>,
    /// The last pending event that changed the configuration, while the view may not have it.
    configured_at: Option<Position>,
    trust: Trust,
    /// Of what is known and pending.
    counts: PendingCounts,
    damaged_before: u64,
}

impl InstanceState {
    /// `None` when the fleet has no such instance.
    pub(crate) fn new(id: &InstanceId, config: &Config, parts: &Parts, view: AdmissionView) -> Option<Self> {
        let instance = parts.fleet.borrow().fleet.instances.get(id).cloned()?;
        Some(Self {
            fleet: parts.fleet.clone(),
            sealed: SealedLog::of(&instance),
            instance,
            availability: config.availability(),
            devices_max_default: config.devices_max,
            entropy: Arc::clone(&parts.entropy),
            pending: Pending::default(),
            configuration: view.configuration(),
            configured_at: None,
            trust: Trust::new(),
            counts: PendingCounts::of(&view),
            damaged_before: view.lookups_damaged(),
            view,
        })
    }

    fn decide_registry(&mut self, request: &Request, now: Timestamp) -> Decided {
        match &request.body {
            RequestBody::Command(command) => {
                // An operator's request that was ruled on before gets that ruling. A certificate-connect event needs no
                // memory: its device is there, which is "already so".
                let earlier = self.pending.ruled(&request.id).or_else(|| self.view.ruled(&request.id));
                if let Some(position) = earlier {
                    return Decided::RuledBefore(position);
                }
                if matches!(command, Command::DeleteProduct { .. }) && !self.pending.is_empty() {
                    return Decided::Wait;
                }
            }
            RequestBody::CertificateConnect { .. } => {}
        }
        let trust = self.trust.of(&self.configuration);
        let code = self.entropy.uuid_v4().to_string();
        let context = Context {
            now,
            instance: &self.instance,
            availability: &self.availability,
            trust: &trust,
            verification_code: &code,
            devices_max_default: self.devices_max_default,
        };
        let devices = PendingDevices { below: &self.view, pending: &mut self.pending, counts: &mut self.counts };
        let judgement = decide(&self.configuration, &devices, request, &context);
        match judgement.outcome {
            Ok(Decision::Record(event)) => Decided::Grant(AnyEvent::Registry(event)),
            Ok(Decision::AlreadySo) => Decided::AlreadySo,
            Err(rejection) => Decided::Reject(Box::new(Rejected {
                at: now,
                ruling: RejectedRuling::from(&rejection),
                attribution: attribution(&self.configuration, &devices, &trust, request, now),
                checks: judgement.checks,
            })),
        }
    }
}

impl LogState for InstanceState {
    async fn catch_up(&mut self, last: Position) -> Result<(), Closed> {
        let mut status = self.view.status();
        let stuck = |health: &ViewHealth| match health {
            ViewHealth::Parked { .. } | ViewHealth::Ended => true,
            ViewHealth::Following | ViewHealth::Stale { .. } | ViewHealth::Unproven { .. } => false,
        };
        if let Ok(status) = status.wait_for(|status| status.position >= last || stuck(&status.health)).await
            && let ViewHealth::Parked { at, reason } = &status.health
            && status.position < last
        {
            tracing::error!(instance = %self.instance.id, position = %at, reason,
                "no request is ruled on: the log holds a record that this version cannot read");
        }
        drop(status);
        self.view.reached(last).await.map_err(|_| Closed)?;
        self.pending.clear();
        self.configured_at = None;
        self.counts = PendingCounts::of(&self.view);
        Ok(())
    }

    fn tip(&self) -> Tip {
        self.view.status().borrow().point().into()
    }

    fn sealed_log(&self) -> &SealedLog {
        &self.sealed
    }

    fn begin(&mut self) {
        if let Some(instance) = self.fleet.borrow_and_update().fleet.instances.get(&self.instance.id) {
            self.instance = instance.clone();
        }
        self.damaged_before = self.view.lookups_damaged();
        let position = self.tip().position;
        self.pending.forget(position);
        if self.configured_at.is_none_or(|at| at <= position) {
            self.configured_at = None;
            self.configuration = self.view.configuration();
        }
    }

    fn decide(&mut self, request: &AnyRequest, now: Timestamp) -> Decided {
        match request {
            AnyRequest::Registry(request) => self.decide_registry(request, now),
            // Intake has answered these; nothing is decided here.
            AnyRequest::Fleet { .. } => Decided::AlreadySo,
        }
    }

    fn apply_pending(&mut self, cause: &RequestId, event: &AnyEvent, at: Timestamp, position: Position) {
        self.pending.rule(cause.clone(), position);
        let AnyEvent::Registry(event) = event else { return };
        if event.changes_configuration() {
            Arc::make_mut(&mut self.configuration).evolve(event, at);
            self.configured_at = Some(position);
        } else {
            PendingDevices { below: &self.view, pending: &mut self.pending, counts: &mut self.counts }.apply_pending(
                event,
                &self.configuration,
                at,
                position,
            );
        }
    }

    fn chore(&self, now: Timestamp) -> Option<AnyEvent> {
        forget_retired(&self.view, now).map(AnyEvent::Registry)
    }

    fn is_sound(&self) -> bool {
        // One that has ended knows what was true and never forgets what is pending: catching up with it fails.
        self.view.lookups_damaged() == self.damaged_before && self.view.status().borrow().health != ViewHealth::Ended
    }
}

/// Whose a refused certificate was, for people who look at the attempt.
fn attribution(
    configuration: &Configuration,
    devices: &dyn Devices,
    trust: &TrustStore,
    request: &Request,
    now: Timestamp,
) -> Option<Attribution> {
    let RequestBody::CertificateConnect { chain, .. } = &request.body else { return None };
    let chain: Vec<&[u8]> = chain.iter().map(|certificate| &**certificate).collect();
    Some(Attribution::of_chain(configuration, devices, trust, &chain, now))
}
