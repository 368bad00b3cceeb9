//! Runs something for each instance of the fleet, for as long as the fleet has that instance.
//!
//! What is run is the caller's. Invariants: of one instance id there is one run at a time, and an instance that was deleted and
//! made again is not run before the run of the former has ended; a run that ends by itself, fails or panics is followed by
//! another, after a delay that grows; when [`supervise`] returns, every run has ended.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use rollcall_domain::{
    fleet::{Fleet, Instance},
    ids::InstanceId,
};
use rollcall_log::{repeats::Repeats, seal::SealedLog};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::fleet::FleetSnapshot;

/// A run that lasted so long was well: when it ends, delays begin anew.
const STEADY: Duration = Duration::from_secs(60);

/// How long to wait before the next run, by how many failed in a row before it: 0 after the first.
pub type RetryDelay = Arc<dyn Fn(u32) -> Duration + Send + Sync>;

/// One run for an instance.
#[derive(Clone, Debug)]
pub struct Run {
    /// As the fleet had it when the run began.
    pub instance: Instance,
    /// Cancelled when the run is to end; also once it has.
    pub stop: CancellationToken,
}

/// Keeps one run for each instance of the fleet until `shutdown`, then waits for all of them. `start` is called once for each
/// instance that appears, and what it gives once for each run, so that one run can leave something to the next.
///
/// If nothing keeps up `fleet` any more, the instances that it had last are run.
pub async fn supervise<M, R, E>(
    mut fleet: watch::Receiver<Arc<FleetSnapshot>>,
    delay: RetryDelay,
    shutdown: CancellationToken,
    mut start: impl FnMut(&Instance) -> M,
) where
    M: FnMut(Run) -> R + Send + 'static,
    R: Future<Output = Result<(), E>> + Send + 'static,
    E: fmt::Display + Send + 'static,
{
    // Should this future be dropped, every run is told to stop.
    let stop = shutdown.child_token();
    let _stop = stop.clone().drop_guard();
    let mut tasks = JoinSet::new();
    let mut supervised: HashMap<InstanceId, Supervised> = HashMap::new();
    let mut is_followed = true;
    while !shutdown.is_cancelled() {
        let snapshot = Arc::clone(&fleet.borrow_and_update());
        supervised.retain(|_, supervised| !supervised.task.is_finished());
        for (id, supervised) in &supervised {
            if !snapshot.fleet.instances.get(id).is_some_and(|instance| SealedLog::of(instance) == supervised.sealed) {
                supervised.stop.cancel();
            }
        }
        for (id, instance) in &snapshot.fleet.instances {
            supervised.entry(id.clone()).or_insert_with(|| {
                let (sealed, stop) = (SealedLog::of(instance), stop.child_token());
                let mut run = start(instance);
                let (fleet, first) = (fleet.clone(), instance.clone());
                let started = move |stop| {
                    // One that was made again under this id is another: this task is about to be stopped for it.
                    let now = fleet.borrow().fleet.instances.get(&first.id).cloned();
                    let now = now.filter(|now| SealedLog::of(now) == SealedLog::of(&first));
                    run(Run { instance: now.unwrap_or_else(|| first.clone()), stop })
                };
                let task = keep_running(id.clone(), Arc::clone(&delay), stop.clone(), started);
                Supervised { sealed, stop, task: tasks.spawn(task) }
            });
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            changed = fleet.changed(), if is_followed => is_followed = changed.is_ok(),
            // Another may wait for its id.
            Some(_) = tasks.join_next() => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}

struct Supervised {
    sealed: SealedLog,
    stop: CancellationToken,
    task: AbortHandle,
}

/// Calls `run` again whenever what it gave has ended, until `stop`; then waits for the last. `name` is for people.
pub async fn keep_running<R, E>(
    name: impl fmt::Display,
    delay: RetryDelay,
    stop: CancellationToken,
    mut run: impl FnMut(CancellationToken) -> R,
) where
    R: Future<Output = Result<(), E>> + Send + 'static,
    E: fmt::Display + Send + 'static,
{
    let (told, mut failures) = (Repeats::default(), 0);
    while !stop.is_cancelled() {
        let began = Instant::now();
        let until = stop.child_token();
        let over = until.clone().drop_guard();
        // A task of its own, so that a panic ends this run and nothing else.
        let ended = tokio::spawn(run(until)).await;
        drop(over);
        if stop.is_cancelled() {
            break;
        }
        if began.elapsed() >= STEADY {
            failures = 0;
        }
        let wait = delay(failures);
        failures = failures.saturating_add(1);
        match ended {
            Ok(Ok(())) => say(&told, &name, "it ended", wait),
            Ok(Err(error)) => say(&told, &name, error, wait),
            Err(panic) => {
                // Its text names a task, and each has another.
                if let Some(left_out) = told.failed("panicked") {
                    tracing::error!(%name, error = %panic, left_out, ?wait, "what is run for this log failed; starting it again");
                }
            }
        }
        stop.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
}

fn say(told: &Repeats, name: &impl fmt::Display, reason: impl fmt::Display, wait: Duration) {
    if let Some(left_out) = told.failed(&reason) {
        tracing::warn!(%name, %reason, left_out, ?wait, "what is run for this log has ended; starting it again");
    }
}

/// What runs have to show while they last, by instance. Cheap to clone; reads take no lock.
pub struct Running<T>(Arc<ArcSwap<BTreeMap<InstanceId, Shown<T>>>>);

struct Shown<T> {
    sealed: SealedLog,
    value: Arc<T>,
    until: CancellationToken,
}

impl<T> Running<T> {
    /// What the run for an instance shows; `None` as soon as that is told to stop.
    pub fn get(&self, id: &InstanceId) -> Option<Arc<T>> {
        self.0.load().get(id).filter(|shown| !shown.until.is_cancelled()).map(|shown| Arc::clone(&shown.value))
    }

    /// As [`get`](Self::get), but until the run has ended: for what may still be told why it ends.
    pub fn get_ending(&self, id: &InstanceId) -> Option<Arc<T>> {
        self.0.load().get(id).map(|shown| Arc::clone(&shown.value))
    }

    /// What all runs show, by instance id.
    pub fn all(&self) -> Vec<Arc<T>> {
        let shown = self.0.load();
        shown.values().filter(|shown| !shown.until.is_cancelled()).map(|shown| Arc::clone(&shown.value)).collect()
    }

    /// Whether every instance of the fleet has something to show: that instance, not one that had its id before.
    pub fn has_all(&self, fleet: &Fleet) -> bool {
        let shown = self.0.load();
        fleet.instances.iter().all(|(id, instance)| {
            shown.get(id).is_some_and(|shown| shown.sealed == SealedLog::of(instance) && !shown.until.is_cancelled())
        })
    }

    /// Shows `value` until the run is told to stop or what is returned is dropped.
    #[must_use = "it is shown until this is dropped"]
    pub fn show(&self, run: &Run, value: Arc<T>) -> Showing<T> {
        let (id, sealed) = (run.instance.id.clone(), SealedLog::of(&run.instance));
        self.0.rcu(|shown| {
            let new = Shown { sealed: sealed.clone(), value: Arc::clone(&value), until: run.stop.clone() };
            let mut shown = BTreeMap::clone(shown);
            shown.insert(id.clone(), new);
            shown
        });
        Showing { running: self.clone(), id }
    }
}

impl<T> Default for Running<T> {
    fn default() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(BTreeMap::new())))
    }
}

impl<T> Clone for Running<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Clone for Shown<T> {
    fn clone(&self) -> Self {
        Self { sealed: self.sealed.clone(), value: Arc::clone(&self.value), until: self.until.clone() }
    }
}

/// Takes a value out of [`Running`] when it is dropped.
pub struct Showing<T> {
    running: Running<T>,
    id: InstanceId,
}

impl<T> Drop for Showing<T> {
    fn drop(&mut self) {
        // There is one run of an id at a time, so this is its own.
        self.running.0.rcu(|shown| {
            let mut shown = BTreeMap::clone(shown);
            shown.remove(&self.id);
            shown
        });
    }
}
