//! Where the devices are that were registered in a period, or have a certificate that ends in one.
//!
//! Registrars' clocks may differ by a little, so the order of times is not quite that of lists: what a period leads to is gathered.
//! Invariant: as for [`ranges`](super::ranges).

use std::collections::HashSet;

use rollcall_domain::time::Timestamp;

use super::{
    super::query::{Condition, ValueTest},
    KeyRange, Plan, Unordered,
    ranges::exact,
};
use crate::{
    files::Fault,
    rows::index::{CERTIFICATE_END, REGISTERED, end_of, position_at_end, time_key},
};

/// What is in an index by time.
type Pick = fn(&Condition) -> Option<&ValueTest<Timestamp>>;

/// The indexes by time, each with the conditions that ask for it.
const KINDS: [(u8, Pick); 2] = [(REGISTERED, registered), (CERTIFICATE_END, certificate_end)];

/// Milliseconds, the first one and the one after the last; `None`: without end.
type Period = (i64, Option<i64>);

impl Plan<'_> {
    pub(super) fn by_period(&self, all_of: &[Condition], unordered: &mut Vec<Unordered<'_>>) -> Result<(), Fault> {
        for (kind, pick) in KINDS {
            if let Some(period) = period(all_of.iter().filter_map(pick)) {
                unordered.push(Unordered::Walks(self.within(kind, period, all_of)?));
            }
        }
        Ok(())
    }

    /// How many devices satisfy all of these, where the entries of one index are exactly those: then no row is read.
    pub(crate) fn count_in_period(&self, all_of: &[Condition]) -> Result<Option<u64>, Fault> {
        let is_space = |condition: &&Condition| matches!(condition, Condition::Space(test) if exact(test).is_some());
        let spaces = all_of.iter().filter(is_space).count();
        for (kind, pick) in KINDS {
            let tests: Vec<_> = all_of.iter().filter_map(pick).collect();
            let bounds = |test: &&ValueTest<_>| matches!(test, ValueTest::Eq(_) | ValueTest::Gt(_) | ValueTest::Lt(_));
            if spaces > 1 || tests.is_empty() || spaces + tests.len() < all_of.len() || !tests.iter().all(bounds) {
                continue;
            }
            let Some(period) = period(tests.into_iter()) else { continue };
            // A device with two certificates may be there twice.
            let mut found = HashSet::new();
            for range in self.within(kind, period, all_of)? {
                for entry in self.rows.database.walk(range, false)? {
                    found.insert(position_at_end(&entry?.0)?);
                }
            }
            return Ok(Some(found.len() as u64));
        }
        Ok(None)
    }

    fn within(&self, kind: u8, (from, to): Period, all_of: &[Condition]) -> Result<Vec<KeyRange>, Fault> {
        if to.is_some_and(|to| to <= from) {
            return Ok(Vec::new());
        }
        let range = |prefix: Vec<u8>| {
            let at = |ms| [&*prefix, &time_key(ms)].concat();
            (at(from), to.map_or_else(|| end_of(&prefix), at))
        };
        Ok(self.by_space(kind, &[], all_of)?.into_iter().map(range).collect())
    }
}

/// The period that all tests leave, if any of them narrows it.
fn period<'t>(tests: impl Iterator<Item = &'t ValueTest<Timestamp>>) -> Option<Period> {
    let (mut from, mut to): (Option<i64>, Option<i64>) = (None, None);
    for test in tests {
        let (first, end) = match test {
            ValueTest::Eq(at) => (Some(at.unix_ms()), Some(after(*at))),
            ValueTest::Gt(bound) => (Some(after(*bound)), None),
            ValueTest::Lt(bound) => (None, Some(bound.unix_ms())),
            ValueTest::In(any) => (any.iter().map(|at| at.unix_ms()).min(), any.iter().map(|at| after(*at)).max()),
            ValueTest::Ne(_) | ValueTest::NotIn(_) => (None, None),
        };
        from = from.max(first);
        to = to.into_iter().chain(end).min();
    }
    (from.is_some() || to.is_some()).then_some((from.unwrap_or(i64::MIN), to))
}

fn after(at: Timestamp) -> i64 {
    at.unix_ms().saturating_add(1)
}

fn registered(condition: &Condition) -> Option<&ValueTest<Timestamp>> {
    if let Condition::CreateTime(test) = condition { Some(test) } else { None }
}

fn certificate_end(condition: &Condition) -> Option<&ValueTest<Timestamp>> {
    if let Condition::CertificateEnd(test) = condition { Some(test) } else { None }
}
