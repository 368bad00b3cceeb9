//! Telling our records from others, entry by entry, without I/O.
//!
//! Records come in with [`Verifier::push`]; [`Verifier::take`] says what can be said of them so far. Links are compared
//! first, which is cheap, and only the last signature of what was taken is checked: it vouches for all before it. Where it
//! does not hold, each is checked by itself. A seal that announces more records than have come is checked at once, so that
//! a forged one holds nothing up.

use rollcall_domain::ids::Position;

use super::{Digest, LastBatch, Point, SealKeys, SealedLog, Sealing, chain};
use crate::{
    codec::LogEvent,
    log::{BATCH_RECORDS_MAX, Entry, Seal},
    signing::PublicKey,
};

/// What a reader is told of some entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// A batch of ours, whole.
    Own {
        entries: Vec<Entry>,
        /// Where the reader stands after it.
        after: Point,
    },
    Foreign {
        /// Where it stands.
        position: Position,
        /// How it shows.
        why: Foreign,
        /// Where the reader stands after it.
        after: Point,
    },
    /// A batch that a valid seal vouches for, and that is not what was sealed: the broker's damage.
    Damaged {
        /// What is there instead.
        entries: Vec<Entry>,
        /// Where the reader stands after it, by the seal's word.
        after: Point,
    },
}

/// Why an entry is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Foreign {
    /// No seal stands beside it, or none that can be read.
    Unsealed,
    /// The seal beside it is for another log, incarnation or place: a copy.
    ElsewhereSealed,
    /// The seal beside it follows on another history than the one that was read.
    OtherHistory,
    /// The seal beside it is by a key that may not seal here.
    OtherKey,
    /// The signature does not hold.
    Forged,
}

impl Foreign {
    /// A stable word, for metrics and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsealed => "unsealed",
            Self::ElsewhereSealed => "elsewhere_sealed",
            Self::OtherHistory => "other_history",
            Self::OtherKey => "other_key",
            Self::Forged => "forged",
        }
    }
}

/// Why a reader cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// A log that counts as unsigned holds a seal by a key that this reader does not have.
    #[error(
        "position {at} is sealed by key {key}, which is not among the registrars' public keys of this process: add that \
         key to registrar_keys"
    )]
    UnknownKey { at: Position, key: crate::signing::KeyId },
    /// The log was adopted with another history than the one that was read.
    #[error(
        "the log was adopted at position {at} with another history than the one that was read: restore it, or adopt it again"
    )]
    AdoptedOtherwise { at: Position },
}

/// See the file.
#[derive(Debug)]
pub struct Verifier {
    log: SealedLog,
    keys: SealKeys,
    point: Point,
    waiting: Vec<Entry>,
    /// The signature that was checked last and held: that of a batch whose end is waited for.
    held: Option<[u8; 64]>,
}

/// What a walk over the waiting entries found: how each step ends, counted in entries from the start.
struct Walk {
    steps: Vec<(usize, Step)>,
    point: Point,
    /// The place of the last seal whose links fit and whose signature has not been looked at, and the key that it is by.
    unchecked: Option<(usize, PublicKey)>,
    stop: Option<Stop>,
}

enum Step {
    Own(Point),
    Foreign(Foreign, Point),
    Damaged(Point),
}

/// Which signatures a walk checks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Those of links that do not fit; the last of those that do is left to the caller.
    Last,
    Each,
}

impl Verifier {
    /// Goes on from a point. Without keys everything that follows counts as ours, whatever proved what came before.
    pub fn new(log: SealedLog, keys: SealKeys, point: Point) -> Self {
        let sealing = if keys.is_empty() { Sealing::Unsigned } else { point.sealing };
        Self { log, keys, point: Point { sealing, ..point }, waiting: Vec::new(), held: None }
    }

    /// Where everything that was taken ends.
    pub const fn point(&self) -> &Point {
        &self.point
    }

    /// The next entry of the log.
    pub fn push(&mut self, entry: Entry) {
        self.waiting.push(entry);
    }

    /// What can be said of the entries so far; those of a batch that is not whole yet stay.
    ///
    /// # Errors
    /// [`Stop`]: of what comes before it everything has been said; asked again, it is the answer again.
    pub fn take(&mut self) -> Result<Vec<Verified>, Stop> {
        let mut held = self.held;
        let mut walk = self.walk(Check::Last, &mut held);
        if let Some((at, key)) = walk.unchecked.take()
            && let Some(seal) = self.waiting.get(at).and_then(|entry| entry.seal.as_ref())
            && !self.holds(seal, &key, &mut held)
        {
            walk = self.walk(Check::Each, &mut held);
        }
        self.held = held;
        if walk.steps.is_empty()
            && let Some(stop) = walk.stop
        {
            return Err(stop);
        }
        self.point = walk.point;
        let taken = walk.steps.last().map_or(0, |(end, _)| *end);
        let mut entries = self.waiting.drain(..taken);
        let mut from = 0;
        let verified = walk.steps.into_iter().map(|(end, step)| {
            let entries: Vec<Entry> = entries.by_ref().take(end - from).collect();
            from = end;
            match step {
                Step::Own(after) => Verified::Own { entries, after },
                Step::Damaged(after) => Verified::Damaged { entries, after },
                Step::Foreign(why, after) => Verified::Foreign { position: after.position, why, after },
            }
        });
        let verified = verified.collect();
        drop(entries);
        Ok(verified)
    }

    fn walk(&self, check: Check, held: &mut Option<[u8; 64]>) -> Walk {
        let mut walk = Walk { steps: Vec::new(), point: self.point, unchecked: None, stop: None };
        let mut at = 0;
        while let Some(rest @ [entry, ..]) = self.waiting.get(at..) {
            let (taken, step) = match self.sealed(&walk.point, entry) {
                Ok((seal, key)) => {
                    let count = seal.count as usize;
                    let after = |digest| self.after(&walk.point, seal, key, rest, digest);
                    match rest.get(..count) {
                        // Its word vouches for what comes before it, too.
                        None if self.holds(seal, &key, held) => {
                            walk.unchecked = None;
                            break;
                        }
                        None => (1, Step::Foreign(Foreign::Forged, step_over(&walk.point, entry))),
                        Some(batch) if digest_of(&walk.point.digest, batch) == seal.after => {
                            if check == Check::Last || self.holds(seal, &key, held) {
                                walk.unchecked = Some((at, key));
                                (count, Step::Own(after(seal.after)))
                            } else {
                                (1, Step::Foreign(Foreign::Forged, step_over(&walk.point, entry)))
                            }
                        }
                        Some(_) if self.holds(seal, &key, held) => {
                            walk.unchecked = None;
                            (count, Step::Damaged(after(seal.after)))
                        }
                        Some(_) => (1, Step::Foreign(Foreign::Forged, step_over(&walk.point, entry))),
                    }
                }
                Err(why) => match walk.point.sealing {
                    Sealing::Unsigned => {
                        walk.stop = self.stops(entry, why, held);
                        if walk.stop.is_some() {
                            break;
                        }
                        (1, Step::Own(unsigned(&walk.point, entry)))
                    }
                    Sealing::Awaited | Sealing::By(_) => (1, Step::Foreign(why, step_over(&walk.point, entry))),
                },
            };
            at += taken;
            walk.point = match &step {
                Step::Own(after) | Step::Damaged(after) | Step::Foreign(_, after) => *after,
            };
            walk.steps.push((at, step));
        }
        if check == Check::Each {
            walk.unchecked = None;
        }
        walk
    }

    /// The seal beside an entry, if all but its signature and what it counts is right, and the key that it is by.
    fn sealed<'e>(&self, point: &Point, entry: &'e Entry) -> Result<(&'e Seal, PublicKey), Foreign> {
        let seal = entry.seal.as_ref().filter(|_| !self.keys.is_empty()).ok_or(Foreign::Unsealed)?;
        if !self.is_for_here(seal, entry) || seal.count as usize > BATCH_RECORDS_MAX {
            return Err(Foreign::ElsewhereSealed);
        }
        if seal.before != point.digest {
            return Err(Foreign::OtherHistory);
        }
        let key = self.key(point.sealing, seal, entry).ok_or(Foreign::OtherKey)?;
        Ok((seal, key))
    }

    fn is_for_here(&self, seal: &Seal, entry: &Entry) -> bool {
        self.log.is_named_by(seal) && seal.first == entry.position.0
    }

    /// The key that a seal is by, if that one may seal here: the one in use; a newer one only to adopt the log again.
    fn key(&self, sealing: Sealing, seal: &Seal, entry: &Entry) -> Option<PublicKey> {
        let named = |key: &&PublicKey| key.id().0 == seal.key;
        match sealing {
            Sealing::Unsigned | Sealing::Awaited => self.keys.iter().find(named).copied(),
            Sealing::By(current) if current.id().0 == seal.key => Some(current),
            Sealing::By(current) => {
                let newer = self.keys.iter().find(named).copied()?;
                let is_newer = self.keys.place(&newer) > self.keys.place(&current);
                let adopts = || matches!(LogEvent::of(&self.log.log, &entry.record), Some(LogEvent::Adopted { .. }));
                (is_newer && adopts()).then_some(newer)
            }
        }
    }

    fn holds(&self, seal: &Seal, key: &PublicKey, held: &mut Option<[u8; 64]>) -> bool {
        if *held == Some(seal.signature) {
            return true;
        }
        let holds = key.verifies(seal.signed().as_bytes(), &seal.signature);
        if holds {
            *held = Some(seal.signature);
        }
        holds
    }

    /// Where a reader stands after a batch of ours.
    fn after(&self, point: &Point, seal: &Seal, key: PublicKey, rest: &[Entry], digest: Digest) -> Point {
        let end = Position(seal.first + u64::from(seal.count) - 1);
        let batch = rest.get(..seal.count as usize).unwrap_or_default();
        let named = batch.iter().rev().find_map(|entry| match LogEvent::of(&self.log.log, &entry.record) {
            Some(LogEvent::RegistrarKeyNamed { public_key }) => Some(public_key),
            Some(LogEvent::Adopted { .. } | LogEvent::RecordSkipped { .. }) | None => None,
        });
        let batch = LastBatch { first: Position(seal.first), end, before: point.digest };
        Point { position: end, digest, sealing: Sealing::By(named.unwrap_or(key)), batch: Some(batch) }
    }

    /// Whether an entry of a log that counts as unsigned says that this reader must not take it for that.
    fn stops(&self, entry: &Entry, why: Foreign, held: &mut Option<[u8; 64]>) -> Option<Stop> {
        let seal = entry.seal.as_ref().filter(|seal| !self.keys.is_empty() && self.is_for_here(seal, entry))?;
        match why {
            Foreign::OtherKey => Some(Stop::UnknownKey { at: entry.position, key: crate::signing::KeyId(seal.key) }),
            Foreign::OtherHistory => {
                let key = self.keys.iter().find(|key| key.id().0 == seal.key)?;
                self.holds(seal, key, held).then_some(Stop::AdoptedOtherwise { at: entry.position })
            }
            Foreign::Unsealed | Foreign::ElsewhereSealed | Foreign::Forged => None,
        }
    }
}

fn digest_of(before: &Digest, batch: &[Entry]) -> Digest {
    batch.iter().fold(*before, |digest, entry| chain(&digest, entry.position, &entry.record))
}

fn step_over(point: &Point, entry: &Entry) -> Point {
    Point { position: entry.position, ..*point }
}

/// One record of an unsigned log is a batch of its own.
fn unsigned(point: &Point, entry: &Entry) -> Point {
    let at = entry.position;
    let batch = LastBatch { first: at, end: at, before: point.digest };
    Point { position: at, digest: chain(&point.digest, at, &entry.record), sealing: Sealing::Unsigned, batch: Some(batch) }
}

#[cfg(test)]
mod tests;
