//! How many devices of an instance stand how: counted as rows change and as devices come online and go offline.
//!
//! A count by status would otherwise walk every device, since a status is made of three things that change by themselves: the
//! row, who is online, who was ever seen. They meet here under one lock, so that whichever changes finds the other two as
//! they were counted. Not stored: a pass over every row begins it anew. Invariant: once a generation has been passed over,
//! each live row of it is counted once, by the status that [`DeviceStatus::of`] gives it.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use rollcall_domain::{
    ids::{DeviceId, Incarnation, InstanceId},
    registry::DeviceEntry,
    time::Timestamp,
};

use crate::{
    files::{Database, Fault},
    rows::{Counts, DeviceStatus, Row, Rows},
    seen,
};

/// See the file. Of one incarnation of an instance, in all its generations.
pub(crate) struct Standings {
    instance: InstanceId,
    incarnation: Incarnation,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    online: HashSet<DeviceId>,
    /// Those with readers: the one that is served and, at times, the one that is being built.
    generations: Vec<Counted>,
}

/// What is counted of one generation.
struct Counted {
    rows: Weak<Rows>,
    reach: Reach,
    counts: Arc<Counts>,
}

/// Which rows are counted.
enum Reach {
    /// Those up to this device, in the order of ids, and no others yet.
    Until(Option<DeviceId>),
    All,
}

impl Reach {
    fn covers(&self, device: &DeviceId) -> bool {
        match self {
            Self::Until(last) => last.as_ref().is_some_and(|last| device <= last),
            Self::All => true,
        }
    }
}

impl Standings {
    pub(crate) fn of(instance: InstanceId, incarnation: Incarnation) -> Self {
        Self { instance, incarnation, heard: Mutex::default() }
    }

    /// Counts a generation from its first row on: a call of [`pass`](Self::pass) for each follows, by id, then
    /// [`passed`](Self::passed).
    pub(crate) fn begin(&self, rows: &Arc<Rows>) {
        let mut heard = self.lock();
        heard.generations.retain(|counted| counted.rows.strong_count() > 0 && !counted.is_of(rows));
        let rows = Arc::downgrade(rows);
        heard.generations.push(Counted { rows, reach: Reach::Until(None), counts: Arc::default() });
    }

    /// Counts the next row.
    pub(crate) fn pass(&self, rows: &Rows, id: &DeviceId, row: &Row) -> Result<(), Fault> {
        let mut heard = self.lock();
        let status = self.status(&rows.database, heard.online.contains(id), id, Some(row))?;
        if let Some(counted) = heard.generation(rows) {
            Arc::make_mut(&mut counted.counts).add(row, status);
            counted.reach = Reach::Until(Some(id.clone()));
        }
        Ok(())
    }

    /// Every row has been counted.
    pub(crate) fn passed(&self, rows: &Rows) {
        if let Some(counted) = self.lock().generation(rows) {
            counted.reach = Reach::All;
        }
    }

    /// Writes what makes one row take another's place, and counts it so.
    pub(crate) fn replace(
        &self,
        rows: &Rows,
        id: &DeviceId,
        (old, new): (Option<&Row>, Option<&Row>),
        write: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if !rows.has_directory() {
            return write();
        }
        // Held while it is written: who notes a device meanwhile would read a row that is counted otherwise.
        let mut heard = self.lock();
        let online = heard.online.contains(id);
        let was = self.status(&rows.database, online, id, old)?;
        let is = self.status(&rows.database, online, id, new)?;
        write()?;
        if let Some(counted) = heard.generation(rows) {
            let counts = Arc::make_mut(&mut counted.counts);
            old.into_iter().for_each(|old| counts.subtract(old, was));
            new.into_iter().for_each(|new| counts.add(new, is));
        }
        Ok(())
    }

    /// Remembers that a device came online or went offline.
    pub(crate) fn note(&self, database: &Database, device: &DeviceId, online: bool, at: Timestamp) -> Result<(), Fault> {
        let mut heard = self.lock();
        let (was_online, was_seen) = (heard.online.contains(device), self.seen(database, device)?);
        if online {
            heard.online.insert(device.clone());
        } else {
            heard.online.remove(device);
        }
        seen::note(database, (&self.instance, self.incarnation), device, online, at)?;
        if (was_online, was_seen) == (online, true) {
            return Ok(());
        }
        for counted in heard.generations.iter_mut().filter(|counted| counted.reach.covers(device)) {
            // What is in files that have been given up is not looked up in any more.
            let rows = counted.rows.upgrade().filter(|rows| rows.database.number == database.number);
            let Some(row) = rows.map(|rows| rows.row(device)).transpose()?.flatten() else { continue };
            let counts = Arc::make_mut(&mut counted.counts);
            counts.subtract(&row, status(&row, was_online, || Ok(was_seen))?);
            counts.add(&row, status(&row, online, || Ok(true))?);
        }
        Ok(())
    }

    /// How many there are in a generation, once all of it has been counted.
    pub(crate) fn counts(&self, rows: &Rows) -> Option<Arc<Counts>> {
        let mut heard = self.lock();
        let counted = heard.generation(rows)?;
        matches!(counted.reach, Reach::All).then(|| Arc::clone(&counted.counts))
    }

    fn status(
        &self,
        database: &Database,
        online: bool,
        id: &DeviceId,
        row: Option<&Row>,
    ) -> Result<Option<DeviceStatus>, Fault> {
        row.map_or(Ok(None), |row| status(row, online, || self.seen(database, id)))
    }

    fn seen(&self, database: &Database, device: &DeviceId) -> Result<bool, Fault> {
        Ok(seen::read(database, (&self.instance, self.incarnation), device)?.is_some())
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        // A panic between two statements leaves at most one device counted wrongly, and the follower's ends the view.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn generation(&mut self, rows: &Rows) -> Option<&mut Counted> {
        self.generations.iter_mut().find(|counted| counted.is_of(rows))
    }
}

impl Counted {
    /// While it is there, no other has its address.
    fn is_of(&self, rows: &Rows) -> bool {
        std::ptr::eq(self.rows.as_ptr(), rows)
    }
}

fn status(row: &Row, online: bool, seen: impl FnOnce() -> Result<bool, Fault>) -> Result<Option<DeviceStatus>, Fault> {
    match &row.entry {
        DeviceEntry::Live(device) => DeviceStatus::of(device, online, seen).map(Some),
        DeviceEntry::Deleted { .. } => Ok(None),
    }
}
