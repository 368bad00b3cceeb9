//! What the fleet's own requests are judged against: the fleet, with what was decided and not folded yet on top.
//!
//! Not for instances' requests. The fleet is small, so what is assumed is a copy of all of it.

use std::{collections::HashMap, sync::Arc};

use rollcall_backbone::codec::{AnyEvent, AnyRequest, RejectedRuling};
use rollcall_chassis::entropy::Entropy;
use rollcall_domain::{
    fleet::{AvailabilityRules, Fleet, FleetContext},
    ids::{Incarnation, Position, RequestId},
    registry::Actor,
    rejection::Rejection,
    time::Timestamp,
};
use rollcall_projection::fleet::FleetSnapshot;
use tokio::sync::watch;

use crate::{
    config::Config,
    desk::Closed,
    ruling::{Judged, Realm, Rejected},
    run::Parts,
};

/// See the file.
pub(crate) struct FleetRealm {
    snapshots: watch::Receiver<Arc<FleetSnapshot>>,
    known: Arc<FleetSnapshot>,
    /// Everything known and assumed.
    fleet: Fleet,
    ruled: HashMap<RequestId, Position>,
    assumed_to: Position,
    /// What goes into the record of an instance, so that no other process has to be told it.
    availability: AvailabilityRules,
    devices_max: u64,
    entropy: Arc<dyn Entropy>,
}

impl FleetRealm {
    pub(crate) fn new(config: &Config, parts: &Parts) -> Self {
        let snapshots = parts.fleet.clone();
        let known = Arc::clone(&snapshots.borrow());
        let (fleet, assumed_to) = (known.fleet.clone(), known.position);
        let (availability, devices_max) = (config.availability(), config.devices_max);
        let entropy = Arc::clone(&parts.entropy);
        Self { snapshots, known, fleet, ruled: HashMap::new(), assumed_to, availability, devices_max, entropy }
    }

    fn know(&mut self, snapshot: Arc<FleetSnapshot>) {
        self.fleet = snapshot.fleet.clone();
        self.assumed_to = snapshot.position;
        self.ruled.clear();
        self.known = snapshot;
    }
}

impl Realm for FleetRealm {
    async fn catch_up(&mut self, last: Position) -> Result<(), Closed> {
        let caught_up = self.snapshots.wait_for(|snapshot| snapshot.caught_up && snapshot.position >= last).await;
        let snapshot = caught_up.map(|snapshot| Arc::clone(&snapshot)).map_err(|_| Closed)?;
        self.know(snapshot);
        Ok(())
    }

    fn seen(&self) -> Position {
        self.snapshots.borrow().position
    }

    fn begin(&mut self) {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        if snapshot.position >= self.assumed_to {
            self.know(snapshot);
        }
    }

    fn judge(&mut self, request: &AnyRequest, now: Timestamp) -> Judged {
        let AnyRequest::Fleet { id, actor, command } = request else {
            // Intake has answered these; nothing is decided here.
            return Judged::AlreadySo;
        };
        if let Some(position) = self.ruled.get(id).or_else(|| self.known.ruled.get(id)) {
            return Judged::RuledBefore(*position);
        }
        let context = FleetContext {
            incarnation: Incarnation(self.entropy.uuid_v4().into_bytes()),
            devices_max: self.devices_max,
            availability: &self.availability,
        };
        let decided = match actor {
            Actor::Operator(_) => self.fleet.decide(command, &context),
            Actor::Certificate(_) => {
                Err(Rejection::InvalidField { field: "actor".into(), rule: "only an operator may give a command".into() })
            }
        };
        match decided {
            Ok(Some(event)) => Judged::Grant(AnyEvent::Fleet(event)),
            Ok(None) => Judged::AlreadySo,
            Err(rejection) => Judged::Reject(Box::new(Rejected {
                at: now,
                ruling: RejectedRuling::from(&rejection),
                template: None,
                checks: Vec::new(),
            })),
        }
    }

    fn assume(&mut self, cause: &RequestId, event: &AnyEvent, at: Timestamp, position: Position) {
        if let AnyEvent::Fleet(event) = event {
            self.fleet.evolve(event, at);
        }
        self.ruled.insert(cause.clone(), position);
        self.assumed_to = position;
    }

    fn is_sound(&self) -> bool {
        true
    }
}
