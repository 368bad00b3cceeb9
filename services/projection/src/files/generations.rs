//! The generations of the instances' rows: which one an instance is looked up in, which one is being built for it.
//!
//! Does not say what is in a generation. Invariant: no number is given to two generations of one database.

use std::ops::ControlFlow;

use rollcall_domain::ids::{Incarnation, InstanceId};
use serde::{Deserialize, Serialize};

use super::{
    database::{Database, Fault, Scan},
    encoding::{decode, encode},
    keys::{META, META_INSTANCE, META_NEXT, key},
};

/// Set in the schema of a generation that holds the directory too, so that a store opened the other way builds anew.
pub(crate) const WITH_DIRECTORY: u32 = 1 << 31;

/// Which generations an instance has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredGenerations {
    /// The one that is looked things up in.
    pub(crate) serving: Option<StoredGeneration>,
    /// The one being built to take its place.
    pub(crate) building: Option<StoredGeneration>,
}

/// One generation of an instance's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredGeneration {
    /// Prefix of its keys; unique in the database, never 0.
    pub(crate) number: u32,
    /// The [`SCHEMA`](crate::rows::SCHEMA) that it was written with, and whether [`WITH_DIRECTORY`].
    pub(crate) schema: u32,
}

impl StoredGeneration {
    /// Whether it holds the directory.
    pub(crate) fn has_directory(self) -> bool {
        self.schema & WITH_DIRECTORY != 0
    }
}

/// The generations of an instance.
pub(crate) fn generations(
    database: &Database,
    instance: &InstanceId,
    incarnation: Incarnation,
) -> Result<StoredGenerations, Fault> {
    let stored = database.get(&generations_key(instance, incarnation))?;
    stored.map_or(Ok(StoredGenerations::default()), |stored| decode(stored.as_ref()))
}

/// Whether a generation that is served holds the directory.
pub(crate) fn any_has_directory(database: &Database) -> Result<bool, Fault> {
    let mut found = false;
    database.scan(&key(META, META_INSTANCE, &[]), |_, value| {
        let StoredGenerations { serving, .. } = decode(value)?;
        found |= serving.is_some_and(StoredGeneration::has_directory);
        Ok(Scan::Next)
    })?;
    Ok(found)
}

/// Says which generations an instance has.
pub(crate) fn put_generations(
    database: &Database,
    instance: &InstanceId,
    incarnation: Incarnation,
    generations: StoredGenerations,
) -> Result<(), Fault> {
    database.put(&generations_key(instance, incarnation), &encode(&generations)?)
}

/// An instance that was deleted and made again finds nothing of its predecessor's.
fn generations_key(instance: &InstanceId, incarnation: Incarnation) -> Vec<u8> {
    key(META, META_INSTANCE, &[instance.as_str().as_bytes(), &incarnation.0])
}

/// A number that no generation of this database has had. To be called by one thread at a time.
pub(crate) fn next_generation(database: &Database) -> Result<u32, Fault> {
    let counter = key(META, META_NEXT, &[]);
    let next = match database.get(&counter)? {
        Some(stored) => decode::<u32>(stored.as_ref())?,
        None => META + 1,
    };
    database.put(&counter, &encode(&(next + 1))?)?;
    Ok(next)
}

/// Removes keys of generations that no instance has, at most `max`: what a stop left of an earlier removal.
pub(crate) fn erase_orphans(database: &Database, max: usize) -> Result<(), Fault> {
    let mut kept = Vec::new();
    database.scan(&key(META, META_INSTANCE, &[]), |_, value| {
        let StoredGenerations { serving, building } = decode(value)?;
        kept.extend(serving.into_iter().chain(building).map(|generation| generation.number));
        Ok(Scan::Next)
    })?;
    let mut from = META + 1;
    while let Some(found) = database.first_key_from(&from.to_be_bytes())? {
        let Some(number) = found.first_chunk().copied().map(u32::from_be_bytes) else { return Ok(()) };
        if !kept.contains(&number) && erase(database, number, max)?.is_continue() {
            return Ok(());
        }
        let Some(next) = number.checked_add(1) else { return Ok(()) };
        from = next;
    }
    Ok(())
}

/// Removes up to `max` keys of a generation; `Continue` when there may be more.
pub(crate) fn erase(database: &Database, number: u32, max: usize) -> Result<ControlFlow<()>, Fault> {
    for _ in 0..max {
        match database.first_key_from(&number.to_be_bytes())? {
            Some(found) if found.starts_with(&number.to_be_bytes()) => database.remove(&found)?,
            Some(_) | None => return Ok(ControlFlow::Break(())),
        }
    }
    Ok(ControlFlow::Continue(()))
}
