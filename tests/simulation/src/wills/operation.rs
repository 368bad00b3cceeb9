//! What may happen to wills in one step, and how a seed chooses it.

use super::DEVICES;
use crate::memory_log::{Faults, SplitMix};

/// Of the wills that have a delay: longer than a step.
pub(super) const DELAY_S: u64 = 100;
/// Of the sessions that outlive their connection: longer than the delay.
const EXPIRY_S: u32 = 600;

#[derive(Clone, Debug)]
pub(super) struct Connect {
    pub(super) device: usize,
    pub(super) connector: usize,
    pub(super) clean: bool,
    pub(super) expiry_s: u32,
    pub(super) delay_s: u32,
}

/// How a device goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    Goodbye,
    GoodbyeWithWill,
    Broken,
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Connect(Connect),
    /// Both under the same faults.
    ConnectAndGo(Connect, Gone),
    Go(usize, Gone),
    Freeze(usize),
    Unfreeze(usize),
    ChangePolicy {
        deny: bool,
    },
    /// The lease of a connector runs out, and it comes back.
    LoseForAWhile(usize),
    Wait,
}

impl Operation {
    /// Of the others it is known only without faults what becomes of a will.
    pub(super) const fn bears_faults(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::ConnectAndGo(..) | Self::Go(..))
    }
}

/// Draws what happens next.
pub(super) struct Chooser(SplitMix);

impl Chooser {
    pub(super) const fn new(seed: u64) -> Self {
        Self(SplitMix::new(seed ^ 0x3177))
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.0.next_u64() % u64::try_from(n.max(1)).expect("small")).expect("small")
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn faults(&mut self) -> Faults {
        let none = Faults::default();
        match self.below(8) {
            0 => Faults { unavailable: 300, ..none },
            1 => Faults { lost_ack: 400, ..none },
            2 => Faults { lost_ack: 1000, ..none },
            3 => Faults { spurious_conflict: 300, ..none },
            4 => Faults { unavailable: 100, lost_ack: 100, spurious_conflict: 100, ..none },
            _ => none,
        }
    }

    pub(super) fn operation(&mut self) -> Operation {
        let device = self.below(DEVICES);
        match self.below(20) {
            0..=6 => Operation::Connect(self.connect(device)),
            7..=8 => Operation::ConnectAndGo(self.connect(device), self.gone()),
            9..=13 => Operation::Go(device, self.gone()),
            14 => Operation::Freeze(device),
            15 => Operation::Unfreeze(device),
            16 => Operation::ChangePolicy { deny: self.one_in(2) },
            17..=18 => Operation::LoseForAWhile(self.below(2)),
            _ => Operation::Wait,
        }
    }

    pub(super) fn connector_to_kill(&mut self) -> Option<usize> {
        self.one_in(2).then(|| self.below(2))
    }

    fn connect(&mut self, device: usize) -> Connect {
        let connector = self.below(2);
        let clean = self.one_in(3);
        let expiry_s = if self.one_in(2) { EXPIRY_S } else { 0 };
        let delay_s = if self.one_in(2) { u32::try_from(DELAY_S).expect("small") } else { 0 };
        Connect { device, connector, clean, expiry_s, delay_s }
    }

    fn gone(&mut self) -> Gone {
        [Gone::Goodbye, Gone::GoodbyeWithWill, Gone::Broken, Gone::Broken][self.below(4)]
    }
}
