//! How many connections devices made in each minute of the last day: kept beside the generations, as what was
//! [`seen`](crate::seen) is.
//!
//! A convenience for people, as far as this process has heard: what connected and left while it was down is not counted.
//! Invariant: what is older than a day is removed as new minutes come.

use std::collections::BTreeMap;

use rollcall_domain::{
    ids::{Incarnation, InstanceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    files::{Database, Fault, META, META_CONNECTS, decode, encode, key},
    rows::index::{end_of, time_at, time_key},
};

/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;
/// How long a minute is kept, milliseconds.
const KEPT_MS: i64 = 24 * 60 * MINUTE_MS;
/// Old minutes removed with each connection that is counted.
const REMOVED_AT_ONCE_MAX: usize = 4;

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct StoredMinute {
    connects: u64,
    /// The latest of them.
    last_ms: i64,
}

/// Counts a connection.
pub(crate) fn note(
    database: &Database,
    (instance, incarnation): (&InstanceId, Incarnation),
    at: Timestamp,
) -> Result<(), Fault> {
    let prefix = prefix(instance, incarnation);
    let minute_ms = at.unix_ms().div_euclid(MINUTE_MS).saturating_mul(MINUTE_MS);
    let minute = [&*prefix, &time_key(minute_ms)].concat();
    let known = database.get(&minute)?.map(|stored| decode::<StoredMinute>(stored.as_ref())).transpose()?;
    let StoredMinute { connects, last_ms } = known.unwrap_or_default();
    let counted = StoredMinute { connects: connects + 1, last_ms: last_ms.max(at.unix_ms()) };
    database.put(&minute, &encode(&counted)?)?;
    let kept_from = [&*prefix, &time_key(minute_ms.saturating_sub(KEPT_MS))].concat();
    let old: Vec<Vec<u8>> = database
        .walk((prefix, kept_from), false)?
        .take(REMOVED_AT_ONCE_MAX)
        .map(|entry| Ok(entry?.0.to_vec()))
        .collect::<Result<_, Fault>>()?;
    old.iter().try_for_each(|key| database.remove(key))
}

/// When the last connection that is counted was made.
pub(crate) fn counted_until(
    database: &Database,
    (instance, incarnation): (&InstanceId, Incarnation),
) -> Result<Option<Timestamp>, Fault> {
    let prefix = prefix(instance, incarnation);
    let end = end_of(&prefix);
    let Some(last) = database.walk((prefix, end), true)?.next() else { return Ok(None) };
    let minute: StoredMinute = decode(last?.1.as_ref())?;
    Ok(Some(Timestamp::from_unix_ms(minute.last_ms)))
}

/// Connections by the minute that they were made in, from `since` on; minutes without any are left out.
pub(crate) fn by_minute(
    database: &Database,
    (instance, incarnation): (&InstanceId, Incarnation),
    since: Timestamp,
) -> Result<BTreeMap<i64, u64>, Fault> {
    let prefix = prefix(instance, incarnation);
    let from = [&*prefix, &time_key(since.unix_ms())].concat();
    let mut minutes = BTreeMap::new();
    for entry in database.walk((from, end_of(&prefix)), false)? {
        let (key, value) = entry?;
        let minute_ms = time_at(&key, prefix.len())?;
        minutes.insert(minute_ms, decode::<StoredMinute>(value.as_ref())?.connects);
    }
    Ok(minutes)
}

fn prefix(instance: &InstanceId, incarnation: Incarnation) -> Vec<u8> {
    // What follows the separator is of one length.
    key(META, META_CONNECTS, &[instance.as_str().as_bytes(), &incarnation.0])
}
