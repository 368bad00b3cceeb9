//! The directory's own keys beside the admission rows: which there are for a row, and writing them.
//!
//! Does not read them, but for a device's history. Every index of devices ends in the inverted position of the record that
//! created the device, so that a walk meets the newest first, and holds the device's id, so that a walk leads to the row.
//! Invariants: as in [`rows`](crate::rows), what no longer leads to a row goes before the row changes and what is new comes
//! after; a generation without the directory has none of these keys.

use rollcall_domain::{
    ids::{DeviceId, Position},
    registry::{BoundPolicy, Device, DeviceEntry},
    time::Timestamp,
};

use super::{Rows, status::is_proven, stored::device::Row};
use crate::files::{Fault, SEPARATOR};

pub(crate) const ALL: u8 = b'a';
/// By resource space.
pub(crate) const SPACE: u8 = b's';
/// By product, then resource space.
pub(crate) const PRODUCT: u8 = b'p';
/// By node id.
pub(crate) const NODE: u8 = b'n';
pub(crate) const NAME: u8 = b'm';
/// By a tag's key, then its value.
pub(crate) const TAG: u8 = b't';
/// By a policy that is bound to the device itself, then resource space.
const POLICY: u8 = b'l';
/// By what a row alone says of the device's status, [`FROZEN`] or [`UNPROVEN`], then resource space; most are neither.
pub(crate) const STATE: u8 = b'u';
/// By resource space, then when the device was registered.
pub(crate) const REGISTERED: u8 = b'w';
/// By resource space, then the end of each of the device's certificates.
pub(crate) const CERTIFICATE_END: u8 = b'e';
/// By device, the records about it; also of devices that are gone.
pub(crate) const HISTORY: u8 = b'h';
/// Certificates, by inverted position.
pub(crate) const CERTIFICATE: u8 = b'c';
/// Certificates by common name.
pub(crate) const COMMON_NAME: u8 = b'o';
/// Certificates by fingerprint.
pub(crate) const DIGEST: u8 = b'd';
/// Certificates by the CAs above them, each by name and key.
pub(crate) const ISSUER: u8 = b'i';

/// Bytes of an inverted position.
pub(crate) const INVERTED_BYTES: usize = 8;

/// An operator has frozen the device.
pub(crate) const FROZEN: &str = "frozen";
/// No certificate of the device has been proven, so it may never have connected.
pub(crate) const UNPROVEN: &str = "unproven";

/// A time as the keys have it: the earliest sorts first.
pub(crate) fn time_key(ms: i64) -> [u8; 8] {
    (ms.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The time that [`time_key`] wrote at this place of a key, milliseconds.
pub(crate) fn time_at(key: &[u8], at: usize) -> Result<i64, Fault> {
    let found = key.get(at..).and_then(|rest| rest.first_chunk::<8>());
    let found = found.ok_or_else(|| Fault("a key of the view ends too early".into()))?;
    Ok((u64::from_be_bytes(*found) ^ (1 << 63)).cast_signed())
}

/// A position as the keys have it: the latest sorts first.
pub(crate) fn inverted(position: Position) -> [u8; INVERTED_BYTES] {
    (!position.0).to_be_bytes()
}

/// The position at the end of a key.
pub(crate) fn position_at_end(key: &[u8]) -> Result<Position, Fault> {
    let end = key.last_chunk::<INVERTED_BYTES>().ok_or_else(|| Fault("a key of the view ends too early".into()))?;
    Ok(Position(!u64::from_be_bytes(*end)))
}

impl Rows {
    /// Whether this generation holds the directory.
    pub(crate) fn has_directory(&self) -> bool {
        self.generation.has_directory()
    }

    /// What stands before the inverted position in an index: the parts, each closed.
    pub(crate) fn index_prefix(&self, kind: u8, parts: &[&str]) -> Vec<u8> {
        let mut prefix = self.key(kind, &[]);
        for part in parts {
            prefix.extend_from_slice(part.as_bytes());
            prefix.push(SEPARATOR);
        }
        prefix
    }

    /// What leads to the devices that a policy is bound to itself, in a resource space.
    pub(crate) fn policy_prefix(&self, bound: &BoundPolicy, space: &str) -> Vec<u8> {
        self.index_prefix(POLICY, &[bound.policy.as_str(), &bound.made.to_string(), space])
    }

    /// The keys that lead to a row.
    pub(crate) fn directory_keys(&self, row: &Row) -> Vec<Vec<u8>> {
        let device: &Device = match &row.entry {
            DeviceEntry::Live(device) if self.has_directory() => device,
            DeviceEntry::Live(_) | DeviceEntry::Deleted { .. } => return Vec::new(),
        };
        let (space, product) = (device.space.as_str(), device.product.as_str());
        let mut keys = vec![
            self.index_prefix(ALL, &[]),
            self.index_prefix(SPACE, &[space]),
            self.index_prefix(PRODUCT, &[product, space]),
            self.index_prefix(NODE, &[device.node_id.as_str()]),
        ];
        keys.extend(device.name.as_deref().map(|name| self.index_prefix(NAME, &[name])));
        keys.extend(device.tags.iter().map(|tag| self.index_prefix(TAG, &[&tag.key, &tag.value])));
        keys.extend(device.policies.iter().map(|bound| self.policy_prefix(bound, space)));
        keys.extend(state_of(device).map(|state| self.index_prefix(STATE, &[state, space])));
        let at = |kind, at: Timestamp| [&*self.index_prefix(kind, &[space]), &time_key(at.unix_ms())].concat();
        keys.push(at(REGISTERED, device.registered_at));
        let mut ends: Vec<Timestamp> = device.credential.pins().filter_map(|pin| pin.not_after).collect();
        ends.dedup();
        keys.extend(ends.into_iter().map(|end| at(CERTIFICATE_END, end)));
        for key in &mut keys {
            key.extend_from_slice(&inverted(row.created));
        }
        keys
    }

    /// Writes those of the directory's keys for a row that are not there.
    pub(crate) fn put_directory_keys(&self, id: &DeviceId, row: &Row) -> Result<(), Fault> {
        for key in self.directory_keys(row) {
            if self.database.get(&key)?.is_none() {
                self.database.put(&key, id.as_str().as_bytes())?;
            }
        }
        Ok(())
    }

    /// Remembers that the record at `position` is about a device.
    pub(crate) fn put_history(&self, id: &DeviceId, position: Position) -> Result<(), Fault> {
        if !self.has_directory() {
            return Ok(());
        }
        let mut key = self.index_prefix(HISTORY, &[id.as_str()]);
        key.extend_from_slice(&inverted(position));
        self.database.put(&key, &[])
    }

    /// When the devices that there are were registered, milliseconds, from `since` on, in any order.
    pub(crate) fn registered_since(&self, since: Timestamp) -> Result<Vec<i64>, Fault> {
        let (prefix, mut found) = (self.index_prefix(REGISTERED, &[]), Vec::new());
        let mut space = prefix.clone();
        while let Some(key) = self.database.first_key_from(&space)?.filter(|key| key.starts_with(&prefix)) {
            let closed = key.iter().skip(prefix.len()).position(|byte| *byte == SEPARATOR);
            let at = prefix.len() + closed.map_or(0, |length| length + 1);
            let of_space = key.get(..at).unwrap_or_default();
            let from = [of_space, &time_key(since.unix_ms())].concat();
            for entry in self.database.walk((from, end_of(of_space)), false)? {
                found.push(time_at(&entry?.0, at)?);
            }
            space = end_of(of_space);
        }
        Ok(found)
    }

    /// The positions of the records about a device that are before `before`, latest first.
    pub(crate) fn history(&self, id: &DeviceId, before: Option<Position>, max: usize) -> Result<Vec<Position>, Fault> {
        let prefix = self.index_prefix(HISTORY, &[id.as_str()]);
        let walk = self.database.walk(after(&prefix, before), false)?;
        walk.take(max).map(|found| position_at_end(&found?.0)).collect()
    }
}

/// Where the device stands in the index by state, if it does.
fn state_of(device: &Device) -> Option<&'static str> {
    match (device.frozen, is_proven(device)) {
        (true, _) => Some(FROZEN),
        (false, false) => Some(UNPROVEN),
        (false, true) => None,
    }
}

/// The keys with a prefix whose inverted positions come after that of `position`: the older ones.
pub(crate) fn after(prefix: &[u8], position: Option<Position>) -> (Vec<u8>, Vec<u8>) {
    let mut from = prefix.to_vec();
    if let Some(position) = position {
        from.extend_from_slice(&inverted(position));
        // The least key above every one that begins so: certificates have more behind the position.
        from = end_of(&from);
    }
    (from, end_of(prefix))
}

/// The least key above all that begin with a prefix; the database's own end, were there none.
pub(crate) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            break;
        }
    }
    end
}
