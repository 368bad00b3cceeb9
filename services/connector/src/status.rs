//! The status of a connector, for readiness probes and for operators.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rollcall_domain::ids::{InstanceId, LogId};
use rollcall_projection::{
    admission::ViewStatus,
    fleet::FleetSnapshot,
    freshness::{Freshness, Seen},
    readiness::{Unready, unready},
};
use tokio::sync::watch;

use crate::{admission::view_ready::view_ready, context::ConnectorContext};

/// How a connector stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectorStatus {
    /// Every instance served, by id.
    pub instances: Vec<InstanceStatus>,
    /// Whether these are all that the fleet has.
    pub complete: bool,
    /// Why what is known of the fleet is not to be relied upon.
    pub fleet_unready: Option<Unready>,
    /// Whether it accepts connections: not before it can serve its instances, or has waited long enough for that.
    pub accepting: bool,
    /// Whether it has begun to stop.
    pub stopping: bool,
}

/// How one instance stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceStatus {
    pub instance: InstanceId,
    /// Position, generation and health of its view.
    pub view: ViewStatus,
    /// Whether the view is ready: devices that it knows are accepted.
    pub view_ready: bool,
    /// How old the view is, and whether it agrees with registrars'.
    pub freshness: Seen,
    /// Why the view is not to be relied upon, even if devices are accepted by it.
    pub unready: Option<Unready>,
    /// The trust epoch; `None` without a usable server certificate.
    pub trust_epoch: Option<u64>,
    /// Verified CA certificates that TLS trusts in this epoch.
    pub trusted_cas: usize,
    /// Whether downlinks and messages between devices are being followed.
    pub routing: bool,
    pub sessions: usize,
}

impl ConnectorStatus {
    /// Whether every instance's devices can be accepted, by a view that is to be relied upon.
    pub fn ready(&self) -> bool {
        let known = self.complete && self.fleet_unready.is_none() && self.accepting && !self.stopping;
        known && self.instances.iter().all(InstanceStatus::ready)
    }
}

impl InstanceStatus {
    /// Whether devices can be accepted, by a view that is to be relied upon.
    pub fn ready(&self) -> bool {
        self.view_ready && self.unready.is_none() && self.trust_epoch.is_some()
    }
}

/// What is known of the fleet.
pub(crate) struct Fleet {
    pub(crate) snapshot: watch::Receiver<Arc<FleetSnapshot>>,
    pub(crate) freshness: Freshness,
}

/// Publishes the status until the future is dropped.
pub(crate) async fn report(
    context: &ConnectorContext,
    fleet: &Fleet,
    status: &watch::Sender<ConnectorStatus>,
    every: Duration,
) {
    let mut again = tokio::time::interval(every);
    loop {
        again.tick().await;
        let latest = look(context, fleet);
        status.send_if_modified(|known| {
            let changed = *known != latest;
            *known = latest;
            changed
        });
    }
}

fn look(context: &ConnectorContext, fleet: &Fleet) -> ConnectorStatus {
    let instances = context.instances.all();
    let mut instances: Vec<_> = instances
        .iter()
        .map(|instance| {
            let view = instance.status.borrow().clone();
            let freshness = instance.freshness.of_log(&instance.log);
            InstanceStatus {
                instance: instance.id.clone(),
                view_ready: view_ready(&view),
                unready: unready(&view, &freshness),
                freshness,
                view,
                trust_epoch: instance.trust.load().as_ref().map(|trust| trust.epoch),
                trusted_cas: instance.trust.load().as_ref().map_or(0, |trust| trust.basis.anchors()),
                routing: *instance.routing.borrow(),
                sessions: instance.sessions.count(),
            }
        })
        .collect();
    instances.sort_unstable_by(|a, b| a.instance.cmp(&b.instance));
    ConnectorStatus {
        instances,
        complete: context.instances.complete(),
        fleet_unready: unready(&fleet.snapshot.borrow().status(), &fleet.freshness.of_log(&LogId::Fleet)),
        accepting: context.accepting.load(Ordering::Relaxed),
        stopping: context.stopping.is_cancelled(),
    }
}
