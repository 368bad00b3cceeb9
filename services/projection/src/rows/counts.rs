//! How many there are, by resource space and product: what a list's `count` says without walking it.
//!
//! Not stored: counted when a generation is opened, by the pass over every row that is made then anyway, and kept up by
//! the fold. Invariant: what is counted is the live rows, so a record that is folded again changes nothing.

use std::collections::BTreeMap;

use rollcall_domain::{
    ids::{ProductId, SpaceId},
    registry::DeviceEntry,
};

use super::stored::device::Row;

/// Live devices and known certificates of one generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    devices: BTreeMap<SpaceId, BTreeMap<ProductId, u64>>,
    certificates: BTreeMap<SpaceId, u64>,
}

impl Counts {
    pub(crate) fn add(&mut self, row: &Row) {
        let DeviceEntry::Live(device) = &row.entry else { return };
        *self.devices.entry(device.space.clone()).or_default().entry(device.product.clone()).or_default() += 1;
        if !row.certificates.is_empty() {
            *self.certificates.entry(device.space.clone()).or_default() += row.certificates.len() as u64;
        }
    }

    /// What changes when one row takes another's place.
    pub(crate) fn replace(&mut self, old: Option<&Row>, new: Option<&Row>) {
        old.into_iter().for_each(|old| self.subtract(old));
        new.into_iter().for_each(|new| self.add(new));
    }

    fn subtract(&mut self, row: &Row) {
        let DeviceEntry::Live(device) = &row.entry else { return };
        if let Some(count) = self.devices.get_mut(&device.space).and_then(|products| products.get_mut(&device.product)) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.certificates.get_mut(&device.space) {
            *count = count.saturating_sub(row.certificates.len() as u64);
        }
    }

    /// Devices of some spaces' products.
    pub(crate) fn devices(&self, counted: impl Fn(&SpaceId, &ProductId) -> bool) -> u64 {
        let each = self.devices.iter().flat_map(|(space, products)| products.iter().map(move |(id, n)| (space, id, n)));
        each.filter(|(space, product, _)| counted(space, product)).map(|(_, _, count)| count).sum()
    }

    /// Certificates of devices of some spaces, or of all.
    pub(crate) fn certificates(&self, mut counted: impl FnMut(&SpaceId) -> bool) -> u64 {
        self.certificates.iter().filter(|(space, _)| counted(space)).map(|(_, count)| count).sum()
    }
}
