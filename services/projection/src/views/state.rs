//! What readers of one view share with the task that keeps it up: what is served, how it stands, who uses it.
//!
//! Does not decide what is served when. Invariants: a status that says so comes after what it says can be looked up; a view
//! whose task is gone, in order or not, says [`ViewHealth::Ended`] and never anything else again.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use rollcall_domain::{
    ids::{DeviceId, Incarnation, InstanceId, Position},
    registry::Configuration,
    time::Timestamp,
};
use rollcall_log::{
    log::StreamIdentity,
    seal::{self, Sealing},
};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    status::{Applied, LogProof, ViewHealth, ViewStatus},
    view_error::ViewError,
};
use crate::{
    files::{Database, Fault, Files},
    fold::Fold,
    rows::{Counts, Rows},
    standings::Standings,
};

/// Records that a slow reader of [`Applied`] may be behind before it is told that it lags.
const APPLIED_WAITING_MAX: usize = 1024;

pub(crate) struct ViewState {
    served: ArcSwap<Served>,
    /// Raised with every whole replacement of `served`.
    generation: AtomicU64,
    live: AtomicU64,
    retired: AtomicU64,
    standings: Arc<Standings>,
    lookups_damaged: AtomicU64,
    status: watch::Sender<ViewStatus>,
    applied: broadcast::Sender<Applied>,
    /// A token for each user; `None` once the last has gone: a later one gets another view.
    users: Mutex<Option<Vec<CancellationToken>>>,
    /// Cancelled when the task has ended.
    ended: CancellationToken,
    /// Dropped last: closing the files marks them clean.
    files: Arc<Files>,
}

/// What lookups are made in.
pub(crate) struct Served {
    pub(crate) rows: Option<Arc<Rows>>,
    /// The stream that it was folded from.
    pub(crate) stream: Option<StreamIdentity>,
    pub(crate) configuration: Arc<Configuration>,
}

impl ViewState {
    pub(crate) fn served(&self) -> arc_swap::Guard<Arc<Served>> {
        self.served.load()
    }

    pub(crate) fn status(&self) -> watch::Receiver<ViewStatus> {
        self.status.subscribe()
    }

    pub(crate) fn applied(&self) -> broadcast::Receiver<Applied> {
        self.applied.subscribe()
    }

    pub(crate) fn count(&self) -> u64 {
        self.live.load(Ordering::Acquire)
    }

    pub(crate) fn retired_count(&self) -> u64 {
        self.retired.load(Ordering::Acquire)
    }

    pub(crate) fn lookups_damaged(&self) -> u64 {
        self.lookups_damaged.load(Ordering::Acquire)
    }

    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    pub(crate) async fn reached(&self, position: Position) -> Result<(), ViewError> {
        let mut status = self.status.subscribe();
        tokio::select! {
            biased;
            () = self.ended.cancelled() => Err(ViewError::Closed),
            found = status.wait_for(|status| status.position >= position) => found.map(drop).map_err(|_| ViewError::Closed),
        }
    }

    /// Looks something up. Damage makes it `None`, is counted, and has the view built again.
    pub(crate) fn look<T>(&self, lookup: impl FnOnce(&Rows) -> Result<T, Fault>) -> Option<T> {
        let served = self.served.load();
        let rows = served.rows.as_ref()?;
        self.checked(&rows.database, lookup(rows))
    }

    /// As [`look`](Self::look), in what the directory has written; `None` also while that is not what is served.
    pub(crate) fn look_in_directory<T>(&self, lookup: impl FnOnce(&Rows) -> Result<T, Fault>) -> Option<T> {
        // Owned: a long walk is no business of a lookup of the connector's.
        let rows = self.served.load().rows.clone().filter(|rows| rows.has_directory())?;
        self.checked(&rows.database, lookup(&rows))
    }

    /// As [`look_in_directory`](Self::look_in_directory), with how many there are of each kind, once that has been counted.
    pub(crate) fn look_and_count<T>(&self, lookup: impl FnOnce(&Rows, Option<&Counts>) -> Result<T, Fault>) -> Option<T> {
        self.look_in_directory(|rows| lookup(rows, self.standings.counts(rows).as_deref()))
    }

    /// Remembers that a device came online or went offline.
    pub(crate) fn note_seen(&self, device: &DeviceId, online: bool, at: Timestamp) {
        self.look_beside(|database| self.standings.note(database, device, online, at));
    }

    /// As [`look`](Self::look), beside the generations.
    pub(crate) fn look_beside<T>(&self, lookup: impl FnOnce(&Database) -> Result<T, Fault>) -> Option<T> {
        let database = self.files.current();
        self.checked(&database, lookup(&database))
    }

    fn checked<T>(&self, database: &Database, found: Result<T, Fault>) -> Option<T> {
        found
            .inspect_err(|fault| {
                self.lookups_damaged.fetch_add(1, Ordering::AcqRel);
                if let Err(fault) = self.files.replace(database, fault) {
                    tracing::error!(%fault, "the views cannot be rebuilt yet; trying again when they are next used");
                }
            })
            .ok()
    }
}

/// For the store, which hands the view out.
impl ViewState {
    pub(crate) fn new(files: Arc<Files>, instance: InstanceId, incarnation: Incarnation) -> Self {
        Self {
            served: ArcSwap::from_pointee(Served { rows: None, stream: None, configuration: Arc::default() }),
            generation: AtomicU64::new(0),
            live: AtomicU64::new(0),
            retired: AtomicU64::new(0),
            standings: Arc::new(Standings::of(instance, incarnation)),
            lookups_damaged: AtomicU64::new(0),
            status: watch::Sender::new(new_status(0)),
            applied: broadcast::Sender::new(APPLIED_WAITING_MAX),
            users: Mutex::new(Some(Vec::new())),
            ended: CancellationToken::new(),
            files,
        }
    }

    /// One more user, until `shutdown` or until the guard is dropped. `None`: the view has ended or is about to.
    pub(crate) fn used_until(&self, shutdown: &CancellationToken) -> Option<DropGuard> {
        let mut users = self.users();
        let users = users.as_mut()?;
        users.retain(|user| !user.is_cancelled());
        let user = shutdown.child_token();
        users.push(user.clone());
        Some(user.drop_guard())
    }

    /// Returns once every user has gone. There is none afterwards.
    pub(crate) async fn unused(&self) {
        while let Some(user) = self.any_user() {
            user.cancelled().await;
        }
    }

    fn any_user(&self) -> Option<CancellationToken> {
        let mut users = self.users();
        let found = users.as_ref().and_then(|users| users.iter().find(|user| !user.is_cancelled()).cloned());
        if found.is_none() {
            *users = None;
        }
        found
    }

    fn users(&self) -> MutexGuard<'_, Option<Vec<CancellationToken>>> {
        // A list of tokens is whole between any two statements.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For the task that keeps the view up.
impl ViewState {
    pub(crate) fn standings(&self) -> Arc<Standings> {
        Arc::clone(&self.standings)
    }

    pub(crate) fn position(&self) -> Position {
        self.status.borrow().position
    }

    pub(crate) fn publish(&self, fold: &Fold, caught_up: bool) {
        self.count_anew(fold);
        self.status.send_modify(|status| {
            status.position = fold.point.position;
            status.digest = fold.point.digest;
            status.sealing = fold.point.sealing;
            status.batch = fold.point.batch;
            status.proof = LogProof::of(fold.point.sealing, &self.files.config().keys);
            status.foreign = fold.foreign;
            status.generation = self.generation.load(Ordering::Acquire);
            if caught_up {
                // Only this says that the log is within reach again: a record may have waited on this side of a cut.
                (status.caught_up, status.health) = (true, ViewHealth::Following);
            }
        });
    }

    /// Tells of a record that can be looked up by now.
    pub(crate) fn tell(&self, record: Applied) {
        // It may have no receiver.
        let _ = self.applied.send(record);
    }

    /// Serves more of the same generation.
    pub(crate) fn serve(&self, fold: &Fold) {
        self.served.store(Arc::new(Served {
            rows: Some(Arc::clone(&fold.rows)),
            stream: Some(fold.stream.clone()),
            configuration: Arc::clone(&fold.configuration),
        }));
    }

    /// Serves another generation; the next [`publish`](Self::publish) says so.
    pub(crate) fn serve_another(&self, fold: &Fold) {
        self.serve(fold);
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn serve_nothing(&self) {
        // The status first: a reader that asks it must not take "nothing" for the truth.
        self.status.send_replace(new_status(self.generation.fetch_add(1, Ordering::AcqRel) + 1));
        self.served.store(Arc::new(Served { rows: None, stream: None, configuration: Arc::default() }));
        self.live.store(0, Ordering::Release);
        self.retired.store(0, Ordering::Release);
    }

    pub(crate) fn count_anew(&self, fold: &Fold) {
        self.live.store(fold.stats.live, Ordering::Release);
        self.retired.store(fold.stats.retired, Ordering::Release);
    }

    pub(crate) fn stale(&self, reason: String) {
        self.stand(ViewHealth::Stale { reason });
    }

    pub(crate) fn stand(&self, health: ViewHealth) {
        self.status.send_modify(|status| status.health = health);
    }
}

fn new_status(generation: u64) -> ViewStatus {
    ViewStatus {
        position: Position::START,
        caught_up: false,
        digest: seal::START,
        sealing: Sealing::Unsigned,
        batch: None,
        proof: LogProof::WithoutKeys,
        foreign: None,
        generation,
        health: ViewHealth::Following,
    }
}

/// Says that the view has ended when it is dropped: with the task that kept it up, however that came to its end. A panic
/// that left the last status standing would have connectors admit by a view that never moves again.
pub(crate) struct Ended {
    state: Arc<ViewState>,
    instance: InstanceId,
}

impl Ended {
    pub(crate) fn of(state: Arc<ViewState>, instance: InstanceId) -> Self {
        Self { state, instance }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(instance = %self.instance, "the view has failed and is not used until it is opened again");
        }
        *self.state.users() = None;
        self.state.status.send_modify(|status| (status.caught_up, status.health) = (false, ViewHealth::Ended));
        self.state.ended.cancel();
    }
}
