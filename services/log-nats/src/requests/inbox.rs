//! What has come for a log that this process serves, until it is taken.
//!
//! Invariants: never more than [`INBOX_MAX`]; when it is full, a submitter that has less in it than another takes a place
//! of the other's, so none fills it alone.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rollcall_log::{log::BATCH_RECORDS_MAX, requests::Delivery};
use tokio::{
    sync::{Notify, OnceCell},
    time::Instant,
};

use crate::{requests::source::Source, subjects::submitter::Submitter};

/// Requests that lie in one inbox: as many as a registrar rules on at a time.
const INBOX_MAX: usize = BATCH_RECORDS_MAX;

/// See the file.
#[derive(Default)]
pub(super) struct Inbox {
    /// Where to pull from; the log's own stream of version 0.1 before the shard.
    pub(super) sources: OnceCell<Vec<Arc<Source>>>,
    held: Mutex<BTreeMap<Place, Waiting>>,
    pub(super) arrived: Notify,
    takers: AtomicUsize,
    left: Mutex<Option<Instant>>,
}

/// Its source's rank and its sequence there: oldest first.
pub(super) type Place = (u8, u64);

/// A request in an inbox.
pub(super) struct Waiting {
    pub(super) delivery: Delivery,
    pub(super) submitter: Submitter,
    pub(super) reply: String,
    pub(super) deliveries: u64,
    /// When the server was asked for it: its lease has begun since.
    pub(super) asked: Instant,
}

/// Somebody takes from the log until this is dropped.
pub(super) struct Taking(Arc<Inbox>);

impl Drop for Taking {
    fn drop(&mut self) {
        *lock(&self.0.left) = Some(Instant::now());
        self.0.takers.fetch_sub(1, Ordering::AcqRel);
        // Whoever takes next looks by itself; this is for one who waits already.
        self.0.arrived.notify_one();
    }
}

impl Inbox {
    /// With one taker more.
    pub(super) fn taking(self: &Arc<Self>) -> Taking {
        self.takers.fetch_add(1, Ordering::AcqRel);
        Taking(self.clone())
    }

    /// How many lie in it.
    pub(super) fn count(&self) -> usize {
        lock(&self.held).len()
    }

    /// Whether a registrar takes from the log, or did a short while ago and is ruling on what was taken.
    pub(super) fn is_served(&self, lease: Duration) -> bool {
        self.takers.load(Ordering::Acquire) > 0 || lock(&self.left).is_some_and(|left| left.elapsed() < lease)
    }

    /// Puts a request into its place; returns what has no room then: this one, or one of a submitter that has more.
    pub(super) fn put(&self, place: Place, next: Waiting) -> Option<Waiting> {
        let mut held = lock(&self.held);
        let evicted = put(&mut held, INBOX_MAX, place, next);
        drop(held);
        self.arrived.notify_one();
        evicted
    }

    /// Up to `max` of what has come, and what may have been leased for longer than `leased_max`.
    pub(super) fn take(&self, max: usize, leased_max: Duration) -> (Vec<Delivery>, Vec<Waiting>) {
        let (mut found, mut late) = (Vec::new(), Vec::new());
        let mut held = lock(&self.held);
        while found.len() < max
            && let Some((_, next)) = held.pop_first()
        {
            if next.asked.elapsed() < leased_max { found.push(next.delivery) } else { late.push(next) }
        }
        if !held.is_empty() {
            self.arrived.notify_one();
        }
        (found, late)
    }
}

fn put(held: &mut BTreeMap<Place, Waiting>, max: usize, place: Place, next: Waiting) -> Option<Waiting> {
    // The same request again has a new lease: it takes the place of the old one.
    if held.len() < max || held.contains_key(&place) {
        held.insert(place, next);
        return None;
    }
    let mut counts: HashMap<&Submitter, usize> = HashMap::new();
    held.values().for_each(|held| *counts.entry(&held.submitter).or_default() += 1);
    let own = counts.get(&next.submitter).copied().unwrap_or_default();
    let most = counts.values().copied().max().unwrap_or_default();
    if own + 1 >= most {
        return Some(next);
    }
    // The newest of those who have the most: it would have waited longest.
    let newest = held.iter().rev().find(|(_, held)| counts.get(&held.submitter) == Some(&most)).map(|(place, _)| *place);
    let evicted = newest.and_then(|newest| held.remove(&newest));
    held.insert(place, next);
    evicted
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rollcall_domain::ids::RequestId;

    use super::*;
    use rollcall_log::requests::{Receipt, RequestKind};

    fn of(submitter: &str, number: u64) -> (Place, Waiting) {
        let delivery = Delivery {
            kind: RequestKind::Connect,
            id: RequestId::parse(&format!("{submitter}-{number}")).unwrap(),
            request: Bytes::new(),
            receipt: Receipt(String::new()),
        };
        let (submitter, asked) = (Submitter::read(submitter), Instant::now());
        ((1, number), Waiting { delivery, submitter, reply: String::new(), deliveries: 1, asked })
    }

    #[test]
    fn f26_a_submitter_that_floods_leaves_others_their_places() {
        let mut held = BTreeMap::new();
        let mut put = |(place, next)| put(&mut held, 4, place, next).map(|evicted| evicted.delivery.id.to_string());
        let flood: Vec<_> = (1..=6).map(|number| put(of("loud", number))).collect();
        let returned = [None, None, None, None, Some("loud-5".to_owned()), Some("loud-6".to_owned())];
        assert_eq!(flood, returned, "alone it may have all");
        assert_eq!(put(of("quiet", 7)).as_deref(), Some("loud-4"));
        assert_eq!(put(of("quiet", 8)).as_deref(), Some("loud-3"));
        assert_eq!(put(of("quiet", 9)).as_deref(), Some("quiet-9"), "and no more than the other");
        assert_eq!(put(of("loud", 10)).as_deref(), Some("loud-10"));
        assert_eq!(put(of("loud", 1)), None, "one that comes again has its place");
        let ids: Vec<_> = held.values().map(|held| held.delivery.id.to_string()).collect();
        assert_eq!(ids, ["loud-1", "loud-2", "quiet-7", "quiet-8"]);
    }
}
