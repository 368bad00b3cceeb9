//! How many there are, by resource space and product: what a list's `count` says without walking it.
//!
//! Not stored: [`standings`](crate::standings) counts when a generation is opened, by the pass over every row that is made
//! then anyway, and keeps it up. Invariant: what is counted is the live rows, so a record that is folded again changes
//! nothing.

use std::collections::BTreeMap;

use rollcall_domain::{
    ids::{ProductId, SpaceId},
    registry::{Device, DeviceEntry},
};

use super::{status::DeviceStatus, stored::device::Row};

/// How many devices have each status, in the order of [`DeviceStatus::GIVEN`].
type ByStatus = [u64; DeviceStatus::GIVEN.len()];

/// Live devices and known certificates of one generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    devices: BTreeMap<SpaceId, BTreeMap<ProductId, ByStatus>>,
    certificates: BTreeMap<SpaceId, u64>,
}

impl Counts {
    /// Counts a row; of a device that lives, with its status.
    pub(crate) fn add(&mut self, row: &Row, status: Option<DeviceStatus>) {
        let DeviceEntry::Live(device) = &row.entry else { return };
        self.stand(device, status, |count| count + 1);
        if !row.certificates.is_empty() {
            *self.certificates.entry(device.space.clone()).or_default() += row.certificates.len() as u64;
        }
    }

    /// Undoes [`add`](Self::add).
    pub(crate) fn subtract(&mut self, row: &Row, status: Option<DeviceStatus>) {
        let DeviceEntry::Live(device) = &row.entry else { return };
        self.stand(device, status, |count| count.saturating_sub(1));
        if let Some(count) = self.certificates.get_mut(&device.space) {
            *count = count.saturating_sub(row.certificates.len() as u64);
        }
    }

    fn stand(&mut self, device: &Device, status: Option<DeviceStatus>, change: impl FnOnce(u64) -> u64) {
        let products = self.devices.entry(device.space.clone()).or_default();
        let counts = products.entry(device.product.clone()).or_default();
        let given = DeviceStatus::GIVEN.iter().position(|given| status == Some(*given));
        if let Some(count) = given.and_then(|given| counts.get_mut(given)) {
            *count = change(*count);
        }
    }

    /// Devices of some spaces' products, whatever their status.
    pub(crate) fn devices(&self, counted: impl Fn(&SpaceId, &ProductId) -> bool) -> u64 {
        self.standing(&DeviceStatus::GIVEN, counted)
    }

    /// Devices of some spaces' products that have one of these statuses.
    pub(crate) fn standing(&self, wanted: &[DeviceStatus], counted: impl Fn(&SpaceId, &ProductId) -> bool) -> u64 {
        let each = self.devices.iter().flat_map(|(space, products)| products.iter().map(move |(id, by)| (space, id, by)));
        let meant = each.filter(|(space, product, _)| counted(space, product));
        let standing = meant.flat_map(|(_, _, by)| by.iter().zip(DeviceStatus::GIVEN));
        standing.filter(|(_, status)| wanted.contains(status)).map(|(count, _)| count).sum()
    }

    /// Certificates of devices of some spaces, or of all.
    pub(crate) fn certificates(&self, mut counted: impl FnMut(&SpaceId) -> bool) -> u64 {
        self.certificates.iter().filter(|(space, _)| counted(space)).map(|(_, count)| count).sum()
    }
}
