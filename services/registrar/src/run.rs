//! Composition: one worker for each log, the fleet's and every instance's, for as long as the fleet has the instance.
//!
//! What a worker does is [`worker`](crate::worker)'s. Invariant: an instance that appears in the fleet gets its worker without a
//! restart, one that is deleted loses it, and a worker that fails is started again while the others work on.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use rollcall_chassis::retry::Backoff;
use rollcall_domain::{fleet::Instance, ids::LogId};
use rollcall_projection::supervisor::{RetryDelay, Run, keep_running, supervise};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    announce::{self, Served},
    config::Config,
    fleet::FleetState,
    instance::InstanceState,
    log_state::Closed,
    notices::Notices,
    parts::Parts,
    worker::LogWorker,
};

/// How long to wait before a worker that ended by itself is started again.
const RETRY: Backoff = Backoff { min: Duration::from_millis(500), max: Duration::from_secs(10) };

/// Serves the fleet's log and every instance's until `shutdown`; what has been decided by then is answered first.
pub async fn run(config: Config, parts: Parts, shutdown: CancellationToken) {
    if config.command_keys.is_empty() {
        tracing::error!(
            "command_keys is empty: no operator's command is ruled on; name what `rollcall pki command-key` printed"
        );
    }
    let (tasks, served) = (TaskTracker::new(), Served::default());
    let of_the_fleet = parts.fleet.clone();
    served.put(LogId::Fleet, move || of_the_fleet.borrow().status());
    let (announcing, announced, stop) = (parts.clone(), served.clone(), shutdown.clone());
    tasks.spawn(async move {
        stop.run_until_cancelled(announce::announce(&announcing, announced)).await;
    });
    let entropy = Arc::clone(&parts.entropy);
    let delay: RetryDelay = Arc::new(move |failures| RETRY.delay(failures, &*entropy));
    let workers = Arc::new(Workers { config, parts: parts.clone(), served });
    tasks.spawn(keep_running(LogId::Fleet, Arc::clone(&delay), shutdown.child_token(), workers.fleet()));
    supervise(parts.fleet, delay, shutdown, |instance| workers.instance(instance)).await;
    tasks.close();
    tasks.wait().await;
}

/// What workers are made of.
struct Workers {
    config: Config,
    parts: Parts,
    served: Served,
}

impl Workers {
    /// Runs the worker of the fleet's log, one time after the other.
    fn fleet(self: &Arc<Self>) -> impl FnMut(CancellationToken) -> WorkerRun + use<> {
        let (workers, notices) = (Arc::clone(self), Arc::<Notices>::default());
        move |stop| {
            let Self { config, parts, .. } = &*workers;
            let state = FleetState::new(config, parts);
            Box::pin(LogWorker::new(LogId::Fleet, config, parts, Arc::clone(&notices), state).run(stop))
        }
    }

    /// Runs the worker of an instance's log, one time after the other.
    fn instance(self: &Arc<Self>, instance: &Instance) -> impl FnMut(Run) -> WorkerRun + use<> {
        let (workers, notices) = (Arc::clone(self), Arc::<Notices>::default());
        let (id, incarnation) = (instance.id.clone(), instance.incarnation);
        // The view follows for longer than its worker, which finishes what it has begun.
        let follow = CancellationToken::new();
        let until_the_last = follow.clone().drop_guard();
        // Held from one worker to the next, or every worker that fails would have the view read through again.
        let mut held = None;
        move |Run { stop, .. }| {
            // Dropped with this closure, after the last run.
            let _ = &until_the_last;
            let Self { config, parts, served } = &*workers;
            let log = LogId::Instance(id.clone());
            let opened = parts.store.admission(&id, incarnation, Arc::clone(&parts.backbone.log), follow.clone());
            let state = opened.ok().and_then(|view| {
                drop(held.replace(view.clone()));
                let status = view.status();
                served.put(log.clone(), move || status.borrow().clone());
                InstanceState::new(&id, config, parts, view)
            });
            match state {
                Some(state) => Box::pin(LogWorker::new(log, config, parts, Arc::clone(&notices), state).run(stop)),
                None => Box::pin(std::future::ready(Err(Closed))),
            }
        }
    }
}

/// One worker's life.
type WorkerRun = BoxFuture<'static, Result<(), Closed>>;
