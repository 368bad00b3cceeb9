//! What clients that have proven nothing may hold between them, and what each source of them.
//!
//! Knows neither sockets nor requests: what is counted, connections or bytes, is the caller's. The bound of a source binds only
//! while more than half of the whole is held: many honest clients behind one address are told from a flood by nothing else, and
//! until then there is room for both. Invariant: no more than the whole is ever held, and a source holds beyond its own bound
//! only what it took while half of the whole was free.

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::watch;

/// Where a client is, as far as it cannot choose that itself: its IPv4 address, or the /64 of its IPv6 address, since an IPv6
/// customer has a /64 at least and varies the rest at will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceNetwork(IpAddr);

impl SourceNetwork {
    /// The network of an address; an IPv4 address that is mapped into IPv6 is itself.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

impl fmt::Display for SourceNetwork {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(formatter),
            IpAddr::V6(address) => write!(formatter, "{address}/64"),
        }
    }
}

/// Why nothing more is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    #[error("all that there is for everybody is taken")]
    Whole,
    #[error("more than half of all is taken, and this source has its part")]
    Source,
}

/// An amount that is shared by all sources.
#[derive(Debug)]
pub struct SharedBound {
    max: u64,
    of_source_max: u64,
    held: Mutex<Held>,
    crowded: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Held {
    total: u64,
    /// What each source holds without having proven anything; none is 0, so that no more sources are kept than hold something.
    unproven: HashMap<SourceNetwork, u64>,
}

/// What one client holds of a [`SharedBound`]; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    bound: Arc<SharedBound>,
    source: SourceNetwork,
    amount: u64,
    is_proven: AtomicBool,
}

impl SharedBound {
    /// `max` for all, of which a source gets `of_source_max` while more than half is taken.
    pub fn new(max: u64, of_source_max: u64) -> Arc<Self> {
        Arc::new(Self { max, of_source_max, held: Mutex::default(), crowded: watch::Sender::new(false) })
    }

    /// The share of a client, still empty.
    pub fn share(self: &Arc<Self>, source: SourceNetwork) -> Share {
        Share { bound: Arc::clone(self), source, amount: 0, is_proven: AtomicBool::new(false) }
    }

    /// What all hold together.
    pub fn held(&self) -> u64 {
        self.held_now().total
    }

    /// Whether more than half is taken, as it changes.
    pub fn crowded(&self) -> watch::Receiver<bool> {
        self.crowded.subscribe()
    }

    fn is_crowded(&self, total: u64) -> bool {
        total > self.max / 2
    }

    /// A panic elsewhere leaves the counts consistent: each change is made whole under the lock, by code that does not panic.
    fn held_now(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under the lock, so that the last one told is the last one that holds.
    fn tell(&self, held: &Held) {
        let crowded = self.is_crowded(held.total);
        self.crowded.send_if_modified(|told| std::mem::replace(told, crowded) != crowded);
    }
}

impl Held {
    fn give_back(&mut self, source: SourceNetwork, amount: u64) {
        if let Some(unproven) = self.unproven.get_mut(&source) {
            *unproven = unproven.saturating_sub(amount);
            if *unproven == 0 {
                self.unproven.remove(&source);
            }
        }
    }
}

impl Share {
    /// Adds to the share.
    ///
    /// # Errors
    /// [`Exhausted`]: the share is what it was.
    pub fn take(&mut self, amount: u64) -> Result<(), Exhausted> {
        let mut held = self.bound.held_now();
        let total = held.total.saturating_add(amount);
        if total > self.bound.max {
            return Err(Exhausted::Whole);
        }
        if !self.is_proven.load(Ordering::Relaxed) {
            let of_source = held.unproven.get(&self.source).copied().unwrap_or(0).saturating_add(amount);
            if self.bound.is_crowded(total) && of_source > self.bound.of_source_max {
                return Err(Exhausted::Source);
            }
            if of_source > 0 {
                held.unproven.insert(self.source, of_source);
            }
        }
        held.total = total;
        self.amount = self.amount.saturating_add(amount);
        self.bound.tell(&held);
        Ok(())
    }

    /// The client has proven who it is: what it holds no longer counts against its source, but still for all.
    pub fn prove(&self) {
        let mut held = self.bound.held_now();
        if !self.is_proven.swap(true, Ordering::Relaxed) {
            held.give_back(self.source, self.amount);
        }
    }

    pub fn is_proven(&self) -> bool {
        self.is_proven.load(Ordering::Relaxed)
    }

    pub fn source(&self) -> SourceNetwork {
        self.source
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.bound.held_now();
        held.total = held.total.saturating_sub(self.amount);
        if !self.is_proven.load(Ordering::Relaxed) {
            held.give_back(self.source, self.amount);
        }
        self.bound.tell(&held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> SourceNetwork {
        SourceNetwork::of(text.parse().unwrap())
    }

    fn taken(bound: &Arc<SharedBound>, text: &str, amount: u64) -> Result<Share, Exhausted> {
        let mut share = bound.share(source(text));
        share.take(amount).map(|()| share)
    }

    #[test]
    fn an_ipv6_source_is_its_network_and_a_mapped_ipv4_address_itself() {
        assert_eq!(source("2001:db8:1:2:3:4:5:6").to_string(), "2001:db8:1:2::/64");
        assert_eq!(source("::ffff:192.0.2.7").to_string(), "192.0.2.7");
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::1"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
    }

    #[test]
    fn f44_a_source_is_bound_only_while_more_than_half_is_taken() {
        let bound = SharedBound::new(10, 2);
        let crowded = bound.crowded();
        let mut flood: Vec<_> = (0..5).map(|_| taken(&bound, "192.0.2.1", 1).unwrap()).collect();
        assert!(!*crowded.borrow());
        assert_eq!(taken(&bound, "192.0.2.1", 1).unwrap_err(), Exhausted::Source);
        let others: Vec<_> =
            (2..4).flat_map(|n| [n, n]).map(|n| taken(&bound, &format!("192.0.2.{n}"), 1).unwrap()).collect();
        assert!(*crowded.borrow());
        assert_eq!(taken(&bound, "192.0.2.2", 1).unwrap_err(), Exhausted::Source);
        let last = taken(&bound, "192.0.2.4", 1).unwrap();
        assert_eq!(taken(&bound, "192.0.2.5", 1).unwrap_err(), Exhausted::Whole);
        drop((others, last));
        assert!(!*crowded.borrow());
        flood.pop();
        flood.push(taken(&bound, "192.0.2.1", 1).unwrap());
        drop(flood);
        assert_eq!((bound.held(), bound.held_now().unproven.len()), (0, 0));
    }

    #[test]
    fn what_is_proven_counts_for_all_and_not_for_its_source() {
        let bound = SharedBound::new(10, 2);
        let mut proven = taken(&bound, "192.0.2.1", 5).unwrap();
        assert_eq!(taken(&bound, "192.0.2.1", 1).unwrap_err(), Exhausted::Source);
        proven.prove();
        proven.prove();
        assert_eq!((bound.held(), bound.held_now().unproven.len()), (5, 0));
        let beside = taken(&bound, "192.0.2.1", 2).unwrap();
        proven.take(2).unwrap();
        assert_eq!(proven.take(2), Err(Exhausted::Whole));
        drop(proven);
        assert_eq!((bound.held(), bound.held_now().unproven[&source("192.0.2.1")]), (2, 2));
        drop(beside);
        assert_eq!(bound.held(), 0);
    }
}
