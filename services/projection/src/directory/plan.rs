//! Choosing the index that an answer is found by: the one that leads to the fewest devices, as far as that can be told
//! cheaply.
//!
//! Does not decide whether a device is meant. Invariant: for each alternative of a query, what is chosen leads to every device
//! that satisfies it.

mod periods;
mod ranges;
mod states;

use rollcall_domain::ids::{DeviceId, Position};

use self::ranges::{RANGES_MAX, fewest};
use super::{
    list::listed,
    query::{Condition, DeviceQuery, Online, Order, TextTest, ValueTest},
    stream::{Candidate, Stream, Window, candidate},
};
use crate::{
    files::Fault,
    rows::{
        self, CertificateId, Counts, Rows, decode_row,
        index::{ALL, NAME, NODE, end_of},
    },
};

/// Entries of an index that are looked at to tell whether it leads to few.
const FEW_MAX: usize = 256;

/// Where the devices of one alternative are found.
pub(crate) enum Source {
    All,
    /// In these ranges, each in the order of lists.
    Ranges(Vec<Vec<u8>>),
    /// These, in any order.
    Gathered(Vec<Candidate>),
}

/// What a choice is made with.
pub(crate) struct Plan<'a> {
    pub(crate) rows: &'a Rows,
    pub(crate) counts: Option<&'a Counts>,
    /// The most devices that are gathered from an index in another order.
    pub(crate) gathered_max: usize,
    /// Who is online, if that is known.
    pub(crate) online: Option<&'a dyn Online>,
}

/// Keys from the first up to and without the second.
type KeyRange = (Vec<u8>, Vec<u8>);

/// An index in another order than that of lists.
enum Unordered<'a> {
    /// Entries that lead to devices, everything with a prefix.
    Index(Vec<u8>),
    /// Entries that lead to devices.
    Walks(Vec<KeyRange>),
    /// Everything with a prefix.
    Rows(Vec<u8>),
    /// What leads to certificates: everything with any of these prefixes.
    Certificates(Vec<Vec<u8>>),
    /// Who is online, beside entries that lead to devices.
    Online(&'a dyn Online, Vec<KeyRange>),
}

impl<'a> Plan<'a> {
    /// Streams of candidates that together hold every device that a query means, from `after` on.
    pub(crate) fn streams(&self, query: &DeviceQuery<'_>, after: Option<Position>) -> Result<Vec<Stream<'a>>, Fault> {
        let mut streams = Vec::new();
        for all_of in self.alternatives(query) {
            let mut window = window(all_of);
            match (after, query.order) {
                (Some(position), Order::NewestFirst) => window.older_than(position),
                (Some(position), Order::OldestFirst) => window.newer_than(position),
                (None, _) => {}
            }
            self.open_one(self.source(all_of)?, window, query.order, &mut streams)?;
        }
        Ok(streams)
    }

    /// The streams of sources that were chosen, whole.
    pub(crate) fn open(&self, sources: Vec<Source>, query: &DeviceQuery<'_>) -> Result<Vec<Stream<'a>>, Fault> {
        let mut streams = Vec::new();
        for source in sources {
            self.open_one(source, Window::default(), query.order, &mut streams)?;
        }
        Ok(streams)
    }

    /// A query without conditions has one alternative, which is satisfied by all.
    pub(crate) fn alternatives<'q>(&self, query: &'q DeviceQuery<'_>) -> impl Iterator<Item = &'q [Condition]> {
        let all = query.any_of.is_empty().then_some(&[][..]);
        all.into_iter().chain(query.any_of.iter().map(Vec::as_slice))
    }

    /// Where the devices that satisfy all of these are found.
    pub(crate) fn source(&self, all_of: &[Condition]) -> Result<Source, Fault> {
        if let Some(ids) = ids(all_of) {
            return self.these(ids.into_iter().filter_map(|id| DeviceId::parse(id).ok())).map(Source::Gathered);
        }
        let (mut ordered, mut unordered) = (Vec::new(), Vec::new());
        for condition in all_of {
            if let Condition::NodeId(test) = condition {
                self.by_text(NODE, test, &mut ordered, &mut unordered);
            } else if let Condition::Name(test) = condition {
                self.by_text(NAME, test, &mut ordered, &mut unordered);
            } else if let Condition::Policy(space, bound) = condition {
                ordered.push(vec![self.rows.policy_prefix(bound, space.as_str())]);
            } else if let Condition::ProvenBy(cas) = condition {
                unordered.push(Unordered::Certificates(cas.iter().map(|ca| self.rows.issuer_prefix(ca)).collect()));
            } else if let Condition::DeviceId(TextTest::Prefix(prefix)) = condition {
                unordered.push(Unordered::Rows([&*self.rows.devices_prefix(), prefix.as_bytes()].concat()));
            }
        }
        self.by_tag(all_of, &mut ordered, &mut unordered)?;
        self.by_state(all_of, &mut ordered, &mut unordered)?;
        self.by_period(all_of, &mut unordered)?;
        ordered.retain(|ranges| ranges.len() <= RANGES_MAX);
        let (base, base_count) = self.base(all_of)?;
        self.choose(ordered, &unordered, base, base_count)
    }

    /// In this order: an index that leads to few, the space or product if it has few, what can be gathered, whatever index
    /// there is.
    fn choose(
        &self,
        mut ordered: Vec<Vec<Vec<u8>>>,
        unordered: &[Unordered<'_>],
        base: Source,
        base_count: Option<u64>,
    ) -> Result<Source, Fault> {
        let alone = unordered.is_empty() && matches!(base, Source::All);
        if alone && ordered.len() <= 1 {
            return Ok(ordered.pop().map_or(base, Source::Ranges));
        }
        let mut fewest = None;
        for (index, ranges) in ordered.iter().enumerate() {
            if let Some(few) = self.few(ranges)?
                && fewest.is_none_or(|(fewest, _)| few < fewest)
            {
                fewest = Some((few, index));
            }
        }
        if let Some((_, index)) = fewest {
            return Ok(Source::Ranges(ordered.swap_remove(index)));
        }
        if base_count.is_some_and(|count| count <= FEW_MAX as u64) {
            return Ok(base);
        }
        for index in unordered {
            if let Some(gathered) = self.gather(index)? {
                return Ok(Source::Gathered(gathered));
            }
        }
        let base_has_less = base_count.is_some_and(|count| count <= self.gathered_max as u64);
        Ok(if ordered.is_empty() || base_has_less { base } else { Source::Ranges(ordered.swap_remove(0)) })
    }

    /// How many entries these ranges have, if they are few.
    fn few(&self, ranges: &[Vec<u8>]) -> Result<Option<usize>, Fault> {
        let mut count = 0;
        for prefix in ranges {
            let mut walk = self.rows.database.walk((prefix.clone(), end_of(prefix)), false)?;
            while walk.next().transpose()?.is_some() {
                count += 1;
                if count > FEW_MAX {
                    return Ok(None);
                }
            }
        }
        Ok(Some(count))
    }

    /// What an index in another order leads to, if that is not too much.
    fn gather(&self, index: &Unordered<'_>) -> Result<Option<Vec<Candidate>>, Fault> {
        match index {
            Unordered::Index(prefix) => self.gather_entries(&[(prefix.clone(), end_of(prefix))]),
            Unordered::Walks(ranges) => self.gather_entries(ranges),
            Unordered::Rows(prefix) => self.gather_rows(prefix),
            Unordered::Certificates(prefixes) => self.gather_holders(prefixes),
            Unordered::Online(online, ranges) => {
                let (Some(ids), Some(mut found)) = (online.at_most(self.gathered_max), self.gather_entries(ranges)?) else {
                    return Ok(None);
                };
                found.extend(self.these(ids.into_iter())?);
                Ok(Some(found))
            }
        }
    }

    fn gather_entries(&self, ranges: &[KeyRange]) -> Result<Option<Vec<Candidate>>, Fault> {
        let mut found = Vec::new();
        for range in ranges {
            for entry in self.rows.database.walk(range.clone(), false)? {
                let (key, value) = entry?;
                if found.len() == self.gathered_max {
                    return Ok(None);
                }
                found.push(candidate(&key, value.as_ref())?);
            }
        }
        Ok(Some(found))
    }

    fn gather_holders(&self, prefixes: &[Vec<u8>]) -> Result<Option<Vec<Candidate>>, Fault> {
        let mut ids = Vec::new();
        for prefix in prefixes {
            for entry in self.rows.database.walk((prefix.clone(), end_of(prefix)), false)? {
                if ids.len() == self.gathered_max {
                    return Ok(None);
                }
                ids.push(CertificateId::at_end(&entry?.0)?);
            }
        }
        let mut holders = Vec::new();
        for id in ids {
            holders.extend(self.rows.certificate(&id)?.map(|certificate| certificate.device));
        }
        self.these(holders.into_iter()).map(Some)
    }

    fn gather_rows(&self, prefix: &[u8]) -> Result<Option<Vec<Candidate>>, Fault> {
        let start = self.rows.devices_prefix().len();
        let mut found = Vec::new();
        for (taken, entry) in self.rows.database.walk((prefix.to_vec(), end_of(prefix)), false)?.enumerate() {
            let (key, value) = entry?;
            if taken == self.gathered_max {
                return Ok(None);
            }
            let id = rows::device_id(key.get(start..).unwrap_or_default())?;
            let listed = listed(decode_row(&id, value.as_ref())?);
            found.extend(listed.map(|listed| (listed.created, id)));
        }
        Ok(Some(found))
    }

    /// Those of these devices that there are.
    fn these(&self, ids: impl Iterator<Item = DeviceId>) -> Result<Vec<Candidate>, Fault> {
        let mut found = Vec::new();
        for id in ids {
            found.extend(self.rows.listed(&id)?.map(|listed| (listed.created, id)));
        }
        Ok(found)
    }

    fn open_one(&self, source: Source, window: Window, order: Order, streams: &mut Vec<Stream<'a>>) -> Result<(), Fault> {
        let ranges = match source {
            Source::All => vec![self.rows.index_prefix(ALL, &[])],
            Source::Ranges(ranges) => ranges,
            Source::Gathered(found) => {
                streams.push(Stream::gathered(found, window, order));
                return Ok(());
            }
        };
        for prefix in ranges {
            streams.push(Stream::walk(self.rows, &prefix, window, order)?);
        }
        Ok(())
    }
}

/// The positions that the conditions on where a device stands leave.
fn window(all_of: &[Condition]) -> Window {
    let mut window = Window::default();
    for condition in all_of {
        if let Condition::Created(ValueTest::Gt(position)) = condition {
            window.newer_than(*position);
        } else if let Condition::Created(ValueTest::Lt(position)) = condition {
            window.older_than(*position);
        }
    }
    window
}

/// The devices that are named, if they are.
fn ids(all_of: &[Condition]) -> Option<Vec<&str>> {
    fewest(all_of.iter().filter_map(|condition| if let Condition::DeviceId(test) = condition { Some(test) } else { None }))
}
