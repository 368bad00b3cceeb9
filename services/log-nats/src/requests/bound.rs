//! What of one submitter's certificate-connect events reaches a registrar, however many it submits: what a connector that was
//! broken into cannot get round, because it is held against its requests as they are taken.
//!
//! Two bounds. Its share of a log's queue is the one that a process refuses itself by (see `submit`): what waits beyond it was
//! submitted by a program that does not, so it is removed; that keeps the way of the others' requests short, whatever the
//! registrars' pace is. And a rate, over all logs. What is over a bound is removed unruled, so that it makes room; a
//! device that connects makes it again. Commands are bound by the API's proof instead.
//!
//! Each registrar counts for itself: with several the rate is as many times as high, and each removes what it finds beyond the
//! share. The broker can do neither: it has no quotas for a user.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use opentelemetry::{KeyValue, global, metrics::Counter};
use rollcall_domain::ids::LogId;
use rollcall_log::{limits::Limits, requests::RequestKind};
use tokio::time::{Instant, sleep};

use crate::{
    connection::Connection,
    requests::submit::{COUNT_EVERY, each_subject},
    subjects::{self, shards::Shard, submitter::Submitter},
};

/// Submitters whose rate is known at a time: more than a broker has users for Rollcall. Further ones are over their bound.
const SUBMITTERS_MAX: usize = 4096;
/// How long what was removed is added up before it is said.
const SAY_EVERY: Duration = Duration::from_secs(5);

static REMOVED: LazyLock<Counter<u64>> =
    LazyLock::new(|| global::meter("rollcall.backbone").u64_counter("rollcall.backbone.requests_removed").build());

/// The rates of all submitters, and what was removed.
pub(super) struct Bound {
    rates: DefaultKeyedRateLimiter<Submitter>,
    /// What was removed of each submitter and has not been said yet.
    unsaid: Arc<Mutex<BTreeMap<Submitter, u64>>>,
}

/// What waits in a shard beyond the shares of those who submitted it, when that was last counted.
#[derive(Default)]
pub(super) struct Excess {
    counted_at: Option<Instant>,
    left: HashMap<(LogId, Submitter), u64>,
}

impl Bound {
    pub(super) fn new(limits: &Limits) -> Self {
        let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(limits.connects_per_s)).allow_burst(at_least_one(limits.connects_burst));
        Self { rates: RateLimiter::keyed(quota), unsaid: Arc::default() }
    }

    /// Whether a request that has come may be ruled on; if not, it counts as removed. One that comes again was counted in the rate
    /// when it came first.
    pub(super) fn admits(&self, request: &subjects::Request, deliveries: u64, excess: &Mutex<Excess>) -> bool {
        if request.kind != RequestKind::Connect || request.submitter.user().is_none() {
            return true;
        }
        let admitted = !lock(excess).removes(request) && (deliveries > 1 || self.is_within_rate(&request.submitter));
        if !admitted {
            self.removed(&request.submitter);
        }
        admitted
    }

    fn is_within_rate(&self, submitter: &Submitter) -> bool {
        if self.rates.len() >= SUBMITTERS_MAX {
            self.rates.retain_recent();
            if self.rates.len() >= SUBMITTERS_MAX {
                return false;
            }
        }
        self.rates.check_key(submitter).is_ok()
    }

    /// Counts, and sees to it that it is said: one line for all that is removed within some seconds.
    fn removed(&self, submitter: &Submitter) {
        REMOVED.add(1, &[KeyValue::new("submitter", submitter.to_string())]);
        let is_first = {
            let mut unsaid = lock(&self.unsaid);
            *unsaid.entry(submitter.clone()).or_default() += 1;
            unsaid.len() == 1 && unsaid.get(submitter) == Some(&1)
        };
        if is_first {
            let unsaid = self.unsaid.clone();
            tokio::spawn(async move {
                sleep(SAY_EVERY).await;
                let removed = std::mem::take(&mut *lock(&unsaid));
                let of_each: Vec<String> =
                    removed.iter().map(|(submitter, count)| format!("{submitter}: {count}")).collect();
                tracing::warn!(
                    removed = of_each.join(", "),
                    "certificate-connect events over their submitter's bound were removed unruled"
                );
            });
        }
    }
}

impl Excess {
    /// Whether it is time to count: more waits than one submitter may have, and it has not been counted a moment ago. Whoever is told
    /// so counts.
    pub(super) fn is_due(&mut self, waiting: u64, share: u64) -> bool {
        let is_due = waiting >= share && self.counted_at.is_none_or(|at| at.elapsed() >= COUNT_EVERY);
        if is_due {
            self.counted_at = Some(Instant::now());
        }
        is_due
    }

    /// Whether a request is one of those beyond the share. The oldest go, which come first.
    fn removes(&mut self, request: &subjects::Request) -> bool {
        let Some(left) = self.left.get_mut(&(request.log.clone(), request.submitter.clone())) else { return false };
        let removes = *left > 0;
        *left = left.saturating_sub(1);
        removes
    }
}

/// Counts what waits in a shard beyond the shares of its submitters. Without an answer it stays as it was: it is counted again.
pub(super) async fn count(connection: &Connection, shard: Shard, excess: &Mutex<Excess>) {
    let share = connection.config.limits.shards.requests_of_submitter;
    let mut waiting: HashMap<(LogId, Submitter), u64> = HashMap::new();
    let found = |subject: &str| {
        if let Ok(request) = subjects::Request::read(subject) {
            *waiting.entry((request.log, request.submitter)).or_default() += 1;
        }
    };
    let attempted = || format!("counting the waiting requests of shard {shard}");
    let counted =
        each_subject(connection, &subjects::requests_stream(shard), subjects::connects(shard), attempted, found).await;
    match counted {
        Ok(()) => {
            waiting.retain(|_, count| *count > share);
            waiting.values_mut().for_each(|count| *count -= share);
            lock(excess).left = waiting;
        }
        Err(error) => tracing::debug!(%error, "what waits in a shard was not counted"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
