//! Walking several indexes at a time as if they were one: by the position of the record that created each device.
//!
//! Does not look at what a device is like. Invariant: a position comes once, however many of the indexes lead to it.

use rollcall_domain::ids::{DeviceId, Position};

use super::query::Order;
use crate::{
    files::{Fault, Walk},
    rows::{
        self, Rows,
        index::{end_of, inverted, position_at_end},
    },
};

/// A device that an index leads to.
pub(crate) type Candidate = (Position, DeviceId);

/// The positions that are of interest; both ends are outside.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    /// Only later ones than this.
    pub(crate) newer_than: Option<Position>,
    /// Only earlier ones than this.
    pub(crate) older_than: Option<Position>,
}

impl Window {
    pub(crate) fn newer_than(&mut self, position: Position) {
        self.newer_than = self.newer_than.max(Some(position));
    }

    pub(crate) fn older_than(&mut self, position: Position) {
        self.older_than = Some(self.older_than.map_or(position, |older_than| older_than.min(position)));
    }

    pub(crate) fn holds(&self, position: Position) -> bool {
        self.newer_than.is_none_or(|bound| position > bound) && self.older_than.is_none_or(|bound| position < bound)
    }

    fn keys(&self, prefix: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let at = |position| [prefix, &inverted(position)].concat();
        let from = self.older_than.map_or_else(|| prefix.to_vec(), |position| end_of(&at(position)));
        (from, self.newer_than.map_or_else(|| end_of(prefix), at))
    }
}

/// Candidates from one place.
pub(crate) enum Stream<'a> {
    Walk(Walk<'a>),
    /// What has been gathered, in order.
    Gathered(std::vec::IntoIter<Candidate>),
}

impl<'a> Stream<'a> {
    /// The candidates of an index whose keys go on with the inverted position after `prefix`.
    pub(crate) fn walk(rows: &'a Rows, prefix: &[u8], window: Window, order: Order) -> Result<Self, Fault> {
        Ok(Self::Walk(rows.database.walk(window.keys(prefix), order == Order::OldestFirst)?))
    }

    /// Candidates that were found in another order.
    pub(crate) fn gathered(mut found: Vec<Candidate>, window: Window, order: Order) -> Self {
        found.retain(|(position, _)| window.holds(*position));
        found.sort_unstable();
        found.dedup();
        if order == Order::NewestFirst {
            found.reverse();
        }
        Self::Gathered(found.into_iter())
    }

    fn step(&mut self) -> Result<Option<Candidate>, Fault> {
        match self {
            Self::Walk(walk) => walk.next().transpose()?.map(|(key, value)| candidate(&key, value.as_ref())).transpose(),
            Self::Gathered(found) => Ok(found.next()),
        }
    }
}

/// Reads an entry of an index.
pub(crate) fn candidate(key: &[u8], value: &[u8]) -> Result<Candidate, Fault> {
    Ok((position_at_end(key)?, rows::device_id(value)?))
}

/// Several streams in one order.
pub(crate) struct Merged<'a> {
    order: Order,
    /// Each with its next candidate.
    streams: Vec<(Candidate, Stream<'a>)>,
}

impl<'a> Merged<'a> {
    pub(crate) fn of(streams: Vec<Stream<'a>>, order: Order) -> Result<Self, Fault> {
        let mut merged = Self { order, streams: Vec::with_capacity(streams.len()) };
        for mut stream in streams {
            if let Some(first) = stream.step()? {
                merged.streams.push((first, stream));
            }
        }
        Ok(merged)
    }

    /// The next candidate.
    pub(crate) fn step(&mut self) -> Result<Option<Candidate>, Fault> {
        let heads = self.streams.iter().map(|((position, _), _)| *position);
        let next = match self.order {
            Order::NewestFirst => heads.max(),
            Order::OldestFirst => heads.min(),
        };
        let Some(next) = next else { return Ok(None) };
        let mut found = None;
        let mut index = 0;
        while let Some((head, stream)) = self.streams.get_mut(index) {
            if head.0 != next {
                index += 1;
                continue;
            }
            match stream.step()? {
                Some(following) => {
                    found = Some(std::mem::replace(head, following));
                    index += 1;
                }
                None => found = Some(self.streams.swap_remove(index).0),
            }
        }
        Ok(found)
    }
}
