//! Folding records into one generation: the domain's `evolve`, then the writes, and at the end of their batch the point.
//!
//! Does not read the log, nor say who sees the outcome. Invariants: folding a record again, after a stop between any
//! two of its writes, comes to the same rows; a point that is kept is the end of a batch.

use std::sync::Arc;

use rollcall_domain::{
    ids::{DeviceId, Incarnation, Position},
    registry::{Actor, Configuration, DeviceEntry, Event, RetirementChange, evolve::evolve_device},
};
use rollcall_log::{
    codec::{AnyEvent, Record},
    log::StreamIdentity,
    seal::{LastBatch, Point, Sealing},
    signing::PublicKey,
};

use crate::{
    files::{Fault, decode},
    foreign::ForeignSeen,
    rows::{Brought, Row, RowStats, Rows, StoredProgress, StoredSealing},
    standings::Standings,
};

/// One generation and how far it has been folded.
pub(crate) struct Fold {
    pub(crate) rows: Arc<Rows>,
    pub(crate) stream: StreamIdentity,
    pub(crate) incarnation: Incarnation,
    /// The end of the last batch that was folded, or of what was stepped over after it.
    pub(crate) point: Point,
    /// What was stepped over.
    pub(crate) foreign: Option<ForeignSeen>,
    /// Where the run of foreign records began that ends at the point.
    foreign_since: Option<Position>,
    pub(crate) stats: RowStats,
    standings: Arc<Standings>,
    pub(crate) configuration: Arc<Configuration>,
    /// The record that changed the configuration last.
    configured_at: Position,
    /// The configuration in memory is newer than the one in the rows.
    configuration_unwritten: bool,
}

impl Fold {
    /// A generation in which nothing has been folded.
    pub(crate) fn fresh(
        rows: Arc<Rows>,
        stream: StreamIdentity,
        incarnation: Incarnation,
        start: Point,
        standings: Arc<Standings>,
    ) -> Self {
        Self {
            rows,
            stream,
            incarnation,
            point: start,
            foreign: None,
            foreign_since: None,
            stats: RowStats::default(),
            standings,
            configuration: Arc::default(),
            configured_at: Position::START,
            configuration_unwritten: false,
        }
    }

    /// A generation as it was left; `None` when nothing of it was ever finished.
    pub(crate) fn load(rows: Arc<Rows>, standings: Arc<Standings>) -> Result<Option<Self>, Fault> {
        let Some(stored) = rows.progress()? else { return Ok(None) };
        let progress: StoredProgress<'_> = decode(stored.as_ref())?;
        let (configured_at, configuration) = rows.configuration()?.unwrap_or_default();
        Ok(Some(Self {
            stream: StreamIdentity(progress.stream.to_owned()),
            incarnation: Incarnation(progress.incarnation),
            point: point(&progress),
            foreign: progress.foreign.map(|(count, last)| ForeignSeen { count, last: Position(last) }),
            foreign_since: None,
            stats: RowStats { live: progress.live, retired: progress.retired, sum: progress.rows_sum },
            standings,
            configuration: Arc::new(configuration),
            configured_at,
            configuration_unwritten: false,
            rows,
        }))
    }

    /// Reads every row once and compares with what was counted. After an unclean stop rows may be ahead of the position,
    /// so the count is taken from them: folding those records again finds them done.
    pub(crate) fn audit(&mut self, clean: bool) -> Result<(), Fault> {
        let (rows, standings) = (&self.rows, &self.standings);
        let counts = rows.has_directory();
        if counts {
            standings.begin(rows);
        }
        let found = rows.audit(clean, |id, row| if counts { standings.pass(rows, id, row) } else { Ok(()) })?;
        if clean && found != self.stats {
            return Err(Fault(format!("the view's rows are not those that were counted: {found:?}, not {:?}", self.stats)));
        }
        self.stats = found;
        self.standings.passed(&self.rows);
        Ok(())
    }

    /// Folds the record at a position; says whether the configuration changed. With `write_configuration` the change is in
    /// the rows when this returns; without it waits for [`commit`](Self::commit), which is for generations that are not
    /// looked up in. The batch counts as folded with [`advance`](Self::advance).
    pub(crate) fn fold(&mut self, record: &Record, position: Position, write_configuration: bool) -> Result<bool, Fault> {
        let configured = match &record.event {
            AnyEvent::Registry(event) if event.changes_configuration() => {
                self.fold_configuration(record, event, position, write_configuration)?
            }
            AnyEvent::Registry(event) => {
                self.fold_device(record, event, position)?;
                false
            }
            // The codec refuses a fleet event in an instance's log; were there one, it would mean nothing here. What is about
            // the log itself changes no row.
            AnyEvent::Fleet(_) | AnyEvent::Log(_) => false,
        };
        if let Actor::Operator(_) = record.actor {
            self.rows.put_ruled(&record.cause, position, record.time)?;
        }
        Ok(configured)
    }

    /// A batch has been folded whole.
    pub(crate) fn advance(&mut self, after: Point) {
        self.point = after;
        self.foreign_since = None;
    }

    /// A record that is not ours is stepped over.
    pub(crate) fn step_over(&mut self, position: Position, after: Point) -> Result<(), Fault> {
        let since = *self.foreign_since.get_or_insert(position);
        self.rows.put_foreign(since, position)?;
        let count = self.foreign.map_or(0, |seen| seen.count) + 1;
        self.foreign = Some(ForeignSeen { count, last: position });
        self.point = after;
        Ok(())
    }

    /// Says how far this generation is: the last write of whatever was folded.
    pub(crate) fn commit(&mut self) -> Result<(), Fault> {
        if self.configuration_unwritten {
            self.rows.put_configuration(self.configured_at, &self.configuration)?;
            self.configuration_unwritten = false;
        }
        self.rows.put_progress(&StoredProgress {
            position: self.point.position.0,
            digest: self.point.digest,
            sealing: match self.point.sealing {
                Sealing::Unsigned => StoredSealing::Unsigned,
                Sealing::Awaited => StoredSealing::Awaited,
                Sealing::By(key) => StoredSealing::By(*key.as_bytes()),
            },
            batch: self.point.batch.map(|LastBatch { first, end, before }| (first.0, end.0, before)),
            foreign: self.foreign.map(|seen| (seen.count, seen.last.0)),
            incarnation: self.incarnation.0,
            live: self.stats.live,
            retired: self.stats.retired,
            rows_sum: self.stats.sum,
            stream: &self.stream.0,
        })
    }

    fn fold_configuration(
        &mut self,
        record: &Record,
        event: &Event,
        position: Position,
        write: bool,
    ) -> Result<bool, Fault> {
        if self.configured_at >= position {
            return Ok(false);
        }
        Arc::make_mut(&mut self.configuration).evolve(event, record.time);
        self.configured_at = position;
        self.configuration_unwritten = true;
        if write {
            self.rows.put_configuration(position, &self.configuration)?;
            self.configuration_unwritten = false;
        }
        Ok(true)
    }

    fn fold_device(&mut self, record: &Record, event: &Event, position: Position) -> Result<(), Fault> {
        let Some(id) = event.device() else {
            let change = RetirementChange::of(event, None, None, record.time);
            return self.rows.apply_retirements(&change, position, &mut self.stats);
        };
        self.rows.put_history(id, position)?;
        let old = self.rows.row(id)?;
        let brought = Brought::by(event, &self.configuration);
        if let Some(row) = &old
            && row.applied >= position
        {
            // Done before a stop, and counted by the audit; the indexes may have been left out. What it retired was written before
            // the row. What it lifted may be barred again, by an earlier record that has just been folded again.
            let lifted = RetirementChange::of(event, None, Some(&row.entry), record.time).lifting();
            self.rows.apply_retirements(&lifted, position, &mut self.stats)?;
            self.rows.put_index(id, &row.entry)?;
            self.rows.put_directory_keys(id, row)?;
            let brought = brought.filter(|_| row.certificates.contains(&position));
            return brought.map_or(Ok(()), |brought| self.rows.complete_certificate(id, position, &brought));
        }
        let entry = evolve_device(old.as_ref().map(|row| row.entry.clone()), event, &self.configuration, record.time);
        let brought = brought.as_ref().map(|brought| (position, brought));
        let certificates = self.rows.certificates_after(old.as_ref(), entry.as_ref(), brought)?;
        let change = RetirementChange::of(event, old.as_ref().map(|row| &row.entry), entry.as_ref(), record.time);
        self.rows.apply_retirements(&change, position, &mut self.stats)?;
        // One that was deleted and is entered again is another device.
        let same = old.as_ref().filter(|old| {
            matches!((&old.entry, &entry), (DeviceEntry::Live(_), _) | (_, None | Some(DeviceEntry::Deleted { .. })))
        });
        let created = same.map_or(position, |row| row.created);
        let new = entry.map(|entry| Row { applied: position, created, certificates, entry });
        self.put(id, old.as_ref(), new.as_ref(), brought)
    }

    /// Writes what a record made of a device, in the order in which a stop does no harm.
    fn put(
        &mut self,
        id: &DeviceId,
        old: Option<&Row>,
        new: Option<&Row>,
        brought: Option<(Position, &Brought<'_>)>,
    ) -> Result<(), Fault> {
        let certificates = new.map_or(&[][..], |new| &new.certificates);
        for gone in old.iter().flat_map(|old| &old.certificates).filter(|known| !certificates.contains(known)) {
            self.rows.remove_certificate(*gone)?;
        }
        let (rows, stats) = (&self.rows, &mut self.stats);
        self.standings.replace(rows, id, (old, new), || rows.put_row(id, old, new, stats))?;
        match brought {
            Some((position, brought)) if certificates.contains(&position) => {
                self.rows.put_certificate(id, position, brought)
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn point(progress: &StoredProgress<'_>) -> Point {
    Point {
        position: Position(progress.position),
        digest: progress.digest,
        sealing: match progress.sealing {
            StoredSealing::Unsigned => Sealing::Unsigned,
            StoredSealing::Awaited => Sealing::Awaited,
            StoredSealing::By(key) => Sealing::By(PublicKey::from_bytes(key)),
        },
        batch: progress.batch.map(|(first, end, before)| LastBatch { first: Position(first), end: Position(end), before }),
    }
}
