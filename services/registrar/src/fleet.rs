//! What the fleet's own requests are decided against: the fleet, with what was decided and not folded yet on top.
//!
//! The fleet is small, so what is pending is a copy of all of it.

use std::{collections::HashMap, sync::Arc};

use rollcall_chassis::entropy::Entropy;
use rollcall_domain::{
    fleet::{AvailabilityRules, Fleet, FleetContext, FleetEvent},
    ids::{Incarnation, InstanceId, LogId, Position, RequestId},
    registry::Actor,
    rejection::Rejection,
    time::Timestamp,
};
use rollcall_log::{
    BackboneError,
    codec::{AnyEvent, AnyRequest, QueuedRequest, RejectedRuling},
    log::RegistryLog,
    seal::SealedLog,
};
use rollcall_projection::fleet::FleetSnapshot;
use tokio::sync::watch;

use crate::{
    config::Config,
    log_state::{Closed, Decided, LogState, Rejected, Tip},
    parts::Parts,
    request::Taken,
};

pub(crate) struct FleetState {
    snapshots: watch::Receiver<Arc<FleetSnapshot>>,
    known: Arc<FleetSnapshot>,
    /// Everything known and pending.
    fleet: Fleet,
    ruled: HashMap<RequestId, Position>,
    pending_to: Position,
    /// What goes into the record of an instance, so that no other process has to be told it.
    availability: AvailabilityRules,
    devices_max: u64,
    entropy: Arc<dyn Entropy>,
    log: Arc<dyn RegistryLog>,
    /// The instances of the requests at hand that are new, and whether they have a log.
    logs: HashMap<InstanceId, Result<(), BackboneError>>,
}

impl FleetState {
    pub(crate) fn new(config: &Config, parts: &Parts) -> Self {
        let snapshots = parts.fleet.clone();
        let known = Arc::clone(&snapshots.borrow());
        let (fleet, pending_to) = (known.fleet.clone(), known.position());
        Self {
            snapshots,
            known,
            fleet,
            ruled: HashMap::new(),
            pending_to,
            availability: config.availability(),
            devices_max: config.devices_max,
            entropy: Arc::clone(&parts.entropy),
            log: Arc::clone(&parts.backbone.log),
            logs: HashMap::new(),
        }
    }

    /// The latest snapshot, unless more is pending.
    fn refresh(&mut self) {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        if snapshot.position() >= self.pending_to {
            self.know(snapshot);
        }
    }

    /// What a new instance gets beside what was asked for.
    fn context(&self) -> FleetContext<'_> {
        FleetContext {
            incarnation: Incarnation(self.entropy.uuid_v4().into_bytes()),
            devices_max: self.devices_max,
            availability: &self.availability,
        }
    }

    /// Grants an instance only with a log: a record that says it is there would have every process try to follow one that
    /// a full broker does not make.
    fn grant(&self, event: FleetEvent) -> Result<Decided, Rejection> {
        if let FleetEvent::InstanceCreated(instance) = &event {
            match self.logs.get(&instance.id) {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    return Err(Rejection::LogNotMade { instance: instance.id.clone(), reason: error.to_string() });
                }
                // What was known when the requests were looked through was older.
                None => return Ok(Decided::Wait),
            }
        }
        Ok(Decided::Grant(AnyEvent::Fleet(event)))
    }

    fn know(&mut self, snapshot: Arc<FleetSnapshot>) {
        self.fleet = snapshot.fleet.clone();
        self.pending_to = snapshot.position();
        self.ruled.clear();
        self.known = snapshot;
    }
}

impl LogState for FleetState {
    async fn catch_up(&mut self, last: Position) -> Result<(), Closed> {
        let caught_up = self.snapshots.wait_for(|snapshot| snapshot.caught_up && snapshot.position() >= last).await;
        let snapshot = caught_up.map(|snapshot| Arc::clone(&snapshot)).map_err(|_| Closed)?;
        self.know(snapshot);
        Ok(())
    }

    /// Makes the logs of the instances that are to be created, before a record says that they are. A log without an instance is
    /// empty and reserves nothing; it is the instance's when it is created after all.
    async fn prepare(&mut self, taken: &[Taken]) {
        self.refresh();
        self.logs.clear();
        let mut fleet = self.fleet.clone();
        for taken in taken {
            let Ok(QueuedRequest { request: AnyRequest::Fleet { command, .. }, .. }) = &taken.request else { continue };
            let Ok(Some(event)) = fleet.decide(command, &self.context()) else { continue };
            if let FleetEvent::InstanceCreated(instance) = &event {
                let opened = self.log.open(&LogId::Instance(instance.id.clone())).await;
                self.logs.insert(instance.id.clone(), opened.map(|_stream| ()));
            }
            fleet.evolve(&event, Timestamp::from_unix_ms(0));
        }
    }

    fn tip(&self) -> Tip {
        self.snapshots.borrow().point.into()
    }

    fn sealed_log(&self) -> &SealedLog {
        &SealedLog::FLEET
    }

    fn begin(&mut self) {
        self.refresh();
    }

    fn decide(&mut self, request: &AnyRequest, now: Timestamp) -> Decided {
        let AnyRequest::Fleet { id, actor, command } = request else {
            // Intake has answered these; nothing is decided here.
            return Decided::AlreadySo;
        };
        if let Some(position) = self.ruled.get(id).or_else(|| self.known.ruled.get(id)) {
            return Decided::RuledBefore(*position);
        }
        let decided = match actor {
            Actor::Operator(_) => self.fleet.decide(command, &self.context()),
            Actor::Certificate(_) => {
                Err(Rejection::InvalidField { field: "actor".into(), rule: "only an operator may give a command".into() })
            }
        };
        let granted = decided.and_then(|event| event.map_or(Ok(Decided::AlreadySo), |event| self.grant(event)));
        match granted {
            Ok(decided) => decided,
            Err(rejection) => Decided::Reject(Box::new(Rejected {
                at: now,
                ruling: RejectedRuling::from(&rejection),
                attribution: None,
                checks: Vec::new(),
            })),
        }
    }

    fn apply_pending(&mut self, cause: &RequestId, event: &AnyEvent, at: Timestamp, position: Position) {
        if let AnyEvent::Fleet(event) = event {
            self.fleet.evolve(event, at);
        }
        self.ruled.insert(cause.clone(), position);
        self.pending_to = position;
    }

    fn is_sound(&self) -> bool {
        true
    }
}
