//! Composition: one worker for each log, the fleet's and every instance's, for as long as the fleet has the instance.
//!
//! Not for what a worker does. Invariant: an instance that appears in the fleet gets its worker without a restart, one that
//! is deleted loses it, and a worker that fails is put up again while the others work on.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rollcall_backbone::seal::SealedLog;
use rollcall_domain::ids::{Incarnation, InstanceId, LogId};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    announce::{self, Served},
    config::Config,
    fleet::FleetState,
    instance::InstanceState,
    log_state::{Closed, LogState},
    notices::Notices,
    parts::Parts,
    worker::LogWorker,
};

/// How long to wait before a worker that ended by itself is put up again.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Serves the fleet's log and every instance's until `shutdown`; what has been decided by then is answered first.
pub async fn run(config: Config, parts: Parts, shutdown: CancellationToken) {
    if config.command_keys.is_empty() {
        tracing::error!(
            "command_keys is empty: no operator's command is ruled on; name what `rollcall pki command-key` printed"
        );
    }
    let config = Arc::new(config);
    let (workers, confirmed) = (TaskTracker::new(), Served::default());
    let of_the_fleet = parts.fleet.clone();
    confirmed.put(LogId::Fleet, move || of_the_fleet.borrow().status());
    let (announcing, announced, stop) = (parts.clone(), confirmed.clone(), shutdown.clone());
    workers.spawn(async move {
        stop.run_until_cancelled(announce::announce(&announcing, announced)).await;
    });
    workers.spawn(keep_up(LogId::Fleet, Arc::clone(&config), parts.clone(), shutdown.child_token(), {
        let (config, parts) = (Arc::clone(&config), parts.clone());
        move || Ok::<_, Closed>(FleetState::new(&config, &parts))
    }));
    let mut open: HashMap<SealedLog, CancellationToken> = HashMap::new();
    let mut fleet = parts.fleet.clone();
    loop {
        let snapshot = Arc::clone(&fleet.borrow_and_update());
        let served: HashMap<_, _> =
            snapshot.fleet.instances.values().map(|instance| (SealedLog::of(instance), instance)).collect();
        open.retain(|log, stop| {
            let kept = served.contains_key(log);
            if !kept {
                stop.cancel();
            }
            kept
        });
        for (sealed, instance) in served {
            open.entry(sealed.clone()).or_insert_with(|| {
                let stop = shutdown.child_token();
                let (id, config) = (instance.id.clone(), Arc::clone(&config));
                let confirmed = confirmed.clone();
                workers.spawn(serve_instance(id, sealed.incarnation, config, parts.clone(), confirmed, stop.clone()));
                stop
            });
        }
        match shutdown.run_until_cancelled(fleet.changed()).await {
            Some(Ok(())) => {}
            // The fleet is not followed any more: serve the instances there are.
            Some(Err(_)) => break shutdown.cancelled().await,
            None => break,
        }
    }
    workers.close();
    workers.wait().await;
}

async fn serve_instance(
    instance: InstanceId,
    incarnation: Incarnation,
    config: Arc<Config>,
    parts: Parts,
    confirmed: Served,
    stop: CancellationToken,
) {
    let (log, made, given) = (LogId::Instance(instance.clone()), parts.clone(), Arc::clone(&config));
    // The view follows for longer than its worker, which finishes what it has begun.
    let (follow, stopped) = (CancellationToken::new(), stop.clone());
    let until = follow.clone();
    // Held from one worker to the next, or every worker that fails would have the view read through again.
    let mut held = None;
    keep_up(log, given, parts, stop, move || {
        let view = made.store.admission(&instance, incarnation, Arc::clone(&made.backbone.log), until.clone());
        let view = view.map_err(|_| Closed)?;
        drop(held.replace(view.clone()));
        let standing = view.status();
        confirmed.put(LogId::Instance(instance.clone()), move || standing.borrow().clone());
        InstanceState::new(&instance, &config, &made, view).ok_or(Closed)
    })
    .await;
    debug_assert!(stopped.is_cancelled(), "a worker is kept up until it is told to stop");
    follow.cancel();
}

/// Keeps a worker up until `stop`.
async fn keep_up<R: LogState + 'static>(
    log: LogId,
    config: Arc<Config>,
    parts: Parts,
    stop: CancellationToken,
    mut state: impl FnMut() -> Result<R, Closed>,
) {
    let notices = Arc::new(Notices::default());
    while !stop.is_cancelled() {
        let Ok(state) = state() else {
            stop.run_until_cancelled(tokio::time::sleep(RETRY_DELAY)).await;
            continue;
        };
        let worker = LogWorker::new(log.clone(), &config, &parts, Arc::clone(&notices), state);
        // A task of its own, so that a panic ends this worker's round and not the registrar.
        match tokio::spawn(worker.run(stop.clone())).await {
            Ok(Ok(())) => {}
            Ok(Err(Closed)) => {
                if let Some(left_out) = notices.worker.failed("lost its view") {
                    tracing::warn!(%log, left_out, "the worker lost its view; opening it again");
                }
            }
            Err(error) => {
                if let Some(left_out) = notices.worker.failed("failed") {
                    tracing::error!(%log, %error, left_out, "the worker failed; putting it up again");
                }
            }
        }
        stop.run_until_cancelled(tokio::time::sleep(RETRY_DELAY)).await;
    }
}
