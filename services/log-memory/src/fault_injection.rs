//! What goes wrong in memory, how often, and the draw that decides it.
//!
//! Invariant: nothing but the seed and the order of the calls decides; a fault that is off draws nothing, so that
//! switching one on does not shift the others by more than its own draws.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

/// How often each fault happens, in 1000 calls; 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A write, or a read of the log or of a document, is refused as unavailable and not done.
    pub unavailable: u16,
    /// A write is done and then reported as unavailable: the acknowledgement was lost.
    pub lost_ack: u16,
    /// An append, or a write of a document, is refused as a conflict although what it expected is so, and not done.
    pub spurious_conflict: u16,
    /// A taken request is handed out again at once, as if its lease had run out.
    pub redelivery: u16,
    /// A ruling is not announced.
    pub dropped_ruling: u16,
    /// A ruling is announced late, by up to [`Faults::RULING_DELAY_MAX`].
    pub delayed_ruling: u16,
    /// Of several messages that are stored in order the first half is stored, and then reported so.
    pub cut_sequence: u16,
    /// A follower of a log or of messages ends with an error after the entry it has just been given.
    pub cut_follower: u16,
    /// Before an append, a record that no registrar has written gets into the log, as whoever may write there can put one.
    /// Not among [`Faults::some`]: a reader that is not given the registrars' keys stops before it.
    pub foreign_record: u16,
}

impl Faults {
    /// The longest that a delayed ruling takes.
    pub const RULING_DELAY_MAX: Duration = Duration::from_millis(500);

    /// Some of everything that any caller must live with: 2 in 100 of each.
    pub const fn some() -> Self {
        Self {
            unavailable: 20,
            lost_ack: 20,
            spurious_conflict: 20,
            redelivery: 20,
            dropped_ruling: 20,
            delayed_ruling: 20,
            cut_sequence: 20,
            cut_follower: 20,
            foreign_record: 0,
        }
    }
}

/// Switches faults while the backbone is used.
#[derive(Clone)]
pub struct Control(pub(crate) Arc<FaultInjection>);

impl Control {
    /// From now on these faults happen.
    pub fn set_faults(&self, faults: Faults) {
        self.0.state().faults = faults;
    }

    /// From now on nothing goes wrong.
    pub fn clear(&self) {
        self.set_faults(Faults::default());
    }

    /// Waits until a fault has made something fail that was attempted, in the words of its error.
    pub async fn has_failed(&self, attempted: &str) {
        let mut failed = self.0.failed.subscribe();
        // Cannot end: what sends is borrowed here.
        drop(failed.wait_for(|failed| failed.contains(attempted)).await);
    }
}

/// Decides for each call whether a fault happens.
pub(crate) struct FaultInjection {
    state: Mutex<State>,
    /// What a fault has made fail so far.
    failed: watch::Sender<BTreeSet<String>>,
}

struct State {
    faults: Faults,
    random: SplitMix,
}

impl FaultInjection {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        Self { state: Mutex::new(State { faults, random: SplitMix::new(seed) }), failed: watch::Sender::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note_failed(&self, attempted: &str) {
        self.failed.send_if_modified(|failed| failed.insert(attempted.to_owned()));
    }

    /// Whether the chosen fault happens now.
    pub(crate) fn happens(&self, chosen: impl Fn(&Faults) -> u16) -> bool {
        let mut state = self.state();
        match chosen(&state.faults) {
            0 => false,
            odds => state.random.next_u64() % 1000 < u64::from(odds),
        }
    }

    /// How long something takes that is delayed: above zero, at most `max`.
    pub(crate) fn delay(&self, max: Duration) -> Duration {
        let ms = u64::try_from(max.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(1 + self.state().random.next_u64() % ms)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): eight bytes of state, every seed is good.
#[derive(Debug)]
pub struct SplitMix(u64);

impl SplitMix {
    /// The same seed gives the same numbers.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, any of 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_history() {
        let history = |seed| {
            let injection = FaultInjection::new(seed, Faults { lost_ack: 500, ..Faults::default() });
            (0..200).map(|_| injection.happens(|faults| faults.lost_ack)).collect::<Vec<_>>()
        };
        assert_eq!(history(1), history(1));
        assert_ne!(history(1), history(2));
        assert!(history(1).contains(&true) && history(1).contains(&false), "500 in 1000 is neither never nor always");
    }
}
