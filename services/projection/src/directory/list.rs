//! Answering a query: candidates in order, each held against the conditions.
//!
//! Does not choose the index that they come from. Invariant: what is in the answer satisfies the query as its row stands,
//! and was created by the record that the index named.

use rollcall_domain::{
    ids::{ProductId, SpaceId},
    registry::DeviceEntry,
};

use super::{
    DeviceCount, DevicePage, Listed,
    plan::{Plan, Source},
    query::{Condition, DeviceQuery, TextTest, statuses},
    stream::{Candidate, Merged},
};
use crate::{
    files::{Fault, Scan},
    rows::{self, Counts, Row, Rows, decode_row},
};

/// Devices gathered from an index that is in another order, for a page.
const PAGE_GATHERED_MAX: usize = 4000;
/// Devices gathered so to be counted.
const COUNT_GATHERED_MAX: usize = 200_000;

impl Rows {
    /// A device that exists.
    pub(crate) fn listed(&self, id: &rollcall_domain::ids::DeviceId) -> Result<Option<Listed>, Fault> {
        Ok(self.row(id)?.and_then(listed))
    }

    fn candidate(&self, (position, id): &Candidate) -> Result<Option<Listed>, Fault> {
        Ok(self.listed(id)?.filter(|listed| listed.created == *position))
    }
}

/// The row of a device that exists, as people see it.
pub(crate) fn listed(row: Row) -> Option<Listed> {
    let Row { applied, created, entry, .. } = row;
    match entry {
        DeviceEntry::Live(device) => Some(Listed { device, created, updated: applied }),
        DeviceEntry::Deleted { .. } => None,
    }
}

/// The part of the answer that is wanted; with `rows_max`, as much of it as so many rows lead to.
pub(crate) fn page(
    rows: &Rows,
    counts: Option<&Counts>,
    query: &DeviceQuery<'_>,
    rows_max: Option<u64>,
) -> Result<DevicePage, Fault> {
    let mut page = DevicePage::default();
    // Once all that are counted are found, there is nothing more to look for; how many are before `after` is not counted.
    let meant = counts.and_then(|counts| counted(counts, query)).filter(|meant| query.after.is_none() || *meant == 0);
    if query.limit == 0 || meant == Some(0) {
        return Ok(page);
    }
    let plan = Plan { rows, counts, gathered_max: PAGE_GATHERED_MAX, online: query.online };
    let mut candidates = Merged::of(plan.streams(query, query.after)?, query.order)?;
    let mut left_out = 0;
    while let Some(candidate) = candidates.step()? {
        if query.leaves_out(&candidate.1) {
            continue;
        }
        page.rows_read += 1;
        if let Some(listed) = rows.candidate(&candidate)?.filter(|listed| query.means(listed)) {
            if left_out < query.offset {
                left_out += 1;
            } else {
                page.devices.push(listed);
            }
        }
        if page.devices.len() == query.limit || meant == Some((left_out + page.devices.len()) as u64) {
            break;
        }
        if rows_max.is_some_and(|max| page.rows_read >= max) {
            page.stopped_at = Some(candidate.0);
            break;
        }
    }
    Ok(page)
}

/// How many devices are meant; with `rows_max`, as many as are found among so many rows.
pub(crate) fn count(
    rows: &Rows,
    counts: Option<&Counts>,
    query: &DeviceQuery<'_>,
    rows_max: Option<u64>,
) -> Result<DeviceCount, Fault> {
    let whole = |count| DeviceCount { count, is_whole: true };
    if let Some(known) = counts.and_then(|counts| counted(counts, query)) {
        return Ok(whole(known));
    }
    // As many as may be looked at: what an index leads to is the better choice of them.
    let rows_max_gathered = rows_max.map_or(COUNT_GATHERED_MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
    let gathered_max = rows_max_gathered.clamp(PAGE_GATHERED_MAX, COUNT_GATHERED_MAX);
    let plan = Plan { rows, counts, gathered_max, online: query.online };
    if let [all_of] = &*query.any_of
        && let Some(count) = plan.count_in_period(all_of)?
    {
        return Ok(whole(count));
    }
    let mut sources = Vec::new();
    for all_of in plan.alternatives(query) {
        match plan.source(all_of)? {
            Source::All if rows_max.is_none() => return count_rows(rows, query).map(whole),
            source => sources.push(source),
        }
    }
    let (mut count, mut rows_read) = (0, 0);
    let mut candidates = Merged::of(plan.open(sources, query)?, query.order)?;
    let exact = matches!(&*query.any_of, [all_of] if is_one_index(all_of));
    while let Some(candidate) = candidates.step()? {
        if !exact && rows_max.is_some_and(|max| rows_read >= max) {
            return Ok(DeviceCount { count, is_whole: false });
        }
        rows_read += 1;
        count += u64::from(exact || rows.candidate(&candidate)?.is_some_and(|listed| query.means(&listed)));
    }
    Ok(whole(count))
}

/// By reading every row: faster than going through an index that leads to them all.
fn count_rows(rows: &Rows, query: &DeviceQuery<'_>) -> Result<u64, Fault> {
    let mut count = 0;
    let prefix = rows.devices_prefix();
    rows.database.scan(&prefix, |key, value| {
        let id = rows::device_id(key.get(prefix.len()..).unwrap_or_default())?;
        count += u64::from(listed(decode_row(&id, value)?).is_some_and(|listed| query.means(&listed)));
        Ok(Scan::Next)
    })?;
    Ok(count)
}

/// Where spaces, products and statuses are all that is asked about, the counts know.
fn counted(counts: &Counts, query: &DeviceQuery<'_>) -> Option<u64> {
    let all_of = match &*query.any_of {
        [] => return Some(counts.devices(|_, _| true)),
        [all_of] => all_of,
        [_, _, ..] => return None,
    };
    let mut tests: Vec<(&TextTest, bool)> = Vec::new();
    for condition in all_of {
        if let Condition::Space(test) = condition {
            tests.push((test, true));
        } else if let Condition::Product(test) = condition {
            tests.push((test, false));
        } else if !matches!(condition, Condition::Status(_)) {
            return None;
        }
    }
    let meant = |space: &SpaceId, product: &ProductId| {
        tests.iter().all(|(test, of_space)| test.holds(Some(if *of_space { space.as_str() } else { product.as_str() })))
    };
    match statuses(all_of) {
        None => Some(counts.devices(meant)),
        Some(wanted) => query.online.map(|_| counts.standing(&wanted, meant)),
    }
}

/// Whether the entries of one index are exactly the devices that are meant: then they need not be looked at to be counted.
fn is_one_index(all_of: &[Condition]) -> bool {
    let is_exact = |test: &TextTest| matches!(test, TextTest::Eq(_) | TextTest::In(_));
    if let [Condition::NodeId(test) | Condition::Name(test)] = all_of {
        return is_exact(test);
    }
    if let [Condition::Policy(_, _)] = all_of {
        return true;
    }
    matches!(all_of, [Condition::TagKey(key), Condition::TagValue(value)] if is_exact(key) && is_exact(value))
}
