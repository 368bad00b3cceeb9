//! When a device was first connected and when that last changed: kept beside the generations, so that a rebuild leaves it.
//!
//! A convenience for people, not the truth about who is connected: a damaged database takes it along. Invariants: nothing
//! is decided by it; an instance that was deleted and made again under its id takes nothing of the old one's over.

use rollcall_domain::{
    ids::{DeviceId, Incarnation, InstanceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::files::{Database, Fault, META, META_SEEN, decode, encode, key};

/// What is remembered of a device's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it was first online, if it ever was.
    pub first_online_at: Option<Timestamp>,
    /// When `online` last changed.
    pub changed_at: Timestamp,
    /// Whether it was online then.
    pub online: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredSeen {
    first_online_ms: Option<i64>,
    changed_ms: i64,
    online: bool,
}

/// What is remembered of a device.
pub(crate) fn read(
    database: &Database,
    (instance, incarnation): (&InstanceId, Incarnation),
    device: &DeviceId,
) -> Result<Option<Seen>, Fault> {
    let Some(found) = database.get(&seen_key(instance, incarnation, device))? else { return Ok(None) };
    let stored: StoredSeen = decode(found.as_ref())?;
    Ok(Some(Seen {
        first_online_at: stored.first_online_ms.map(Timestamp::from_unix_ms),
        changed_at: Timestamp::from_unix_ms(stored.changed_ms),
        online: stored.online,
    }))
}

/// Remembers that a device is online or offline. What is older than what is remembered changes nothing.
pub(crate) fn note(
    database: &Database,
    (instance, incarnation): (&InstanceId, Incarnation),
    device: &DeviceId,
    online: bool,
    at: Timestamp,
) -> Result<(), Fault> {
    let known = read(database, (instance, incarnation), device)?;
    if known.is_some_and(|known| known.changed_at > at || known.online == online) {
        return Ok(());
    }
    let first_online = known.and_then(|known| known.first_online_at).or(online.then_some(at));
    let stored = StoredSeen { first_online_ms: first_online.map(Timestamp::unix_ms), changed_ms: at.unix_ms(), online };
    database.put(&seen_key(instance, incarnation, device), &encode(&stored)?)
}

/// Where it is remembered when a device was seen: in no generation, so that it outlives them, but of this incarnation of
/// the instance. One without an incarnation keeps the key that version 0.1 wrote.
fn seen_key(instance: &InstanceId, incarnation: Incarnation, device: &DeviceId) -> Vec<u8> {
    if incarnation == Incarnation::NIL {
        return key(META, META_SEEN, &[instance.as_str(), device.as_str()].map(str::as_bytes));
    }
    // Last, since its bytes may hold a separator.
    key(META, META_SEEN, &[instance.as_str().as_bytes(), device.as_str().as_bytes(), &incarnation.0])
}
