//! The rows of one generation of one instance: which keys there are, and in which order they are written.
//!
//! Does not decide what a record changes. Invariants: a device's row is the truth about it and every index is checked
//! against the row it leads to, so an index entry that is stale or missing can only make a lookup find nothing; index
//! entries that no longer lead to a row go before the row changes and new ones come after, so that stopping between any
//! two writes is such a case and nothing worse.

mod certificate;
mod counts;
pub(crate) mod index;
mod pin_key;
mod retired;
mod stats;
mod status;
mod stored;

use std::{ops::ControlFlow, sync::Arc};

use rollcall_domain::{
    ids::{DeviceId, Position, ProductId, RequestId, SpaceId},
    registry::{Configuration, Device, DeviceChange, DeviceEntry, PinKey},
    time::Timestamp,
};

#[cfg(test)]
pub(crate) use self::certificate::presented;
use self::stored::{
    configuration::{decode_configuration, encode_configuration},
    device::encode_row,
};
pub(crate) use self::{
    certificate::Brought,
    counts::Counts,
    stats::RowStats,
    stored::{
        SCHEMA, SERVED_SCHEMAS, StoredProgress, StoredSealing,
        device::{Row, decode_row},
    },
};
pub use self::{
    certificate::{CertificateId, ListedCertificate},
    status::DeviceStatus,
};
use crate::{
    files::{Database, Fault, SEPARATOR, Scan, StoredGeneration, Value, decode, encode, generations, id, key},
    request_age::forgotten_from,
    rows::index::time_key,
};

const DEVICE: u8 = b'D';
const FINGERPRINT: u8 = b'F';
const MEMBER: u8 = b'M';
const RULED: u8 = b'R';
/// Operators' requests by the time from which they may be forgotten.
const RULED_END: u8 = b'r';
const CONFIGURATION: u8 = b'C';
const PROGRESS: u8 = b'P';
/// Positions that are not ours, as ranges: first → last.
const FOREIGN: u8 = b'X';

/// Requests forgotten with each that is remembered.
const FORGOTTEN_AT_ONCE_MAX: usize = 16;

/// One generation of one instance.
pub(crate) struct Rows {
    pub(crate) database: Arc<Database>,
    pub(crate) generation: StoredGeneration,
}

impl Rows {
    /// The row of a device.
    pub(crate) fn row(&self, id: &DeviceId) -> Result<Option<Row>, Fault> {
        let row = self.database.get(&self.key(DEVICE, &[id.as_str().as_bytes()]))?;
        row.map(|row| decode_row(id, row.as_ref())).transpose()
    }

    /// The entry of a device.
    pub(crate) fn entry(&self, id: &DeviceId) -> Result<Option<DeviceEntry>, Fault> {
        Ok(self.row(id)?.map(|row| row.entry))
    }

    /// The live device that has a fingerprint pinned.
    pub(crate) fn holder(&self, key: &PinKey) -> Result<Option<DeviceId>, Fault> {
        let Some(found) = self.database.get(&self.pin_key(key))? else { return Ok(None) };
        let id = device_id(found.as_ref())?;
        let holds = matches!(self.entry(&id)?, Some(DeviceEntry::Live(device))
            if device.pin_keys().any(|(pinned, _)| pinned == *key));
        Ok(holds.then_some(id))
    }

    /// Whether any live device belongs to a product.
    pub(crate) fn any_of_product(&self, space: &SpaceId, product: &ProductId) -> Result<bool, Fault> {
        let mut prefix = self.key(MEMBER, &[space.as_str().as_bytes(), product.as_str().as_bytes()]);
        prefix.push(SEPARATOR);
        let mut found = false;
        self.database.scan(&prefix, |key, _| {
            let id = device_id(key.get(prefix.len()..).unwrap_or_default())?;
            found = matches!(self.entry(&id)?, Some(DeviceEntry::Live(device))
                if device.space == *space && device.product == *product);
            Ok(if found { Scan::Stop } else { Scan::Next })
        })?;
        Ok(found)
    }

    /// Where an operator's request came to a record.
    pub(crate) fn ruled(&self, request: &RequestId) -> Result<Option<Position>, Fault> {
        let found = self.database.get(&self.key(RULED, &[request.as_str().as_bytes()]))?;
        found.map(|found| decode::<u64>(found.as_ref()).map(Position)).transpose()
    }

    /// The first request at or after a text that came to a record.
    pub(crate) fn first_ruled_from(&self, text: &str) -> Result<Option<RequestId>, Fault> {
        let all = self.key(RULED, &[]);
        let found = self.database.first_key_from(&self.key(RULED, &[text.as_bytes()]))?;
        let Some(request) = found.as_deref().and_then(|key| key.strip_prefix(&all[..])) else { return Ok(None) };
        let request = std::str::from_utf8(request).map_err(|_| Fault("a request id of the view is not UTF-8".into()))?;
        id(request).map(Some)
    }

    /// Remembers where an operator's request came to a record, and forgets some of what is too old beside it.
    pub(crate) fn put_ruled(&self, request: &RequestId, position: Position, recorded_at: Timestamp) -> Result<(), Fault> {
        self.forget_ruled(recorded_at)?;
        let stored = encode(&position.0)?;
        if let Some(end) = forgotten_from(request, recorded_at) {
            self.database.put(&self.ruled_end_key(end, request.as_str().as_bytes()), &stored)?;
        }
        self.database.put(&self.key(RULED, &[request.as_str().as_bytes()]), &stored)
    }

    /// More than one is forgotten with each that is remembered, so that a long list gets shorter; not all of it, so that no record
    /// takes long to fold.
    fn forget_ruled(&self, now: Timestamp) -> Result<(), Fault> {
        let (from, to) = (self.key(RULED_END, &[]), self.ruled_end_key(now, &[]));
        let request_at = to.len();
        for ended in self.database.walk((from, to), false)?.take(FORGOTTEN_AT_ONCE_MAX) {
            let (end, position) = ended?;
            // One that has come to another record since is known by that one.
            let key = self.key(RULED, &[end.get(request_at..).unwrap_or_default()]);
            self.remove_if(&key, |known| known == position.as_ref())?;
            self.database.remove(&end)?;
        }
        Ok(())
    }

    fn ruled_end_key(&self, end: Timestamp, request: &[u8]) -> Vec<u8> {
        self.key(RULED_END, &[&[&time_key(end.unix_ms())[..], request].concat()])
    }

    /// The configuration, with the position of the record that changed it last.
    pub(crate) fn configuration(&self) -> Result<Option<(Position, Configuration)>, Fault> {
        let stored = self.database.get(&self.key(CONFIGURATION, &[]))?;
        stored.map(|stored| decode_configuration(stored.as_ref())).transpose()
    }

    /// Replaces the configuration.
    pub(crate) fn put_configuration(&self, applied: Position, configuration: &Configuration) -> Result<(), Fault> {
        self.database.put(&self.key(CONFIGURATION, &[]), &encode_configuration(applied, configuration)?)
    }

    /// How far this generation has been folded, encoded as [`StoredProgress`].
    pub(crate) fn progress(&self) -> Result<Option<Value>, Fault> {
        self.database.get(&self.key(PROGRESS, &[]))
    }

    /// Says how far this generation has been folded. To be written last.
    pub(crate) fn put_progress(&self, progress: &StoredProgress<'_>) -> Result<(), Fault> {
        self.database.put(&self.key(PROGRESS, &[]), &encode(progress)?)
    }

    /// Remembers that everything from `first` to `last` is not ours; a range that began at `first` grows.
    pub(crate) fn put_foreign(&self, first: Position, last: Position) -> Result<(), Fault> {
        self.database.put(&self.key(FOREIGN, &[&first.0.to_be_bytes()]), &encode(&last.0)?)
    }

    /// Whether a position is not ours.
    pub(crate) fn is_foreign(&self, position: Position) -> Result<bool, Fault> {
        let from = self.key(FOREIGN, &[]);
        let to = self.key(FOREIGN, &[&position.next().0.to_be_bytes()]);
        let Some(found) = self.database.walk((from, to), true)?.next() else { return Ok(false) };
        let (_, last) = found?;
        Ok(decode::<u64>(last.as_ref())? >= position.0)
    }

    /// The last ranges that are not ours, at most `max`, the newest first.
    pub(crate) fn foreign(&self, max: usize) -> Result<Vec<(Position, Position)>, Fault> {
        let (from, to) = (self.key(FOREIGN, &[]), self.key(FOREIGN + 1, &[]));
        let prefix = from.len();
        let ranges = self.database.walk((from, to), true)?.take(max).map(|found| {
            let (key, last) = found?;
            let first = key.get(prefix..).and_then(|first| first.try_into().ok()).map(u64::from_be_bytes);
            let first = first.ok_or_else(|| Fault("a range of foreign records has no beginning".into()))?;
            Ok((Position(first), Position(decode::<u64>(last.as_ref())?)))
        });
        ranges.collect()
    }

    /// Makes `new` the row of a device.
    pub(crate) fn put_row(
        &self,
        id: &DeviceId,
        old: Option<&Row>,
        new: Option<&Row>,
        stats: &mut RowStats,
    ) -> Result<(), Fault> {
        let change = DeviceChange::between(old.map(|old| &old.entry), new.map(|new| &new.entry));
        for released in &change.released {
            // Another device may have come to hold the fingerprint; what leads there stays.
            self.remove_if(&self.pin_key(released), |holder| holder == id.as_str().as_bytes())?;
        }
        let member = new.and_then(|new| self.member_key(id, &new.entry));
        let was_member = old.and_then(|old| self.member_key(id, &old.entry));
        if let Some(was) = was_member.as_ref().filter(|was| member.as_ref() != Some(was)) {
            self.remove_if(was, |_| true)?;
        }
        let led = old.map_or_else(Vec::new, |old| self.directory_keys(old));
        let leads = new.map_or_else(Vec::new, |new| self.directory_keys(new));
        for key in led.iter().filter(|key| !leads.contains(key)) {
            self.database.remove(key)?;
        }
        let key = self.key(DEVICE, &[id.as_str().as_bytes()]);
        match new {
            Some(new) => {
                let value = encode_row(new)?;
                self.database.put(&key, &value)?;
                stats.add(&key, &value);
            }
            None if old.is_some() => self.database.remove(&key)?,
            None => {}
        }
        if let Some(old) = old {
            stats.subtract(&key, &encode_row(old)?);
        }
        stats.live = change.count(stats.live);
        for key in leads.iter().filter(|key| !led.contains(key)) {
            self.database.put(key, id.as_str().as_bytes())?;
        }
        self.pin(id, &change.pinned)?;
        // Not looked up first, as what may have been left out is: that is a third more of what a rebuild reads.
        match member.filter(|member| was_member.as_ref() != Some(member)) {
            Some(member) => self.database.put(&member, &[]),
            None => Ok(()),
        }
    }

    /// Lets what no live device holds lead to a device.
    fn pin(&self, id: &DeviceId, pinned: &[PinKey]) -> Result<(), Fault> {
        for pinned in pinned {
            if self.holder(pinned)?.is_none() {
                self.database.put(&self.pin_key(pinned), id.as_str().as_bytes())?;
            }
        }
        Ok(())
    }

    /// Writes those index entries of a row that a stop between two writes left out. Fingerprints follow as [`DeviceChange`]
    /// says.
    pub(crate) fn put_index(&self, id: &DeviceId, entry: &DeviceEntry) -> Result<(), Fault> {
        self.pin(id, &DeviceChange::between(None, Some(entry)).pinned)?;
        match self.member_key(id, entry) {
            Some(member) if self.database.get(&member)?.is_none() => self.database.put(&member, &[]),
            Some(_) | None => Ok(()),
        }
    }

    /// Reads every row of a device or a retired certificate: counts them, and puts right the indexes that lead to them. Those of the directory, which
    /// are many and admit no device, only after an unclean stop.
    /// `each` is given every row of a device, by id.
    pub(crate) fn audit(
        &self,
        clean: bool,
        mut each: impl FnMut(&DeviceId, &Row) -> Result<(), Fault>,
    ) -> Result<RowStats, Fault> {
        let mut stats = RowStats::default();
        let prefix = self.key(DEVICE, &[]);
        self.database.scan(&prefix, |key, value| {
            let id = device_id(key.get(prefix.len()..).unwrap_or_default())?;
            let row = decode_row(&id, value)?;
            stats.add(key, value);
            stats.live = DeviceChange::between(None, Some(&row.entry)).count(stats.live);
            self.put_index(&id, &row.entry)?;
            if self.has_directory() && !clean {
                self.put_directory_keys(&id, &row)?;
            }
            each(&id, &row)?;
            Ok(Scan::Next)
        })?;
        self.audit_retired(&mut stats)?;
        Ok(stats)
    }

    /// What stands before the device ids in the keys of device rows.
    pub(crate) fn devices_prefix(&self) -> Vec<u8> {
        self.key(DEVICE, &[])
    }

    /// Removes up to `max` keys of this generation; `Continue` when there may be more.
    pub(crate) fn erase(&self, max: usize) -> Result<ControlFlow<()>, Fault> {
        generations::erase(&self.database, self.generation.number, max)
    }

    /// Damages a row below its CRC.
    #[cfg(test)]
    pub(crate) fn damage(&self, id: &DeviceId) {
        self.database.put_unchecked(&self.key(DEVICE, &[id.as_str().as_bytes()]), b"damaged by a test");
    }

    fn remove_if(&self, key: &[u8], is_ours: impl Fn(&[u8]) -> bool) -> Result<(), Fault> {
        let found = self.database.get(key)?;
        if found.is_some_and(|value| is_ours(value.as_ref())) { self.database.remove(key) } else { Ok(()) }
    }

    /// What leads from a product to a device that lives.
    fn member_key(&self, id: &DeviceId, entry: &DeviceEntry) -> Option<Vec<u8>> {
        let device: &Device = match entry {
            DeviceEntry::Live(device) => device,
            DeviceEntry::Deleted { .. } => return None,
        };
        let parts = [device.space.as_str(), device.product.as_str(), id.as_str()];
        Some(self.key(MEMBER, &parts.map(str::as_bytes)))
    }

    fn pin_key(&self, key: &PinKey) -> Vec<u8> {
        let mut row = self.key(FINGERPRINT, &[]);
        pin_key::write_pin_key(&mut row, key);
        row
    }

    pub(crate) fn key(&self, kind: u8, parts: &[&[u8]]) -> Vec<u8> {
        key(self.generation.number, kind, parts)
    }
}

/// Reads a device id of a key or an index entry.
pub(crate) fn device_id(bytes: &[u8]) -> Result<DeviceId, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault("a device id of the view is not UTF-8".into()))?;
    id(text)
}
