//! The certificates that are retired: their rows, and what leads to them by their end, their device and its resource space.
//!
//! Does not decide what is retired. Invariants: a retirement is written before the row of its device changes, and taken away
//! before it, so a stop between two writes leaves one more certificate barred or what the log says; a row knows the record
//! that wrote it, so a record that is folded again lifts nothing that was retired after it; a row is written before what leads
//! to it and removed after it.

use rollcall_domain::{
    ids::{DeviceId, Fingerprint, Position, SpaceId},
    registry::{PinKey, Retired, RetirementChange},
    time::Timestamp,
};

use super::{
    Rows,
    index::{end_of, time_key},
    pin_key::{fingerprint_at_end, read_pin_key, write_pin_key},
    stats::RowStats,
    stored::retired::{RetiredRow, decode_retired, encode_retired},
};
use crate::files::{Fault, Scan};

const RETIRED: u8 = b'T';
/// Those that were proven and whose end is known, by their end.
const BY_END: u8 = b'E';
/// By device; only with the directory.
const BY_DEVICE: u8 = b'k';
/// By the resource space of the device; only with the directory.
const BY_SPACE: u8 = b'K';

impl Rows {
    /// What is remembered of a certificate that was taken away.
    pub(crate) fn retired(&self, key: &PinKey) -> Result<Option<Retired>, Fault> {
        Ok(self.retired_row(key)?.map(|row| row.retired))
    }

    /// Fingerprints of those that were proven and ended before `instant`, at most `max`, the first to end before the others.
    pub(crate) fn retired_and_ended(&self, instant: Timestamp, max: usize) -> Result<Vec<Fingerprint>, Fault> {
        let mut until = self.key(BY_END, &[]);
        until.extend_from_slice(&time_key(instant.unix_ms()));
        let walk = self.database.walk((self.key(BY_END, &[]), until), false)?;
        walk.take(max).map(|found| fingerprint_at_end(&found?.0)).collect()
    }

    /// Those of a device, under which keys.
    pub(crate) fn retired_of(&self, device: &DeviceId, max: usize) -> Result<Vec<(PinKey, Retired)>, Fault> {
        let prefix = self.by_device_prefix(device);
        let mut found = Vec::new();
        for entry in self.database.walk((prefix.clone(), end_of(&prefix)), false)?.take(max) {
            let key = read_pin_key(entry?.0.get(prefix.len()..).unwrap_or_default())?;
            found.extend(self.retired(&key)?.filter(|retired| retired.device == *device).map(|retired| (key, retired)));
        }
        Ok(found)
    }

    /// Those of devices of a resource space, by their key, from after `after`.
    pub(crate) fn retired_in(
        &self,
        space: &SpaceId,
        after: Option<&PinKey>,
        max: usize,
    ) -> Result<Vec<(PinKey, Retired)>, Fault> {
        let prefix = self.index_prefix(BY_SPACE, &[space.as_str()]);
        let mut from = prefix.clone();
        if let Some(after) = after {
            write_pin_key(&mut from, after);
            from = end_of_key(&from);
        }
        let mut found = Vec::new();
        for entry in self.database.walk((from, end_of(&prefix)), false)?.take(max) {
            let key = read_pin_key(entry?.0.get(prefix.len()..).unwrap_or_default())?;
            found.extend(self.retired(&key)?.filter(|retired| retired.space == *space).map(|retired| (key, retired)));
        }
        Ok(found)
    }

    /// All, by their key, from after `after`.
    pub(crate) fn retired_after(&self, after: Option<&PinKey>, max: usize) -> Result<Vec<(PinKey, Retired)>, Fault> {
        let prefix = self.key(RETIRED, &[]);
        let from = after.map_or_else(|| prefix.clone(), |after| end_of_key(&self.retired_key(after)));
        let walk = self.database.walk((from, end_of(&prefix)), false)?;
        let read = walk.take(max).map(|entry| {
            let (key, value) = entry?;
            let key = read_pin_key(key.get(prefix.len()..).unwrap_or_default())?;
            Ok((key, decode_retired(value.as_ref())?.retired))
        });
        read.collect()
    }

    /// Writes what the record at `position` does to retirements.
    pub(crate) fn apply_retirements(
        &self,
        change: &RetirementChange,
        position: Position,
        stats: &mut RowStats,
    ) -> Result<(), Fault> {
        // What a later record retired is no business of one that is folded again.
        let outcomes = change.try_outcomes(|key| {
            let row = self.retired_row(key)?.filter(|row| row.applied <= position);
            Ok::<_, Fault>(row.map(|row| row.retired))
        })?;
        for (key, retired) in outcomes {
            let old = self.retired_row(&key)?;
            if old.as_ref().is_some_and(|old| old.applied > position) {
                continue;
            }
            let new = retired.map(|retired| RetiredRow { applied: position, retired });
            self.replace_retired(&key, old.as_ref(), new.as_ref(), stats)?;
        }
        Ok(())
    }

    /// Reads every row of this kind: counts them.
    pub(crate) fn audit_retired(&self, stats: &mut RowStats) -> Result<(), Fault> {
        let prefix = self.key(RETIRED, &[]);
        self.database.scan(&prefix, |key, value| {
            decode_retired(value)?;
            stats.add(key, value);
            stats.retired += counted(&read_pin_key(key.get(prefix.len()..).unwrap_or_default())?);
            Ok(Scan::Next)
        })
    }

    fn replace_retired(
        &self,
        key: &PinKey,
        old: Option<&RetiredRow>,
        new: Option<&RetiredRow>,
        stats: &mut RowStats,
    ) -> Result<(), Fault> {
        let row = self.retired_key(key);
        let led = old.map_or_else(Vec::new, |old| self.leads_to_retired(key, old));
        let leads = new.map_or_else(Vec::new, |new| self.leads_to_retired(key, new));
        for lead in led.iter().filter(|lead| !leads.contains(lead)) {
            self.database.remove(lead)?;
        }
        match new {
            Some(new) => {
                let value = encode_retired(new)?;
                self.database.put(&row, &value)?;
                stats.add(&row, &value);
                stats.retired += counted(key);
            }
            None if old.is_some() => self.database.remove(&row)?,
            None => {}
        }
        if let Some(old) = old {
            stats.subtract(&row, &encode_retired(old)?);
            stats.retired = stats.retired.saturating_sub(counted(key));
        }
        for lead in &leads {
            self.database.put(lead, &[])?;
        }
        Ok(())
    }

    fn retired_row(&self, key: &PinKey) -> Result<Option<RetiredRow>, Fault> {
        self.database.get(&self.retired_key(key))?.map(|found| decode_retired(found.as_ref())).transpose()
    }

    fn retired_key(&self, key: &PinKey) -> Vec<u8> {
        let mut row = self.key(RETIRED, &[]);
        write_pin_key(&mut row, key);
        row
    }

    fn leads_to_retired(&self, key: &PinKey, row: &RetiredRow) -> Vec<Vec<u8>> {
        let mut leads = Vec::new();
        if key.is_second_digest() {
            return leads;
        }
        if let (None, Some(not_after)) = (&key.space, row.retired.not_after) {
            let mut by_end = self.key(BY_END, &[]);
            by_end.extend_from_slice(&time_key(not_after.unix_ms()));
            write_pin_key(&mut by_end, key);
            leads.push(by_end);
        }
        if self.has_directory() {
            let mut by_device = self.by_device_prefix(&row.retired.device);
            write_pin_key(&mut by_device, key);
            leads.push(by_device);
            let mut by_space = self.index_prefix(BY_SPACE, &[row.retired.space.as_str()]);
            write_pin_key(&mut by_space, key);
            leads.push(by_space);
        }
        leads
    }

    fn by_device_prefix(&self, device: &DeviceId) -> Vec<u8> {
        self.index_prefix(BY_DEVICE, &[device.as_str()])
    }
}

/// How many certificates a row stands for.
fn counted(key: &PinKey) -> u64 {
    u64::from(!key.is_second_digest())
}

/// The least key after this one.
fn end_of_key(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}
