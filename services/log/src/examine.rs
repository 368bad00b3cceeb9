//! Reading a whole log for people: what of it is ours, what is not, what is damaged or cannot be read.
//!
//! Does not fold. Unlike [`LogFollower`](crate::follow::LogFollower) it stops at nothing but a log that cannot be proven
//! at all, so it finds what a parked reader does not get to.

use std::collections::BTreeSet;

use rollcall_domain::ids::Position;

use crate::{
    codec::{LogEvent, decode_record},
    follow::Stop,
    log::{Followed, RegistryLog},
    seal::{Foreign, Point, SealKeys, SealedLog, Verified, Verifier},
};

/// Most findings of a kind that are kept; the rest is only counted.
pub const FINDINGS_MAX: usize = 1000;

/// What a log holds.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Where it ends: position, digest, how what follows has to be proven.
    pub end: Point,
    /// How many records are ours.
    pub own: u64,
    /// How many are not.
    pub foreign: u64,
    /// The first of those.
    pub foreign_found: Vec<(Position, Foreign)>,
    /// Batches that are not what was sealed: first and last position.
    pub damaged: Vec<(Position, Position)>,
    /// Records of ours that this version cannot read, and why.
    pub unreadable: Vec<(Position, String)>,
    /// What readers have been told to pass over.
    pub skipped: BTreeSet<Position>,
}

impl Examined {
    /// What stops readers: damage and unreadable records that they have not been told to pass over.
    pub fn stops_at(&self) -> Vec<Position> {
        let damaged = self.damaged.iter().map(|(first, _)| *first);
        let unreadable = self.unreadable.iter().map(|(at, _)| *at);
        let mut stops: Vec<_> = damaged.chain(unreadable).filter(|at| !self.skipped.contains(at)).collect();
        stops.sort_unstable();
        stops
    }
}

/// Reads a log from its start to where it ends now.
///
/// # Errors
/// [`Stop`]: it is out of reach, or cannot be proven with these keys.
pub async fn examine(log: &dyn RegistryLog, sealed: &SealedLog, keys: &SealKeys) -> Result<Examined, Stop> {
    let start = Point::start(sealed, keys);
    let mut verifier = Verifier::new(sealed.clone(), keys.clone(), start);
    let mut examined = Examined {
        end: start,
        own: 0,
        foreign: 0,
        foreign_found: Vec::new(),
        damaged: Vec::new(),
        unreadable: Vec::new(),
        skipped: BTreeSet::new(),
    };
    let mut follower = log.follow(&sealed.log, Position::START).await?;
    while let Some(followed) = follower.recv().await {
        match followed? {
            Followed::Entry(entry) => {
                verifier.push(entry);
                examined.take(sealed, verifier.take()?);
            }
            Followed::CaughtUp(_) => break,
            Followed::Interrupted { .. } => {}
        }
    }
    examined.take(sealed, verifier.take()?);
    examined.end = *verifier.point();
    Ok(examined)
}

impl Examined {
    fn take(&mut self, sealed: &SealedLog, verified: Vec<Verified>) {
        for verified in verified {
            match verified {
                Verified::Own { entries, .. } => {
                    self.own += entries.len() as u64;
                    for entry in entries {
                        if let Err(error) = decode_record(&sealed.log, &entry.record) {
                            keep(&mut self.unreadable, (entry.position, error.to_string()));
                        }
                        if let Some(LogEvent::RecordSkipped { position }) = LogEvent::of(&sealed.log, &entry.record) {
                            self.skipped.insert(position);
                        }
                    }
                }
                Verified::Foreign { position, why, .. } => {
                    self.foreign += 1;
                    keep(&mut self.foreign_found, (position, why));
                }
                Verified::Damaged { entries, after } => {
                    let first = entries.first().map_or(after.position, |entry| entry.position);
                    keep(&mut self.damaged, (first, after.position));
                }
            }
        }
    }
}

fn keep<T>(findings: &mut Vec<T>, finding: T) {
    if findings.len() < FINDINGS_MAX {
        findings.push(finding);
    }
}
