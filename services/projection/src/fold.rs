//! Folding one record into one generation: the domain's `evolve`, then the writes, then the position.
//!
//! Not for reading the log, nor for who sees the outcome. Invariant: folding a record again, after a stop between any
//! two of its writes, comes to the same rows.

use std::sync::Arc;

use rollcall_backbone::{
    codec::{AnyEvent, Record},
    log::StreamIdentity,
};
use rollcall_domain::{
    ids::Position,
    registry::{Actor, Configuration, Event, evolve::evolve_device},
};
use sha2::{Digest, Sha256};

use crate::{
    rows::{Rows, Tally},
    store::Fault,
    stored::{StoredProgress, decode},
};

/// One generation and how far it has been folded.
pub(crate) struct Fold {
    pub(crate) rows: Arc<Rows>,
    pub(crate) stream: StreamIdentity,
    pub(crate) position: Position,
    pub(crate) digest: [u8; 32],
    pub(crate) tally: Tally,
    pub(crate) configuration: Arc<Configuration>,
    /// The record that changed the configuration last.
    configured_at: Position,
    /// The configuration in memory is newer than the one in the rows.
    configuration_unwritten: bool,
}

impl Fold {
    /// A generation in which nothing has been folded.
    pub(crate) fn fresh(rows: Arc<Rows>, stream: StreamIdentity) -> Self {
        Self {
            rows,
            stream,
            position: Position::START,
            digest: [0; 32],
            tally: Tally::default(),
            configuration: Arc::default(),
            configured_at: Position::START,
            configuration_unwritten: false,
        }
    }

    /// A generation as it was left; `None` when nothing of it was ever finished.
    pub(crate) fn load(rows: Arc<Rows>) -> Result<Option<Self>, Fault> {
        let Some(stored) = rows.progress()? else { return Ok(None) };
        let progress: StoredProgress<'_> = decode(stored.as_ref())?;
        let (configured_at, configuration) = rows.configuration()?.unwrap_or_default();
        Ok(Some(Self {
            stream: StreamIdentity(progress.stream.to_owned()),
            position: Position(progress.position),
            digest: progress.digest,
            tally: Tally { live: progress.live, sum: progress.rows_sum },
            configuration: Arc::new(configuration),
            configured_at,
            configuration_unwritten: false,
            rows,
        }))
    }

    /// Reads every row once and compares with what was counted. After an unclean stop rows may be ahead of the position,
    /// so the count is taken from them: folding those records again finds them done.
    pub(crate) fn audit(&mut self, clean: bool) -> Result<(), Fault> {
        let found = self.rows.audit()?;
        if clean && found != self.tally {
            return Err(Fault(format!("the view's rows are not those that were counted: {found:?}, not {:?}", self.tally)));
        }
        self.tally = found;
        Ok(())
    }

    /// Folds the next record; says whether the configuration changed. With `write_configuration` the change is in the
    /// rows when this returns; without it waits for [`commit`](Self::commit), which is for generations that nobody reads.
    pub(crate) fn fold(&mut self, record: &Record, bytes: &[u8], write_configuration: bool) -> Result<bool, Fault> {
        let position = self.position.next();
        let configured = match &record.event {
            AnyEvent::Registry(event) if event.changes_configuration() => {
                self.fold_configuration(record, event, position, write_configuration)?
            }
            AnyEvent::Registry(event) => {
                self.fold_device(record, event, position)?;
                false
            }
            // The codec refuses a fleet event in an instance's log; were there one, it would mean nothing here.
            AnyEvent::Fleet(_) => false,
        };
        if let Actor::Operator(_) = record.actor {
            self.rows.put_ruled(&record.cause, position)?;
        }
        self.digest = chain(&self.digest, position, bytes);
        self.position = position;
        Ok(configured)
    }

    /// Says how far this generation is: the last write of whatever was folded.
    pub(crate) fn commit(&mut self) -> Result<(), Fault> {
        if self.configuration_unwritten {
            self.rows.put_configuration(self.configured_at, &self.configuration)?;
            self.configuration_unwritten = false;
        }
        self.rows.put_progress(&StoredProgress {
            position: self.position.0,
            digest: self.digest,
            live: self.tally.live,
            rows_sum: self.tally.sum,
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
        let Some(id) = event.device() else { return Ok(()) };
        let old = self.rows.entry(id)?;
        if let Some((applied, entry)) = &old
            && *applied >= position
        {
            // Done before a stop, and counted by the audit; the indexes may have been left out.
            return self.rows.put_index(id, entry);
        }
        let new = evolve_device(old.as_ref().map(|(_, entry)| entry.clone()), event, record.time);
        self.rows.put_entry(id, old.as_ref(), new.as_ref(), position, &mut self.tally)
    }
}

/// The running digest after one more record.
pub(crate) fn chain(digest: &[u8; 32], position: Position, record: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(digest);
    hasher.update(position.0.to_be_bytes());
    hasher.update(record);
    hasher.finalize().into()
}
