//! How fresh a process's views are: its own monotonic time since a registrar, heard of now, had nothing that the view has not.
//!
//! A view that follows its log cannot tell a quiet log from a cut link, and a mirror reports no lag all through a cut. So
//! registrars announce a counter that rises with what their views have ([`rollcall_log::heartbeat`]), and a view is
//! as old as the last rise whose position it has reached and whose digest it agrees with. No clock is compared with
//! another machine's.
//!
//! `core` decides, without I/O; here are one task that follows, one that ticks, and what readers ask. Invariants: what was
//! announced before this process was suspended, or before its link was cut, makes nothing fresh; no caller waits here for
//! longer than the process has been seen running for [`SETTLE`].

mod core;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rollcall_domain::ids::{LogId, Position};
use rollcall_log::{
    BackboneError,
    heartbeat::{Announcement, Heard, Heartbeats, INTERVAL},
    presence::FleetBeat,
    repeats::Repeats,
    resume::Resume,
    signing::PublicKey,
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use self::core::Core;
pub use self::core::{Divergence, FRESH_MAX, SETTLE, SUSPENDED_AFTER, Uncounted};
use crate::{
    fleet::FleetSnapshot,
    views::{ViewHealth, ViewStatus},
};

/// How often it is looked whether the process runs, and how far its views are.
const TICK: Duration = Duration::from_millis(100);
/// The longest delay before announcements are followed again: views grow old meanwhile.
const RETRY_DELAY_MAX: Duration = Duration::from_millis(500);
/// How often it is looked at most whether the divergence of one log is to be logged again.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Where a view stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The last record that it has folded.
    pub position: Position,
    /// The log's digest there.
    pub digest: [u8; 32],
}

/// How fresh the view of one log is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Where it stands; `None` if there is no view of this log.
    pub point: Option<Point>,
    /// Time since a registrar confirmed the view, or since there is one if none has; `None` without a registrar's
    /// public key: nothing can be said then.
    pub age: Option<Duration>,
    /// The view and a registrar's have different digests at one position.
    pub diverged: Option<Divergence>,
    /// How many announcements have disagreed with the view since this process began.
    pub divergences: u64,
}

/// The freshness of all views of a process. Cheap to clone; every question takes one short lock.
#[derive(Clone)]
pub struct Freshness(Arc<Inner>);

/// Where a view is now; `None` once it is none any more.
type Look = Box<dyn Fn() -> Option<Point> + Send + Sync>;

struct Inner {
    state: Mutex<State>,
    /// Changes when a waiter may go on.
    turns: watch::Sender<u64>,
    /// The process was suspended: what waits to be read is older than it looks.
    suspended: Notify,
    /// What was said of announcements that cannot be believed.
    believing: Repeats,
}

struct State {
    core: Core,
    keys: Vec<PublicKey>,
    looks: HashMap<LogId, Look>,
    /// What was said of divergences, by log.
    diverging: HashMap<LogId, Repeats>,
}

/// Why hearing ended.
enum End {
    /// The process was suspended: whatever waits to be heard is older than it looks, and is followed anew at once.
    Suspended,
    /// The announcements have ended, or are out of reach.
    Lost(Result<(), BackboneError>),
}

/// Where a view stands, for [`Freshness::track`]. One that has ended stands nowhere.
pub fn view_point(status: &ViewStatus) -> Option<Point> {
    (status.health != ViewHealth::Ended).then_some(Point { position: status.position, digest: status.digest })
}

impl Seen {
    /// What a connector says of its view of the fleet's log.
    pub fn fleet_beat(&self) -> Option<FleetBeat> {
        self.point.map(|Point { position, digest }| FleetBeat { position, digest, age_ms: self.age_ms() })
    }

    /// `age` in milliseconds.
    pub fn age_ms(&self) -> Option<u64> {
        self.age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Freshness {
    /// Follows what the holders of these keys announce, until `shutdown`. Without a key nothing is followed: ages are not
    /// known, and all that remains is to notice that the process was suspended.
    ///
    /// Must be called inside a tokio runtime. `retry_seed` differs between processes, so that they do not all follow again at
    /// once.
    pub fn start(
        heartbeats: Arc<dyn Heartbeats>,
        keys: Vec<PublicKey>,
        retry_seed: u64,
        shutdown: CancellationToken,
    ) -> Self {
        let freshness = Self::of(Core::new(Instant::now(), !keys.is_empty()), keys.clone());
        let ticking = freshness.clone();
        let stop = shutdown.clone();
        tokio::spawn(async move { stop.run_until_cancelled(ticking.tick()).await });
        if !keys.is_empty() {
            let following = freshness.clone();
            let resume = Resume::new("announcements", "registrars", retry_seed).at_most(RETRY_DELAY_MAX);
            tokio::spawn(async move { shutdown.run_until_cancelled(following.follow(heartbeats, resume)).await });
        }
        freshness
    }

    /// Knows nothing and keeps no caller waiting: for a process that only looks at a log, and for tests of other things.
    pub fn unknown() -> Self {
        Self::of(Core::still(Instant::now()), Vec::new())
    }

    fn of(core: Core, keys: Vec<PublicKey>) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::new(State { core, keys, looks: HashMap::new(), diverging: HashMap::new() }),
            turns: watch::Sender::new(0),
            suspended: Notify::new(),
            believing: Repeats::default(),
        }))
    }

    /// Whether ages can be known: whether there is a registrar's key.
    pub fn is_proven(&self) -> bool {
        !self.state().keys.is_empty()
    }

    /// Keeps an eye on a view, in the place of an earlier one of this log, until `look` says that it is none any more.
    pub fn track(&self, log: LogId, look: impl Fn() -> Option<Point> + Send + Sync + 'static) {
        let mut state = self.state();
        state.core.track(log.clone(), Instant::now());
        state.looks.insert(log, Box::new(look));
    }

    /// Keeps an eye on the fleet as it is followed.
    pub fn track_fleet(&self, fleet: watch::Receiver<Arc<FleetSnapshot>>) {
        self.track(LogId::Fleet, move || view_point(&fleet.borrow().status()));
    }

    /// How fresh the view of a log is.
    pub fn of_log(&self, log: &LogId) -> Seen {
        let state = self.state();
        let point = state.looks.get(log).and_then(|look| look());
        Seen { point, ..state.core.seen(log, Instant::now()) }
    }

    /// Returns once the view of a log may be judged by: it is fresh, or this process has been seen running for [`SETTLE`]
    /// since it began or was suspended, without its becoming fresh. At once in the usual case, and at once while the centre
    /// is away for longer.
    pub async fn settled(&self, log: &LogId) {
        let mut turns = self.0.turns.subscribe();
        loop {
            if self.is_settled(log) {
                return;
            }
            // The sender lives as long as this handle.
            let _ = tokio::time::timeout(TICK, turns.changed()).await;
        }
    }

    /// Whether [`settled`](Self::settled) would return at once.
    pub fn is_settled(&self, log: &LogId) -> bool {
        self.with(|core| core.may_go_on(log, Instant::now()))
    }

    /// How many announcements were not counted, and why.
    pub fn uncounted(&self) -> Uncounted {
        self.state().core.uncounted()
    }

    async fn tick(&self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = Instant::now();
            let mut state = self.state();
            state.core.tick(now, TICK);
            let points: Vec<_> = state.looks.iter().map(|(log, look)| (log.clone(), look())).collect();
            for (log, point) in points {
                match point {
                    Some(point) => state.core.look(&log, point, now),
                    None => {
                        state.looks.remove(&log);
                        state.diverging.remove(&log);
                        state.core.forget(&log);
                    }
                }
            }
            self.settle(state, now);
        }
    }

    async fn follow(&self, heartbeats: Arc<dyn Heartbeats>, mut resume: Resume) {
        loop {
            let epoch = self.with(|core| core.epoch(Instant::now()));
            let ended = match heartbeats.follow().await {
                Ok(heard) => {
                    self.with(|core| core.listen(epoch, Instant::now()));
                    resume.follows();
                    match self.hear(heard).await {
                        End::Suspended => continue,
                        End::Lost(reason) => reason,
                    }
                }
                Err(error) => Err(error),
            };
            resume.pause(ended).await;
        }
    }

    /// Hears what comes, until it ends or the process was suspended meanwhile.
    async fn hear(&self, mut heard: mpsc::Receiver<Result<Heard, BackboneError>>) -> End {
        loop {
            let next = tokio::select! {
                biased;
                () = self.0.suspended.notified() => return End::Suspended,
                next = heard.recv() => next,
            };
            match next {
                Some(Ok(Heard::Announced(bytes))) => self.hear_one(&bytes),
                Some(Ok(Heard::Interrupted)) => self.with(Core::interrupted),
                Some(Err(error)) => return End::Lost(Err(error)),
                None => return End::Lost(Ok(())),
            }
        }
    }

    fn hear_one(&self, bytes: &[u8]) {
        let now = Instant::now();
        // A signature takes a while: not under the lock that admission asks.
        let keys = self.state().keys.clone();
        match Announcement::read(bytes, &keys) {
            Err(disbelief) => {
                self.state().core.disbelieved();
                if let Some(left_out) = self.0.believing.failed(&disbelief) {
                    tracing::warn!(error = %disbelief, left_out,
                        "an announcement of a registrar cannot be believed; views grow old unless others can");
                }
            }
            Ok(announcement) => {
                if self.0.believing.recovered() {
                    tracing::info!(registrar = %announcement.source.registrar, "announcements can be believed again");
                }
                let mut state = self.state();
                let State { core, looks, .. } = &mut *state;
                core.hear(&announcement, now, |log| looks.get(log).and_then(|look| look()));
                self.settle(state, now);
            }
        }
    }

    /// Tells the waiters and the log what the core has come to.
    fn settle(&self, mut state: MutexGuard<'_, State>, now: Instant) {
        if state.core.take_suspended() {
            self.0.suspended.notify_one();
        }
        let opened = state.core.take_opened();
        let mut divergences = state.core.take_divergences(now, TOLD_EVERY);
        divergences.retain(|Divergence { log, registrar, .. }| {
            state.diverging.entry(log.clone()).or_default().failed(registrar).is_some()
        });
        drop(state);
        if opened {
            self.0.turns.send_modify(|turn| *turn = turn.wrapping_add(1));
        }
        for Divergence { log, position, ours, theirs, registrar } in divergences {
            let (ours, theirs) = (hex::encode(ours), hex::encode(theirs));
            tracing::error!(%log, %position, ours, theirs, %registrar,
                "the view of a log differs from a registrar's at one position: one of them is wrong; `rollcall view verify` says which");
        }
    }

    fn with<T>(&self, ask: impl FnOnce(&mut Core) -> T) -> T {
        let mut state = self.state();
        let answer = ask(&mut state.core);
        if state.core.take_suspended() {
            self.0.suspended.notify_one();
        }
        answer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic leaves behind can only be older than it could be.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// One announcement lost, or one that is late, makes no caller wait; and what waits is over within a little more than one.
const _: () = assert!(FRESH_MAX.as_millis() >= 2 * INTERVAL.as_millis());
const _: () = assert!(SETTLE.as_millis() > INTERVAL.as_millis());
