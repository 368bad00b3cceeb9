//! Which requests of a queue wait and which are out under a lease. Plain state: time is an argument.
//!
//! Invariants: a request is waiting, or out with one delivery; only the latest delivery may finish it, and only within
//! its lease; what comes back keeps its old place in the order. Nothing of this is written down: after a restart
//! everything waits again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rollcall_log::requests::counted_on;
use tokio::time::Instant;

/// One handing out of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) position: u64,
    pub(crate) delivery: u64,
}

struct Out {
    delivery: u64,
    /// `None` while it is being removed: it cannot run out any more.
    until: Option<Instant>,
}

/// The requests of one queue by position.
pub(crate) struct Leases {
    term: Duration,
    waiting: BTreeSet<u64>,
    out: BTreeMap<u64, Out>,
    ends: BTreeSet<(Instant, u64)>,
    deliveries: u64,
}

impl Leases {
    pub(crate) fn new(term: Duration, waiting: impl IntoIterator<Item = u64>) -> Self {
        Self { term, waiting: waiting.into_iter().collect(), out: BTreeMap::new(), ends: BTreeSet::new(), deliveries: 0 }
    }

    pub(crate) fn arrived(&mut self, position: u64) {
        self.waiting.insert(position);
    }

    /// These requests are there, and no others.
    pub(crate) fn hold(&mut self, positions: &BTreeSet<u64>) {
        let gone: Vec<u64> = self.out.keys().filter(|position| !positions.contains(position)).copied().collect();
        gone.into_iter().for_each(|position| self.forget(position));
        self.waiting = positions.iter().filter(|position| !self.out.contains_key(position)).copied().collect();
    }

    /// Hands out up to `max`, oldest first.
    pub(crate) fn take(&mut self, max: usize, now: Instant) -> Vec<Lease> {
        self.run_out(now);
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some(position) = self.waiting.pop_first() else { break };
            self.deliveries += 1;
            let (delivery, until) = (self.deliveries, now + self.term);
            self.out.insert(position, Out { delivery, until: Some(until) });
            self.ends.insert((until, position));
            taken.push(Lease { position, delivery });
        }
        taken
    }

    /// When the next lease runs out.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// Whether this delivery is the latest, and enough of its lease is left to count on.
    pub(crate) fn is_counted_on(&self, lease: Lease, now: Instant) -> bool {
        let spare = self.term - counted_on(self.term);
        let out = self.out.get(&lease.position).filter(|out| out.delivery == lease.delivery);
        out.is_some_and(|out| out.until.is_none_or(|until| until > now + spare))
    }

    /// Whether this delivery may finish its request now; if so its lease cannot run out any more.
    pub(crate) fn settle(&mut self, lease: Lease, now: Instant) -> bool {
        self.run_out(now);
        match self.out.get_mut(&lease.position) {
            Some(out) if out.delivery == lease.delivery => {
                let Some(until) = out.until.take() else { return false };
                self.ends.remove(&(until, lease.position));
                true
            }
            Some(_) | None => false,
        }
    }

    /// A delivery that came to nothing: its request waits again.
    pub(crate) fn give_back(&mut self, lease: Lease) {
        if self.out.get(&lease.position).is_some_and(|out| out.delivery == lease.delivery) {
            self.forget(lease.position);
            self.waiting.insert(lease.position);
        }
    }

    /// A request that is gone for good.
    pub(crate) fn removed(&mut self, position: u64) {
        self.waiting.remove(&position);
        self.forget(position);
    }

    fn run_out(&mut self, now: Instant) {
        while let Some((until, position)) = self.ends.first().copied() {
            if until > now {
                return;
            }
            self.forget(position);
            self.waiting.insert(position);
        }
    }

    fn forget(&mut self, position: u64) {
        if let Some(Out { until: Some(until), .. }) = self.out.remove(&position) {
            self.ends.remove(&(until, position));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn oldest_first_and_what_comes_back_keeps_its_place() {
        let now = Instant::now();
        let mut leases = Leases::new(TERM, [3, 1, 2]);
        let first = leases.take(2, now);
        assert_eq!(first.iter().map(|lease| lease.position).collect::<Vec<_>>(), [1, 2]);
        leases.give_back(first[0]);
        assert_eq!(leases.take(9, now).iter().map(|lease| lease.position).collect::<Vec<_>>(), [1, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_is_what_the_disk_holds_and_what_is_out_stays_out() {
        let now = Instant::now();
        let mut leases = Leases::new(TERM, [1, 2, 3]);
        let out = leases.take(2, now);
        leases.hold(&BTreeSet::from([2, 3, 4]));
        assert_eq!(leases.take(9, now).iter().map(|lease| lease.position).collect::<Vec<_>>(), [3, 4]);
        assert!(!leases.settle(out[0], now), "it is gone");
        assert!(leases.settle(out[1], now));
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_latest_delivery_finishes_and_only_within_its_lease() {
        let now = Instant::now();
        let mut leases = Leases::new(TERM, [1]);
        let stale = leases.take(1, now)[0];
        assert_eq!(leases.next_end(), Some(now + TERM));
        assert!(leases.is_counted_on(stale, now + TERM / 2));
        assert!(!leases.is_counted_on(stale, now + TERM - TERM / 20), "too little is left");
        assert!(!leases.settle(stale, now + TERM), "the lease has run out");
        let fresh = leases.take(1, now + TERM)[0];
        assert!(!leases.settle(stale, now + TERM), "another delivery is out");
        assert!(!leases.is_counted_on(stale, now + TERM) && leases.is_counted_on(fresh, now + TERM));
        assert!(leases.settle(fresh, now + TERM));
        assert!(!leases.settle(fresh, now + TERM), "it is being removed already");
        assert!(leases.take(1, now + TERM * 9).is_empty(), "what is being removed does not run out");
        leases.removed(1);
        leases.give_back(fresh);
        assert!(leases.take(1, now + TERM * 9).is_empty(), "what was removed does not come back");
    }
}
