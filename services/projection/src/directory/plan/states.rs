//! Where the devices of some statuses are, and how many those are.
//!
//! Who is frozen or has never proven a certificate is in an index, who is online in memory; whoever is none of that is offline.
//! Invariant: as for [`ranges`](super::ranges).

use std::collections::HashSet;

use rollcall_domain::ids::Position;

use super::{
    super::query::{Condition, DeviceQuery, DeviceStatus, statuses},
    Plan, Source, Unordered,
    ranges::{exact, of_product, of_space},
};
use crate::{
    files::Fault,
    rows::index::{FROZEN, STATE, UNPROVEN, end_of, position_at_end},
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

    /// How many devices are meant, where status, resource space and product are all that is asked about: by the entries of the
    /// index of those, without the rows of any but the unproven.
    pub(crate) fn count_by_state(&self, query: &DeviceQuery<'_>, all_of: &[Condition]) -> Result<Option<u64>, Fault> {
        let (Some(wanted), Some(online)) = (statuses(all_of), self.online) else { return Ok(None) };
        let (mut spaces, mut products) = (0, 0);
        for condition in all_of {
            let (space, product) = (of_space(condition), of_product(condition));
            let is_exact = space.or(product).is_none_or(|test| exact(test).is_some());
            if !is_exact || !matches!(condition, Condition::Status(_) | Condition::Space(_) | Condition::Product(_)) {
                return Ok(None);
            }
            spaces += u32::from(space.is_some());
            products += u32::from(product.is_some());
        }
        if spaces > 1 || products > 1 {
            return Ok(None);
        }
        let (base, _) = self.base(all_of)?;
        // More spaces and products than ranges are walked for: the devices of all others would be counted too.
        if matches!(base, Source::All) && spaces + products > 0 {
            return Ok(None);
        }
        let (frozen, unproven) = (self.positions(FROZEN, all_of)?, self.positions(UNPROVEN, all_of)?);
        let mut count = 0;
        let mut candidates = super::super::stream::Merged::of(self.open(vec![base], query)?, query.order)?;
        while let Some((position, id)) = candidates.step()? {
            let status = if frozen.contains(&position) {
                DeviceStatus::Frozen
            } else if online.is_online(&id) {
                DeviceStatus::Online
            } else if unproven.contains(&position) {
                // It may have been seen by another process, which only the caller knows.
                let listed = self.rows.listed(&id)?.filter(|listed| listed.created == position);
                count += u64::from(listed.is_some_and(|listed| query.means(&listed)));
                continue;
            } else {
                DeviceStatus::Offline
            };
            count += u64::from(wanted.contains(&status));
        }
        Ok(Some(count))
    }

    fn positions(&self, state: &str, all_of: &[Condition]) -> Result<HashSet<Position>, Fault> {
        let mut positions = HashSet::new();
        for prefix in self.by_space(STATE, &[state], all_of)? {
            for entry in self.rows.database.walk((prefix.clone(), end_of(&prefix)), false)? {
                positions.insert(position_at_end(&entry?.0)?);
            }
        }
        Ok(positions)
    }
}
