//! Which view is fresh, which has diverged, and whether this process has been running: decided without I/O or tasks.
//!
//! Time is given with every call. Invariants: a counter makes a view fresh only by rising above one that was heard in the
//! same stretch of uninterrupted following; a suspension is noticed by whatever call comes first after it.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use rollcall_domain::ids::{LogId, Position, RegistrarId};
use rollcall_log::heartbeat::{Announcement, INTERVAL, KEPT, LogPosition, REGISTRARS_MAX, Source};
use tokio::time::Instant;

use super::Point;

/// A view that was confirmed within this time is fresh: two announcements may be lost.
pub const FRESH_MAX: Duration = INTERVAL.saturating_mul(3);
/// How long the process must have been seen running before an old view is taken for what there is.
pub const SETTLE: Duration = Duration::from_secs(2);
/// A process that nothing was heard of for so long was suspended, or starved as if it were.
pub const SUSPENDED_AFTER: Duration = Duration::from_secs(1);
/// Announced positions of one log that wait for the view to reach them.
const WAITING_MAX: usize = 8;
/// How far the clocks of registrars may be apart, milliseconds: counters begin with their clocks.
const SKEW_MS_MAX: u64 = 10 * 60 * 1000;

/// A view and a registrar's view that differ at one position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Of which log.
    pub log: LogId,
    /// At which position.
    pub position: Position,
    /// This process's digest there.
    pub ours: [u8; 32],
    /// The registrar's.
    pub theirs: [u8; 32],
    pub registrar: RegistrarId,
}

/// Announcements that make nothing fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncounted {
    /// Unreadable, or not signed by a key that is known here.
    pub disbelieved: u64,
    /// The counter does not rise: an old announcement, again.
    pub replayed: u64,
    /// There are more registrars than are followed.
    pub too_many: u64,
}

pub(super) struct Core {
    started: Instant,
    /// Whether announcements can be believed.
    proven: bool,
    running: Running,
    /// Whether what is heard now was followed since the process was last suspended.
    listening: bool,
    registrars: HashMap<RegistrarId, Registrar>,
    /// Of all counters ever heard.
    highest: u64,
    logs: HashMap<LogId, Log>,
    uncounted: Uncounted,
    suspended: bool,
    opened: bool,
}

struct Running {
    /// `None`: it is not ticked, so nothing can be said.
    seen_at: Option<Instant>,
    /// Time that the process was seen running, since it began or was suspended; no more than [`SETTLE`].
    observed: Duration,
    /// Rises with each suspension.
    epoch: u64,
}

struct Registrar {
    heard_at: Instant,
    /// By shard, since the following was last interrupted.
    counters: BTreeMap<u32, u64>,
}

struct Log {
    /// Since when there is a view: before, no registrar could confirm it.
    tracked_at: Instant,
    confirmed: Option<Confirmed>,
    waiting: VecDeque<Waiting>,
    disputes: BTreeMap<RegistrarId, Divergence>,
    divergences: u64,
    told_at: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Confirmed {
    at: Instant,
    epoch: u64,
}

/// Something announced that the view has not reached.
struct Waiting {
    source: Source,
    announced: LogPosition,
    /// When the counter rose; `None` if it was the first that was heard.
    risen: Option<Confirmed>,
}

impl Core {
    pub(super) fn new(now: Instant, proven: bool) -> Self {
        Self {
            started: now,
            proven,
            running: Running { seen_at: Some(now), observed: Duration::ZERO, epoch: 0 },
            listening: false,
            registrars: HashMap::new(),
            highest: 0,
            logs: HashMap::new(),
            uncounted: Uncounted::default(),
            suspended: false,
            opened: false,
        }
    }

    /// One that is never ticked.
    pub(super) fn still(now: Instant) -> Self {
        let running = Running { seen_at: None, observed: SETTLE, epoch: 0 };
        Self { running, ..Self::new(now, false) }
    }

    /// The process runs. Of the time since the last tick no more than its period counts: it may have been suspended.
    pub(super) fn tick(&mut self, now: Instant, period: Duration) {
        let Some(seen_at) = self.running.seen_at else { return };
        self.notice(now);
        let ran = now.saturating_duration_since(seen_at).min(period);
        self.running.seen_at = Some(now);
        if self.running.observed < SETTLE {
            self.running.observed = (self.running.observed + ran).min(SETTLE);
            self.opened |= self.running.observed == SETTLE;
        }
    }

    fn notice(&mut self, now: Instant) {
        let Some(seen_at) = self.running.seen_at else { return };
        if now.saturating_duration_since(seen_at) <= SUSPENDED_AFTER {
            return;
        }
        self.running = Running { seen_at: Some(now), observed: Duration::ZERO, epoch: self.running.epoch + 1 };
        self.interrupted();
        (self.listening, self.suspended) = (false, true);
    }

    /// The number of this stretch of running; a later one has a higher number.
    pub(super) fn epoch(&mut self, now: Instant) -> u64 {
        self.notice(now);
        self.running.epoch
    }

    /// Announcements are followed anew, from a question that was asked in this stretch of running.
    pub(super) fn listen(&mut self, epoch: u64, now: Instant) {
        self.interrupted();
        self.listening = self.epoch(now) == epoch;
        // One that went by between the question and now asks for another following.
        self.suspended = !self.listening;
    }

    /// What comes next may have waited for any time: the first of each counter says nothing.
    pub(super) fn interrupted(&mut self) {
        for registrar in self.registrars.values_mut() {
            registrar.counters.clear();
        }
    }

    pub(super) fn track(&mut self, log: LogId, now: Instant) {
        self.logs.entry(log).or_insert_with(|| Log {
            tracked_at: now,
            confirmed: None,
            waiting: VecDeque::new(),
            disputes: BTreeMap::new(),
            divergences: 0,
            told_at: None,
        });
    }

    pub(super) fn forget(&mut self, log: &LogId) {
        self.logs.remove(log);
    }

    pub(super) fn disbelieved(&mut self) {
        self.uncounted.disbelieved += 1;
    }

    pub(super) fn uncounted(&self) -> Uncounted {
        self.uncounted
    }

    /// A registrar has announced something; `point` says where a view is.
    pub(super) fn hear(&mut self, said: &Announcement, now: Instant, point: impl Fn(&LogId) -> Option<Point>) {
        self.notice(now);
        if !self.listening {
            return;
        }
        let Some(rises) = self.rises(&said.source, said.counter, now) else { return };
        let risen = rises.then_some(Confirmed { at: now, epoch: self.running.epoch });
        for announced in &said.logs {
            let Some(log) = self.logs.get_mut(&announced.log) else { continue };
            if log.waiting.len() == WAITING_MAX {
                // The oldest stay: a view that is always a little behind reaches those.
                log.waiting.pop_back();
            }
            log.waiting.push_back(Waiting { source: said.source.clone(), announced: announced.clone(), risen });
            if let Some(point) = point(&announced.log) {
                self.look(&announced.log, point, now);
            }
        }
    }

    /// Whether a counter rises above one that was heard; `None` if the announcement is not counted at all.
    fn rises(&mut self, source: &Source, counter: u64, now: Instant) -> Option<bool> {
        if !self.registrars.contains_key(&source.registrar) {
            self.registrars.retain(|_, registrar| now.saturating_duration_since(registrar.heard_at) < KEPT);
            let registrars = &self.registrars;
            for log in self.logs.values_mut() {
                log.disputes.retain(|registrar, _| registrars.contains_key(registrar));
            }
            if self.registrars.len() >= REGISTRARS_MAX {
                self.uncounted.too_many += 1;
                return None;
            }
            if counter.saturating_add(SKEW_MS_MAX) < self.highest {
                self.uncounted.replayed += 1;
                return None;
            }
        }
        let unheard = || Registrar { heard_at: now, counters: BTreeMap::new() };
        let registrar = self.registrars.entry(source.registrar.clone()).or_insert_with(unheard);
        let before = registrar.counters.get(&source.shard).copied();
        if before.is_some_and(|before| counter <= before) {
            self.uncounted.replayed += 1;
            return None;
        }
        registrar.counters.insert(source.shard, counter);
        registrar.heard_at = now;
        self.highest = self.highest.max(counter);
        Some(before.is_some())
    }

    /// A view is at this point: what was announced up to there is compared and confirms it.
    pub(super) fn look(&mut self, id: &LogId, point: Point, now: Instant) {
        let was_fresh = self.is_fresh(id, now);
        let Some(log) = self.logs.get_mut(id) else { return };
        for Waiting { source, announced, risen } in std::mem::take(&mut log.waiting) {
            match point.position.cmp(&announced.position) {
                Ordering::Less => {
                    log.waiting.push_back(Waiting { source, announced, risen });
                    continue;
                }
                Ordering::Equal if point.digest == announced.digest => drop(log.disputes.remove(&source.registrar)),
                Ordering::Equal => log.dispute(id, source.registrar, point, announced.digest),
                // The view has passed it: there is nothing to compare with any more.
                Ordering::Greater => {}
            }
            if log.disputes.is_empty() && risen.is_some() {
                log.confirmed = risen;
            }
        }
        self.opened |= !was_fresh && self.is_fresh(id, now);
    }

    fn is_fresh(&self, log: &LogId, now: Instant) -> bool {
        let confirmed = self.logs.get(log).and_then(|log| log.confirmed);
        confirmed.is_some_and(|confirmed| {
            confirmed.epoch == self.running.epoch && now.saturating_duration_since(confirmed.at) <= FRESH_MAX
        })
    }

    /// Whether the view of a log may be judged by now, or will be fresher soon.
    pub(super) fn may_go_on(&mut self, log: &LogId, now: Instant) -> bool {
        self.notice(now);
        // Who hears no announcements learns nothing by waiting for one; after a suspension the view itself reads on.
        let nothing_to_hear = !self.proven && self.running.epoch == 0;
        nothing_to_hear || self.running.observed >= SETTLE || self.is_fresh(log, now)
    }

    pub(super) fn seen(&self, id: &LogId, now: Instant) -> super::Seen {
        let log = self.logs.get(id);
        let since = log.map_or(self.started, |log| log.confirmed.map_or(log.tracked_at, |confirmed| confirmed.at));
        super::Seen {
            point: None,
            age: self.proven.then(|| now.saturating_duration_since(since)),
            diverged: log.and_then(|log| log.disputes.values().next().cloned()),
            divergences: log.map_or(0, |log| log.divergences),
        }
    }

    /// Whether the process was suspended since this was asked last.
    pub(super) fn take_suspended(&mut self) -> bool {
        std::mem::take(&mut self.suspended)
    }

    /// Whether a waiter may go on since this was asked last.
    pub(super) fn take_opened(&mut self) -> bool {
        std::mem::take(&mut self.opened)
    }

    /// Divergences that are to be told: of each log one, and not again within `every`.
    pub(super) fn take_divergences(&mut self, now: Instant, every: Duration) -> Vec<Divergence> {
        let mut told = Vec::new();
        for log in self.logs.values_mut() {
            let due = log.told_at.is_none_or(|at| now.saturating_duration_since(at) >= every);
            if let Some(divergence) = log.disputes.values().next().filter(|_| due) {
                told.push(divergence.clone());
                log.told_at = Some(now);
            }
        }
        told
    }
}

impl Log {
    fn dispute(&mut self, log: &LogId, registrar: RegistrarId, ours: Point, theirs: [u8; 32]) {
        let Point { position, digest: ours } = ours;
        let divergence = Divergence { log: log.clone(), position, ours, theirs, registrar: registrar.clone() };
        self.divergences += 1;
        self.disputes.insert(registrar, divergence);
    }
}
