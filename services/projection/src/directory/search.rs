//! Searching by the beginning of a field, in the field's own order: for a field of a form, at each key.
//!
//! It is no list: nothing is sorted and nothing counted. Invariant: a page reads no more than a named number of rows, however
//! little of what it finds may be shown.

use std::collections::BTreeSet;

use rollcall_domain::{ids::SpaceId, registry::DeviceEntry};

use super::{Listed, list::listed, stream::candidate};
use crate::{
    files::Fault,
    rows::{
        self, Rows, decode_row,
        index::{NAME, NODE, end_of},
    },
};

/// Index entries that are looked at for one page.
const LOOKED_AT_MAX: usize = 1000;

/// What a search goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixField {
    /// The device's id.
    DeviceId,
    /// Its node id.
    NodeId,
    Name,
}

/// Where a search goes on; opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

impl Cursor {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Cursor {
    /// What [`Self::as_bytes`] gave; other bytes lead somewhere in the list.
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// Part of what a search finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundPage {
    /// In the order of the field.
    pub devices: Vec<Listed>,
    /// Where there may be more.
    pub next: Option<Cursor>,
    /// How many devices were looked at for it: what it cost.
    pub rows_read: u64,
}

/// See [`DirectoryView::find`](super::DirectoryView::find).
pub(crate) fn find(
    rows: &Rows,
    prefix: &str,
    field: PrefixField,
    spaces: Option<&BTreeSet<SpaceId>>,
    after: Option<&Cursor>,
    max: usize,
) -> Result<FoundPage, Fault> {
    let index = match field {
        PrefixField::DeviceId => rows.devices_prefix(),
        PrefixField::NodeId => rows.index_prefix(NODE, &[]),
        PrefixField::Name => rows.index_prefix(NAME, &[]),
    };
    let begun = [&*index, prefix.as_bytes()].concat();
    // Whatever a cursor holds, the search stays within what begins with the prefix.
    let from = after.map_or_else(|| begun.clone(), |Cursor(last)| [&*index, last, &[0]].concat().max(begun.clone()));
    let mut walk = rows.database.walk((from, end_of(&begun)), false)?;
    let mut page = FoundPage::default();
    let mut last = after.cloned();
    while page.devices.len() < max && page.rows_read < LOOKED_AT_MAX as u64 {
        let Some((key, value)) = walk.next().transpose()? else { return Ok(FoundPage { next: None, ..page }) };
        page.rows_read += 1;
        let rest = key.get(index.len()..).unwrap_or_default();
        last = Some(Cursor(rest.to_vec()));
        let found = match field {
            PrefixField::DeviceId => listed(decode_row(&rows::device_id(rest)?, value.as_ref())?),
            PrefixField::NodeId | PrefixField::Name => led_to(rows, field, prefix, &key, value.as_ref())?,
        };
        page.devices.extend(found.filter(|found| spaces.is_none_or(|spaces| spaces.contains(&found.device.space))));
    }
    Ok(FoundPage { next: last, ..page })
}

/// The device that an entry leads to, if it is still so.
fn led_to(rows: &Rows, field: PrefixField, prefix: &str, key: &[u8], value: &[u8]) -> Result<Option<Listed>, Fault> {
    let (position, id) = candidate(key, value)?;
    let found = rows.row(&id)?.filter(|row| row.created == position && matches!(row.entry, DeviceEntry::Live(_)));
    Ok(found.and_then(listed).filter(|listed| match field {
        PrefixField::DeviceId => true,
        PrefixField::NodeId => listed.device.node_id.as_str().starts_with(prefix),
        PrefixField::Name => listed.device.name.as_deref().is_some_and(|name| name.starts_with(prefix)),
    }))
}
