//! Where the devices of some statuses are.
//!
//! Who is frozen or has never proven a certificate is in an index, who is online in memory; whoever is none of that is offline.
//! Invariant: as for [`ranges`](super::ranges).

use super::{
    super::query::{Condition, statuses},
    Plan, Unordered,
};
use crate::{
    files::Fault,
    rows::{
        DeviceStatus,
        index::{FROZEN, STATE, UNPROVEN, end_of},
    },
};

impl<'a> Plan<'a> {
    pub(super) fn by_state(
        &self,
        all_of: &[Condition],
        ordered: &mut Vec<Vec<Vec<u8>>>,
        unordered: &mut Vec<Unordered<'a>>,
    ) -> Result<(), Fault> {
        let Some(wanted) = statuses(all_of).filter(|wanted| !wanted.contains(&DeviceStatus::Offline)) else { return Ok(()) };
        let mut ranges = Vec::new();
        for (status, state) in [(DeviceStatus::Frozen, FROZEN), (DeviceStatus::Inactive, UNPROVEN)] {
            if wanted.contains(&status) {
                ranges.extend(self.by_space(STATE, &[state], all_of)?);
            }
        }
        match (wanted.contains(&DeviceStatus::Online), self.online) {
            (false, _) => ordered.push(ranges),
            (true, Some(online)) => {
                let ranges = ranges.into_iter().map(|prefix| (prefix.clone(), end_of(&prefix))).collect();
                unordered.push(Unordered::Online(online, ranges));
            }
            (true, None) => {}
        }
        Ok(())
    }
}
