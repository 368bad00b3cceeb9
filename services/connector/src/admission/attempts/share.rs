//! How many refused chains of each CA certificate are recorded, so that a fleet whose certificates have expired together does
//! not push out what was recorded of all others.
//!
//! Those that have proven to hold their keys are counted apart: anybody can send the certificates of a fleet, which are
//! public, and would otherwise use up what its devices are recorded by. Invariant: of one CA certificate no more than
//! [`BURST_MAX`] at once, and then one each [`REFILL_MS`]; no more CA certificates are remembered than an instance has twice.

use std::collections::HashMap;

use rollcall_domain::{ids::CaId, limits::CA_CERTIFICATES_PER_INSTANCE_MAX, time::Timestamp};

/// Recorded at once of one CA certificate: an eighth of what a connector has of an instance's attempts on a broker.
const BURST_MAX: u64 = 256;
/// After so long one more may be recorded: a burst in two days.
const REFILL_MS: u64 = 10 * 60_000;
/// CA certificates with whether the keys were proven; they come and go with their ids.
const REMEMBERED_MAX: usize = 4 * CA_CERTIFICATES_PER_INSTANCE_MAX;

/// By CA certificate, and whether the clients have proven to hold their keys.
#[derive(Default)]
pub(super) struct Shares(HashMap<(CaId, bool), Share>);

struct Share {
    left: u64,
    /// Since when it has been refilled; a clock that was set back begins again.
    since: Timestamp,
}

impl Shares {
    /// Whether one more is recorded; if so it counts.
    pub(super) fn take(&mut self, ca: &CaId, key_proven: bool, now: Timestamp) -> bool {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, share| {
                share.refill(now);
                share.left < BURST_MAX
            });
        }
        let key = (ca.clone(), key_proven);
        if self.0.len() >= REMEMBERED_MAX && !self.0.contains_key(&key) {
            return false;
        }
        let share = self.0.entry(key).or_insert(Share { left: BURST_MAX, since: now });
        share.refill(now);
        let taken = share.left > 0;
        share.left = share.left.saturating_sub(1);
        taken
    }
}

impl Share {
    fn refill(&mut self, now: Timestamp) {
        let elapsed_ms = u64::try_from(now.unix_ms().saturating_sub(self.since.unix_ms())).unwrap_or(0);
        let more = elapsed_ms / REFILL_MS;
        if more > 0 || now < self.since {
            self.since = now;
        }
        self.left = self.left.saturating_add(more).min(BURST_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(shares: &mut Shares, ca: &str, key_proven: bool, tries: u64, now: Timestamp) -> u64 {
        let ca = CaId::parse(ca).unwrap();
        (0..tries).filter(|_| shares.take(&ca, key_proven, now)).count() as u64
    }

    #[test]
    fn a_fleet_of_one_ca_leaves_the_others_theirs() {
        let (mut shares, now) = (Shares::default(), Timestamp::from_unix_s(1_000_000));
        assert_eq!(taken(&mut shares, "expired", false, 10_000, now), BURST_MAX);
        assert_eq!(taken(&mut shares, "other", false, 10, now), 10);
        assert_eq!(taken(&mut shares, "expired", true, 10, now), 10, "whose keys were proven");
        let later = Timestamp::from_unix_ms(now.unix_ms() + 3 * REFILL_MS as i64);
        assert_eq!(taken(&mut shares, "expired", false, 10, later), 3);
        assert_eq!(taken(&mut shares, "expired", false, 10, now), 0, "a clock that was set back gives nothing");
    }

    #[test]
    fn f26_what_is_remembered_is_bounded() {
        let (mut shares, now) = (Shares::default(), Timestamp::from_unix_s(1_000_000));
        let kept = (0..2 * REMEMBERED_MAX).filter(|n| taken(&mut shares, &format!("ca-{n}"), false, 1, now) == 1).count();
        assert_eq!((kept, shares.0.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
        let later = Timestamp::from_unix_ms(now.unix_ms() + REFILL_MS as i64);
        assert_eq!(taken(&mut shares, "another", false, 1, later), 1);
    }
}
