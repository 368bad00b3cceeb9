//! Following a log as a reader should: what is ours is told from what is not, and a log that is not the one that was read
//! before is noticed before anything of it is used.
//!
//! The one mechanism of every reader: views, the fleet, what is printed. It goes on from a [`Point`]: first it reads the
//! last batch of ours again, which must end in the point's digest. So a log that was restored from a backup, cut off or
//! forked is [`Stop::Diverged`], at the start as after every interruption, whatever the broker calls its stream.
//!
//! A record of ours that cannot be read stops the reader ([`Step::Parked`]) until a later record of ours says that it is
//! to be passed over; the log is searched for that one, and nothing between is handed over before.

use std::{collections::BTreeSet, sync::Arc};

use rollcall_domain::ids::Position;

use crate::{
    codec::{LogEvent, Record, decode_record},
    error::BackboneError,
    log::{Entry, Followed, Follower, RegistryLog},
    seal::{self, Digest, Foreign, LastBatch, Point, SealKeys, SealedLog, Verified, Verifier, chain},
};

/// Most entries that are looked at together: what one signature vouches for.
pub const CHUNK_ENTRIES_MAX: usize = 4096;

/// What a follower is told.
#[derive(Clone, Debug)]
pub enum Step {
    /// A batch of ours, to be folded whole and committed once.
    Batch(Batch),
    /// An entry that is not ours: stepped over.
    Foreign {
        /// Where it stands.
        position: Position,
        /// How it shows.
        why: Foreign,
        /// Where the reader stands after it.
        after: Point,
    },
    /// Everything up to this position has been handed over. Sent as [`Followed::CaughtUp`] is.
    CaughtUp(Position),
    /// The log is out of reach, or was. Sent once until `CaughtUp` comes again; following goes on by itself.
    Interrupted {
        /// What happened, for people.
        reason: String,
    },
    /// A record of ours cannot be read. Nothing after it is handed over until it may be passed over.
    Parked { at: Position, reason: String },
}

/// A batch of ours.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its records, but for those that are passed over.
    pub records: Vec<ReadRecord>,
    /// The records of it that an operator has had passed over.
    pub skipped: Vec<Position>,
    /// Where the reader stands after it.
    pub after: Point,
}

/// A record of ours, read.
#[derive(Clone, Debug)]
pub struct ReadRecord {
    /// As it is stored.
    pub entry: Entry,
    /// What it says.
    pub record: Arc<Record>,
}

/// Why following has stopped.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Stop {
    /// The log is out of reach, or cannot be followed from here: try again.
    #[error(transparent)]
    Lost(#[from] BackboneError),
    /// The log is not the one that was read up to the point: what was made of it has to be made again.
    #[error("the log is not the one that was read up to position {position}: {reason}")]
    Diverged {
        /// The point's position.
        position: Position,
        reason: String,
    },
    /// The log cannot be proven with what this process has: an operator must look.
    #[error(transparent)]
    Unproven(#[from] seal::Stop),
}

/// Follows one log. See the file.
pub struct LogFollower {
    log: Arc<dyn RegistryLog>,
    sealed: SealedLog,
    keys: SealKeys,
    /// Everything up to here has been handed over.
    handed: Point,
    open: Option<Open>,
    /// Records that are passed over.
    skips: BTreeSet<Position>,
}

/// A following that has begun.
struct Open {
    follower: Follower,
    verifier: Verifier,
    /// The last batch before the point is still being read again.
    resuming: Option<Resuming>,
    /// The follower was interrupted: what it says next may be of another log.
    doubted: bool,
    /// Where the reader is parked; it reads on in search of a record that lets it go on.
    parked: Option<Position>,
}

/// The last batch of ours, read again.
struct Resuming {
    batch: LastBatch,
    digest: Digest,
}

impl LogFollower {
    /// Goes on from a point. Nothing is read before [`next`](Self::next).
    pub const fn new(log: Arc<dyn RegistryLog>, sealed: SealedLog, keys: SealKeys, from: Point) -> Self {
        Self { log, sealed, keys, handed: from, open: None, skips: BTreeSet::new() }
    }

    /// What comes next: at least one step, and what else is there already. Cancelled, it loses nothing.
    ///
    /// # Errors
    /// [`Stop`]. After `Lost` it may be asked again and goes on from where it was.
    pub async fn next(&mut self) -> Result<Vec<Step>, Stop> {
        loop {
            let steps = match self.advance().await {
                Ok(steps) => steps,
                Err(stop) => {
                    self.open = None;
                    return Err(stop);
                }
            };
            if !steps.is_empty() {
                return Ok(steps);
            }
        }
    }

    async fn advance(&mut self) -> Result<Vec<Step>, Stop> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let begun = begin(&*self.log, &self.sealed, &self.keys, self.handed).await?;
                self.open.insert(begun)
            }
        };
        let mut steps = Vec::new();
        let mut received = Vec::new();
        if open.follower.recv_many(&mut received, CHUNK_ENTRIES_MAX).await == 0 {
            return Err(lost(&self.sealed, "following has ended"));
        }
        for followed in received {
            if open.doubted {
                // The log is within reach again: begin anew, so that it has to show that it is the same.
                self.open = None;
                return Ok(steps);
            }
            match followed? {
                Followed::Entry(entry) => open.take(entry, self.handed.position)?,
                Followed::CaughtUp(position) => {
                    let unparked = open.tell(&self.sealed, &mut self.handed, &mut self.skips, &mut steps)?;
                    if unparked {
                        self.open = None;
                        return Ok(steps);
                    }
                    open.check_resumed(self.handed.position)?;
                    if open.parked.is_none() {
                        steps.push(Step::CaughtUp(position));
                    }
                }
                Followed::Interrupted { reason } => {
                    steps.push(Step::Interrupted { reason });
                    open.doubted = true;
                }
            }
        }
        if let Some(open) = &mut self.open
            && open.tell(&self.sealed, &mut self.handed, &mut self.skips, &mut steps)?
        {
            self.open = None;
        }
        Ok(steps)
    }
}

async fn begin(log: &dyn RegistryLog, sealed: &SealedLog, keys: &SealKeys, handed: Point) -> Result<Open, Stop> {
    let (after, from, resuming) = match handed.batch {
        None => (Position::START, Point { position: Position::START, ..handed }, None),
        Some(batch) => {
            let before = Position(batch.first.0.saturating_sub(1));
            let resuming = Resuming { batch, digest: batch.before };
            (before, Point { position: batch.end, ..handed }, Some(resuming))
        }
    };
    let last = log.last(&sealed.log).await?;
    if last < handed.position {
        return Err(diverged(handed.position, format!("it ends at {last}")));
    }
    let follower = log.follow(&sealed.log, after).await?;
    let verifier = Verifier::new(sealed.clone(), keys.clone(), from);
    Ok(Open { follower, verifier, resuming, doubted: false, parked: None })
}

impl Open {
    /// Takes an entry in; those of the last batch before the point are compared with it.
    fn take(&mut self, entry: Entry, handed: Position) -> Result<(), Stop> {
        let Some(resuming) = &mut self.resuming else {
            self.verifier.push(entry);
            return Ok(());
        };
        let position = entry.position;
        resuming.digest = chain(&resuming.digest, position, &entry.record);
        if position >= resuming.batch.end {
            if resuming.digest != self.verifier.point().digest {
                let LastBatch { first, end, .. } = resuming.batch;
                return Err(diverged(handed, format!("the records from {first} to {end} are others now")));
            }
            self.resuming = None;
        }
        Ok(())
    }

    fn check_resumed(&self, handed: Position) -> Result<(), Stop> {
        match &self.resuming {
            None => Ok(()),
            Some(resuming) => Err(diverged(handed, format!("it ends before {}", resuming.batch.end))),
        }
    }

    /// Turns what can be told into steps. True when a record that was waited for lets a parked reader go on: it has to
    /// begin again from where it was parked.
    fn tell(
        &mut self,
        sealed: &SealedLog,
        handed: &mut Point,
        skips: &mut BTreeSet<Position>,
        steps: &mut Vec<Step>,
    ) -> Result<bool, Stop> {
        loop {
            let verified = match self.verifier.take() {
                Ok(verified) => verified,
                Err(_) if self.parked.is_some() => return Ok(false),
                Err(stop) if steps.is_empty() => return Err(stop.into()),
                // What was read before is handed over first; asked again, it is the answer again.
                Err(_) => return Ok(false),
            };
            if verified.is_empty() {
                return Ok(false);
            }
            for verified in verified {
                if let Some(at) = self.parked {
                    if lets_go_on(sealed, &verified, at) {
                        skips.insert(at);
                        return Ok(true);
                    }
                    continue;
                }
                self.step(sealed, verified, handed, skips, steps)?;
            }
        }
    }

    fn step(
        &mut self,
        sealed: &SealedLog,
        verified: Verified,
        handed: &mut Point,
        skips: &BTreeSet<Position>,
        steps: &mut Vec<Step>,
    ) -> Result<(), Stop> {
        let step = match verified {
            // Between the last batch and the point there was nothing of ours.
            Verified::Foreign { position, .. } if position <= handed.position => return Ok(()),
            Verified::Own { after, .. } | Verified::Damaged { after, .. } if after.position <= handed.position => {
                let reason = format!("what stands at {} was not ours before", after.position);
                return Err(diverged(handed.position, reason));
            }
            Verified::Foreign { position, why, after } => Step::Foreign { position, why, after },
            Verified::Own { entries, after } => match read(sealed, entries, skips) {
                Ok((records, skipped)) => Step::Batch(Batch { records, skipped, after }),
                Err((at, reason)) => self.park(at, reason),
            },
            Verified::Damaged { entries, after } => {
                let at = entries.first().map_or(after.position, |entry| entry.position);
                if skips.contains(&at) {
                    let skipped = entries.iter().map(|entry| entry.position).collect();
                    Step::Batch(Batch { records: Vec::new(), skipped, after })
                } else {
                    let reason = "what was sealed is not what the broker holds now: it has damaged or lost records";
                    self.park(at, reason.to_owned())
                }
            }
        };
        match &step {
            Step::Batch(Batch { after, .. }) | Step::Foreign { after, .. } => *handed = *after,
            Step::CaughtUp(_) | Step::Interrupted { .. } | Step::Parked { .. } => {}
        }
        steps.push(step);
        Ok(())
    }

    fn park(&mut self, at: Position, reason: String) -> Step {
        self.parked = Some(at);
        Step::Parked { at, reason }
    }
}

type Unreadable = (Position, String);

fn read(
    sealed: &SealedLog,
    entries: Vec<Entry>,
    skips: &BTreeSet<Position>,
) -> Result<(Vec<ReadRecord>, Vec<Position>), Unreadable> {
    let (mut records, mut skipped) = (Vec::with_capacity(entries.len()), Vec::new());
    for entry in entries {
        match decode_record(&sealed.log, &entry.record) {
            _ if skips.contains(&entry.position) => skipped.push(entry.position),
            Ok(record) => records.push(ReadRecord { record: Arc::new(record), entry }),
            Err(error) => return Err((entry.position, error.to_string())),
        }
    }
    Ok((records, skipped))
}

/// Whether a batch of ours says that what stands at `at` is to be passed over.
fn lets_go_on(sealed: &SealedLog, verified: &Verified, at: Position) -> bool {
    let Verified::Own { entries, .. } = verified else { return false };
    entries.iter().any(|entry| LogEvent::of(&sealed.log, &entry.record) == Some(LogEvent::RecordSkipped { position: at }))
}

fn diverged(position: Position, reason: String) -> Stop {
    Stop::Diverged { position, reason }
}

fn lost(sealed: &SealedLog, reason: &str) -> Stop {
    let attempted = format!("following the log of {}", sealed.log);
    Stop::Lost(BackboneError::Unavailable { attempted, reason: reason.to_owned() })
}
